#include "analysis/estimate_memory.h"

#include <algorithm>
#include <array>

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

/// Settings that nobody stated and that change this estimate.
std::vector<std::string> that_matter(const Workload& w) {
  std::vector<std::string> names;
  for (const char* name : {"method", "bits", "batch", "seq", "res", "shard", "gc", "task"}) {
    const bool trained = w.trains() || (std::string_view(name) != "method" &&
                                        std::string_view(name) != "gc" && std::string_view(name) != "bits");
    if (trained && w.assumes(name)) names.emplace_back(name);
  }
  return names;
}

}  // namespace

MemoryEstimate estimate_memory(const Workload& w) {
  MemoryEstimate e;
  double sum = 0;
  const auto part = [&](const char* name, double gb) {
    if (gb < 0.005) return;
    e.parts.emplace_back(name, gb);
    sum += gb;
  };
  if (w.trains()) {
    const States s = states_of(w);
    const Activations a = activations_of(w);
    part("weights", s.weights + frozen_companions(w));
    part("gradients", s.gradients);
    part("optimizer", s.optimizer);
    part("adapter", s.extras);
    part("activations", a.saved);
    part("logits", a.logits);
    part("gathered", s.gathers);
    part("rollout engine", rollout_engine(w));
  } else {
    const Inference i = inference_of(w);
    part("weights", i.weights);
    part("cache", i.cache);
    part("working memory", i.working);
  }
  const double context = kContext + (w.gpus > 1 && w.trains() ? kNccl : 0);
  e.parts.emplace_back("context and fragments", sum * (kFragments - 1) + context);
  const double likely = (sum * kFragments + context) / kGib;
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
    const Activations a = activations_of(open), closed = activations_of(w);
    const double without = likely + (a.saved - closed.saved) * kFragments / kGib;
    e.safe.value = std::max(e.safe.value, std::min(without * 1.05, likely * 1.6));
  }
  if (!e.assumed.empty()) e.settles = e.assumed.front();
  return e;
}

Gigabytes checkpoint_size(const Workload& w) {
  if (!w.trains()) return {0};
  if (w.method != "full") return {std::min(0.5, 0.06 + 0.02 * w.params_b)};
  return {(w.opt == "adamw" || w.opt == "prodigy" ? 14 : w.opt == "sgd" ? 5 : 8) * w.params_b};
}

}  // namespace vastgpu
