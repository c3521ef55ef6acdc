#include "analysis/estimate_hours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "analysis/amounts.h"
#include "analysis/efficiency.h"
#include "analysis/hardware.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr double kNodeScaling = 0.92;   // 2 to 8 GPUs of one node
constexpr double kRecompute = 4.0 / 3;  // a second forward pass
constexpr double kUsualDetectionBatch = 16;

struct WorkAmount {
  double flop = 0;
  std::optional<double> steps;  ///< optimizer steps, where they are known
  std::string missing;
  std::vector<std::string> assumed;
};

bool reads_text(const Workload& w) {
  return w.family == Family::language || w.family == Family::encoder || w.family == Family::seq2seq ||
         w.family == Family::vision_language;
}

double samples_per_step(const Workload& w, int gpus) {
  if (w.global_batch) return *w.global_batch;
  // Schedules of detectors count whole batches, not those of one GPU.
  const bool total = w.family == Family::detection && w.batch >= gpus && gpus > 1;
  if (w.family == Family::detection && w.assumes("batch")) return kUsualDetectionBatch;
  return w.batch * w.grad_accum * (total ? 1 : gpus);
}

/// How many samples pass through in all; nullopt with `missing` when nobody says.
std::optional<double> samples_seen(const Workload& w, int gpus, WorkAmount& a) {
  // Text is read once or a few times; how often pictures are seen nobody can tell from their number.
  const bool few_passes = reads_text(w) || w.family == Family::speech;
  if (w.samples && (w.epochs || (few_passes && !w.steps))) {
    if (!w.epochs) a.assumed.emplace_back("epochs");
    if (!w.assumes("batch") || w.global_batch)
      a.steps = *w.samples * w.epochs.value_or(1) / std::max(1.0, samples_per_step(w, gpus));
    return *w.samples * w.epochs.value_or(1);
  }
  if (w.steps) {
    if (w.assumes("batch") && !w.global_batch) a.assumed.emplace_back("batch");
    a.steps = *w.steps;
    return *w.steps * samples_per_step(w, gpus);
  }
  a.missing = w.samples ? "epochs" : w.epochs ? "samples" : "steps";
  return std::nullopt;
}

