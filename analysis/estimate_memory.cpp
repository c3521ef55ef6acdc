#include "analysis/estimate_memory.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/estimate_parts.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr double kGib = 1.073741824;  // 10^9 bytes
// CUDA's context, libraries and what the allocator cannot use again.
constexpr double kFragments = 1.06;
constexpr double kContext = 0.8;
constexpr double kNccl = 0.4;

constexpr double kForwardOnly = 0.1;  // of what a backward pass needs: a layer or two at a time

Activations open_activations(const Workload& w) {
  switch (w.family) {
    case Family::language:
    case Family::encoder:
    case Family::seq2seq:
    case Family::vision_language:
      return language_activations(w);
    case Family::vision:
    case Family::detection:
    case Family::segmentation:
      return image_activations(w);
    case Family::diffusion:
      return diffusion_activations(w);
    case Family::speech:
      return speech_activations(w);
    case Family::other:
      break;
  }
  return {.saved = std::clamp(30 * w.params_b, 0.3, 4.0), .logits = 0};
}

Activations activations_of(const Workload& w) {
  Activations a = open_activations(w);
  if (w.method == "head") a.saved *= kForwardOnly;  // nothing flows back through the frozen network
  return a;
}

std::string describe(const Workload& w) {
  std::string how =
      text(fixed(w.params_b, w.params_b < 1 ? 3 : 1), " B parameters, ",
           w.trains() ? w.method : std::string("inference"), ", ", w.bits, "-bit, batch ", fixed(w.batch, 0));
  if (w.seq > 0 && (w.family == Family::language || w.family == Family::encoder ||
                    w.family == Family::seq2seq || w.family == Family::vision_language))
    how += " x " + fixed(w.seq, 0) + " tokens";
  else if (w.res.known())
    how += text(" at ", w.res.frames > 1 ? fixed(w.res.frames, 0) + " x " : std::string(),
                fixed(w.res.height, 0), "x", fixed(w.res.width, 0));
  if (w.trains()) how += w.gc ? ", activations recomputed" : ", no checkpointing";
  if (w.trains() && w.method == "full") how += ", " + w.opt;
  if (w.gpus > 1 && w.shard != "none") how += text(", ", w.shard, " over ", w.gpus, " GPUs");
  if (w.offload) how += ", offloaded";
  return how;
}

bool reads_text_or_draws(const Workload& w) {
  return w.family == Family::language || w.family == Family::vision_language || w.family == Family::seq2seq ||
         w.family == Family::diffusion;
}

/// Settings that nobody stated and that change this estimate.
std::vector<std::string> that_matter(const Workload& w) {
  std::vector<std::string> names;
  for (const char* name : {"method", "bits", "batch", "seq", "res", "shard", "gc", "task"}) {
    const bool trained = w.trains() || (std::string_view(name) != "method" &&
                                        std::string_view(name) != "gc" && std::string_view(name) != "bits");
    // Convolutional nets are trained whole unless somebody says otherwise.
    const bool obvious = std::string_view(name) == "method" && !reads_text_or_draws(w);
    if (trained && !obvious && w.assumes(name)) names.emplace_back(name);
  }
  return names;
}

struct Sum {
  std::vector<std::pair<std::string, double>> parts;
  double gib = 0;
};

Sum sum_of(const Workload& w) {
  Sum s;
  double gb = 0;
  const auto part = [&](const char* name, double size) {
    if (size < 0.005) return;
    s.parts.emplace_back(name, size);
    gb += size;
  };
  if (w.trains()) {
    const States states = states_of(w);
    const Activations a = activations_of(w);
    part("weights", states.weights + frozen_companions(w));
    part("gradients", states.gradients);
    part("optimizer", states.optimizer);
    part("adapter", states.extras);
    part("activations", a.saved);
    part("logits", a.logits);
    part("gathered", states.gathers);
    part("rollout engine", rollout_engine(w));
  } else {
    const Inference i = inference_of(w);
    part("weights", i.weights);
    part("cache", i.cache);
    part("working memory", i.working);
  }
  const double context = kContext + (w.gpus > 1 && w.trains() ? kNccl : 0);
  s.parts.emplace_back("context and fragments", gb * (kFragments - 1) + context);
  s.gib = (gb * kFragments + context) / kGib;
  return s;
}

/// The assumed setting that moves the estimate most when it turns out to be another one.
std::string what_settles(const Workload& w, const std::vector<std::string>& assumed, double likely) {
  std::string widest;
  double most = 0;
  for (const std::string& name : assumed) {
    Workload other = w;
    if (name == "method") other.method = w.method == "full" ? "lora" : "full";
    if (name == "bits") other.bits = w.bits == "16" ? "32" : "16";
    if (name == "batch") other.batch = 4 * w.batch;
    if (name == "seq") other.seq = 4 * w.seq;
    if (name == "res") other.res = {2 * w.res.width, 2 * w.res.height, w.res.frames};
    if (name == "gc") other.gc = !w.gc;
    if (name == "shard") other.shard = "none";
    if (name == "task") other.task = w.trains() ? "infer" : "train";
    const double change = std::abs(sum_of(other).gib - likely);
    if (change <= most) continue;
    most = change;
    widest = name;
  }
  return widest;
}

}  // namespace

MemoryEstimate estimate_memory(const Workload& w) {
  MemoryEstimate e;
  Sum sum = sum_of(w);
  const double likely = sum.gib;
  e.parts = std::move(sum.parts);
  e.assumed = that_matter(w);
  e.how = describe(w);
  const bool sized =
      std::ranges::any_of(e.assumed, [](const std::string& s) { return s != "task" && s != "gc"; });
  // Libraries differ most in how they handle quantised weights.
  const bool quantised = w.trains() && (w.bits == "4" || w.bits == "8");
  const double margin = sized || quantised ? 1.3 : 1.2;
  e.likely.value = likely;
  e.low.value = likely * (sized ? 0.7 : 0.82);
  e.safe.value = likely * margin;
  if (w.trains() && w.gc && w.assumes("gc")) {
    // Perhaps nobody switches checkpointing on: cover that too, as far as it costs less than a larger class
    // of card.
    Workload open = w;
    open.gc = false;
    e.safe.value = std::max(e.safe.value, std::min(sum_of(open).gib * 1.05, likely * 1.6));
  }
  e.settles = what_settles(w, e.assumed, likely);
  return e;
}

Gigabytes checkpoint_size(const Workload& w) {
  if (!w.trains()) return {0};
  if (w.method != "full") return {std::min(0.5, 0.06 + 0.02 * w.params_b)};
  return {(w.opt == "adamw" || w.opt == "prodigy" ? 14 : w.opt == "sgd" ? 5 : 8) * w.params_b};
}

}  // namespace vastgpu