double text_flop(const Workload& w, double tokens) {
  const double per_parameter = w.method == "full" ? 6 : w.method == "head" ? 2 : 4;
  const double attention =
      (w.method == "full" ? 12 : 8) * w.shape.layers * w.shape.hidden * std::min(w.seq, 131'072.0);
  double flop = (per_parameter * w.active_params_b * 1e9 + attention * 0.5) * tokens;
  if (w.gc && w.task != "pretrain") flop *= kRecompute;
  if (w.rl == "dpo" || w.rl == "kto") flop *= 2.7;  // chosen and rejected, and the reference's forward pass
  if (w.rl == "reward" || w.rl == "orpo") flop *= 2;
  if (w.rl == "ppo" || w.rl == "grpo") flop *= 4;  // rollouts take longer than updates
  return flop;
}

WorkAmount text_work(const Workload& w, int gpus) {
  WorkAmount a;
  if (w.tokens) {
    a.flop = text_flop(w, *w.tokens);
    return a;
  }
  const auto samples = samples_seen(w, gpus, a);
  if (!samples) return a;
  double tokens = w.seq;
  if (w.avg_tokens) {
    tokens = std::min(*w.avg_tokens, w.seq);
  } else if (!w.packed && !w.steps && w.method != "full") {
    tokens = std::min(w.seq, std::max(150.0, 0.4 * w.seq));  // samples are shorter than the limit
    a.assumed.emplace_back("avg_tokens");
  } else if (w.assumes("seq")) {
    a.assumed.emplace_back("seq");
  }
  a.flop = text_flop(w, *samples * tokens);
  return a;
}

/// Forward GFLOPs of one picture, 2 per multiply-add.
double picture_gflops(const Workload& w) {
  if (w.fwd_gflops > 0) return w.fwd_gflops;
  // Nets for small pictures drop the strides of their first layers.
  const double kept =
      w.family == Family::vision && w.res.pixels() <= 64 * 64 && w.model.find("vit") == std::string::npos ? 12
                                                                                                          : 1;
  if (w.card != nullptr && w.card->fwd_gflops > 0 && w.card->img_size > 0)
    return kept * w.card->fwd_gflops * w.res.pixels() / (w.card->img_size * w.card->img_size);
  const double area = w.res.pixels() / (224.0 * 224.0);
  const bool transformer =
      w.model.find("vit") != std::string::npos || w.model.find("dino") != std::string::npos;
  if (w.family == Family::detection) return 10'000 * w.params_b * w.res.pixels() / (800.0 * 1333.0);
  if (w.family == Family::segmentation) return 3'500 * w.params_b * w.res.pixels() / (512.0 * 512.0);
  return kept * (transformer ? 400 : 320) * w.params_b * area;
}

WorkAmount picture_work(const Workload& w, int gpus) {
  WorkAmount a;
  const auto samples = samples_seen(w, gpus, a);
  if (samples)
    a.flop = (w.method == "head" ? 1 : 3) * picture_gflops(w) * 1e9 * *samples * w.views * w.res.frames;
  return a;
}

WorkAmount diffusion_work(const Workload& w, int gpus) {
  WorkAmount a;
  const auto samples = samples_seen(w, gpus, a);
  if (!samples) return a;
  double tokens = w.res.pixels() / 256;                                   // transformers: 16 x 16 pixels
  if (w.params_b < 3) tokens = w.res.pixels() / (24.0 * 24.0);            // UNets on latents
  if (w.res.pixels() < 200 * 200) tokens = w.res.pixels() / (5.5 * 5.5);  // UNets on pixels
  if (w.res.frames > 1) tokens *= (w.res.frames + 3) / 4;
  const double per_parameter = w.method == "full" ? 6 : 4;
  a.flop = per_parameter * w.params_b * 1e9 * tokens * *samples * (w.gc ? kRecompute : 1);
  if (!w.te_cached && w.res.pixels() >= 200 * 200)  // the VAE encodes every picture again
    a.flop += 1.2e12 * w.res.pixels() / (512.0 * 512.0) * w.res.frames * *samples;
  return a;
}

WorkAmount speech_work(const Workload& w, int gpus) {
  WorkAmount a;
  const bool whisper = w.model.find("whisper") != std::string::npos;
  const double frames = whisper ? 1500 : 750;
  std::optional<double> samples;
  const bool self_supervised = !whisper && w.params_b >= 0.05 && w.method == "full";
  // Their recipes fill a step with about an hour and a half of sound.
  if (self_supervised && w.steps && w.assumes("batch") && !w.samples) {
    a.steps = *w.steps;
    a.assumed.emplace_back("batch");
    samples = *w.steps * 270'000 / frames;
  } else {
    samples = samples_seen(w, gpus, a);
  }
  if (samples) a.flop = (w.method == "full" ? 6 : 4) * w.params_b * 1e9 * frames * *samples;
  return a;
}

WorkAmount work_of(const Workload& w, int gpus) {
  if (reads_text(w)) return text_work(w, gpus);
  switch (w.family) {
    case Family::diffusion:
      return diffusion_work(w, gpus);
    case Family::speech:
      return speech_work(w, gpus);
    case Family::vision:
    case Family::detection:
    case Family::segmentation:
      return picture_work(w, gpus);
    default:
      break;
  }
  WorkAmount a;
  const auto samples = samples_seen(w, gpus, a);
  if (samples) a.flop = 6 * w.params_b * 1e9 * 64 * *samples;  // a small network on short inputs
  return a;
}

/// Generation: bound by reading the weights once per step of a batch.
std::optional<HoursEstimate> generation(const Workload& w, const GpuModel& card, int gpus,
                                        std::string* missing) {
  double tokens = w.tokens.value_or(0);
  if (tokens <= 0 && w.samples) tokens = *w.samples * w.new_tokens.value_or(256);
  if (tokens <= 0 || !reads_text(w)) {
    if (missing != nullptr) *missing = reads_text(w) ? "samples" : "hours";
    return std::nullopt;
  }
  const bool server =
      w.engine.find("vllm") != std::string::npos || w.engine.find("sglang") != std::string::npos;
  const double width = w.bits == "4" ? 0.56 : w.bits == "8" ? 1.05 : w.bits == "32" ? 4 : 2;
  const double one =
      card.mem_gb_per_s / std::max(0.05, w.active_params_b * width);  // tokens per second alone
  const double together = server ? 24 : 0.7 * std::min(w.batch, 32.0);
  HoursEstimate e;
  e.likely = Hours(tokens / (one * 0.6 * std::max(0.7, together) * gpus) / 3600 * w.runs);
  e.how = fixed(tokens, 0) + " generated tokens against the memory bandwidth of " + std::string(card.name);
  if (!w.new_tokens && !w.tokens) e.assumed.emplace_back("new_tokens");
  e.low = e.likely / 2.5;
  e.high = e.likely * 2.5;
  return e;
}

}  // namespace

const GpuModel* card_named(std::string_view name) {
  if (const GpuModel* exact = find_gpu(name)) return exact;
  const auto mentions = find_gpu_mentions(plain("1x " + clean_line(name, 80) + " gpu"));
  return mentions.empty() ? nullptr : find_gpu(mentions.front().name);
}

std::optional<HoursEstimate> estimate_hours(const Workload& w, const GpuModel& card, int gpus,
                                            std::string* missing) {
  if (!w.trains()) return generation(w, card, gpus, missing);
  const WorkAmount a = work_of(w, gpus);
  if (a.flop <= 0) {
    if (missing != nullptr) *missing = a.missing.empty() ? "steps" : a.missing;
    return std::nullopt;
  }
  const Rate rate = usual_rate(w, card);
  const double n = gpus > 1 ? gpus * kNodeScaling * sharding_cost(w) : 1;
  double seconds = a.flop / (rate.flop_per_s() * n);
  // However fast the card, a step launches its kernels one after another.
  bool by_steps = false;
  if (a.steps && *a.steps * least_step_seconds(w) > seconds) {
    seconds = *a.steps * least_step_seconds(w);
    by_steps = true;
  }
  HoursEstimate e;
  e.likely = Hours(seconds / 3600 * w.runs);
  e.assumed = a.assumed;
  e.scales_with_card = !by_steps && !rate.small_work;
  const double spread = a.assumed.empty() ? 1.8 : 2.5;
  e.low = e.likely / spread;
  e.high = e.likely * spread;
  std::array<char, 32> flop{};
  std::snprintf(flop.data(), flop.size(), "%.1e", a.flop * w.runs);
  e.how = by_steps ? text(fixed(*a.steps * w.runs, 0), " steps of at least ", fixed(least_step_seconds(w), 3),
                          " s")
                   : text(flop.data(), " FLOP at ", fixed(rate.share, 2), " of ", fixed(rate.tflops, 0),
                          " TFLOPS x ", gpus);
  return e;
}

}  // namespace vastgpu
