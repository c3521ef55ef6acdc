#include "analysis/efficiency.h"

#include <algorithm>
#include <cmath>

namespace vastgpu {
namespace {

enum class Generation { pascal, volta, turing, a100, geforce, hopper };

Generation generation_of(const GpuModel& card) {
  if (card.compute_cap > 0 && card.compute_cap < 700) return Generation::pascal;
  if (card.compute_cap == 700) return Generation::volta;
  if (card.compute_cap == 750) return Generation::turing;
  if (card.compute_cap == 800) return Generation::a100;
  if (card.compute_cap == 900 || card.compute_cap == 1000 || card.compute_cap == 1030)
    return Generation::hopper;
  return Generation::geforce;
}

/// Shares of the peak by generation, in the order of the enum.
struct Shares {
  double pascal, volta, turing, a100, geforce, hopper;
  double of(Generation g) const {
    switch (g) {
      case Generation::pascal:
        return pascal;
      case Generation::volta:
        return volta;
      case Generation::turing:
        return turing;
      case Generation::a100:
        return a100;
      case Generation::geforce:
        return geforce;
      case Generation::hopper:
        return hopper;
    }
    return geforce;
  }
};

constexpr Shares kPretrainLarge{.35, .30, .25, .52, .45, .40};
constexpr Shares kPretrainMiddle{.35, .25, .22, .44, .35, .30};
constexpr Shares kPretrainSmall{.25, .15, .15, .25, .25, .17};
constexpr Shares kToy{.10, .06, .06, .10, .10, .05};
constexpr Shares kLora{.25, .22, .20, .35, .35, .26};
constexpr Shares kQlora{.12, .10, .08, .20, .20, .16};
constexpr Shares kConvolution{.10, .16, .15, .14, .20, .10};
constexpr Shares kDepthwise{.05, .05, .04, .04, .06, .03};
constexpr Shares kVisionTransformer{.25, .25, .20, .32, .30, .24};
constexpr Shares kDiffusion{.20, .18, .08, .28, .30, .24};
constexpr Shares kSpeech{.04, .04, .04, .03, .05, .02};

/// Professional cards promise more than their memory feeds: what relative speed allows.
double usable_peak(const GpuModel& card) {
  if (generation_of(card) != Generation::geforce || card.relative_speed <= 0) return card.tflops_fp16;
  return std::min(card.tflops_fp16, 105 * card.relative_speed);
}

bool has(const Workload& w, const char* word) { return w.model.find(word) != std::string::npos; }

Shares shares_for(const Workload& w) {
  switch (w.family) {
    case Family::language:
    case Family::vision_language:
    case Family::seq2seq:
    case Family::encoder:
      if (w.method == "qlora") return kQlora;
      if (w.method != "full") return kLora;
      return w.params_b >= 0.9    ? kPretrainLarge
             : w.params_b >= 0.08 ? kPretrainMiddle
             : w.params_b >= 0.02 ? kPretrainSmall
                                  : kToy;
    case Family::diffusion:
      if (w.res.pixels() < 200 * 200)
        return {.05, .05, .05, .05, .06, .04};  // UNets on pixels, many small kernels
      return kDiffusion;
    case Family::speech:
      return w.params_b > 0.09 && w.method == "full" && !has(w, "whisper")
                 ? Shares{.1, .15, .12, .15, .15, .1}
                 : kSpeech;
    case Family::detection:
      if (has(w, "efficientdet")) return {.02, .015, .015, .012, .02, .008};
      if (has(w, "yolo")) {  // the larger ones fill the card better
        const double grow = std::clamp(std::sqrt(w.params_b / 0.01), 1.0, 2.0);
        return {.10 * grow, .10 * grow, .10 * grow, .08 * grow, .12 * grow, .05 * grow};
      }
      return kConvolution;
    case Family::vision:
      if (has(w, "efficientnet") || has(w, "mobilenet")) return kDepthwise;
      if (has(w, "vit") || has(w, "deit") || has(w, "dino") || has(w, "mae") || has(w, "swin") ||
          has(w, "beit") || has(w, "convnext"))  // of which most is matrix products too
        return kVisionTransformer;
      return kConvolution;
    case Family::segmentation:
      return kConvolution;
    case Family::other:
      break;
  }
  return kToy;
}

}  // namespace

Rate usual_rate(const Workload& w, const GpuModel& card) {
  const Generation generation = generation_of(card);
  Rate r;
  r.tflops = std::max(1.0, usable_peak(card));
  r.share = shares_for(w).of(generation);
  const bool text = w.family == Family::language || w.family == Family::vision_language ||
                    w.family == Family::seq2seq || w.family == Family::encoder;
  // Short batches leave the card waiting.
  const double tokens = w.batch * std::min(w.seq, w.avg_tokens.value_or(w.seq));
  if (text && w.task != "pretrain" && tokens < 600) r.share *= tokens < 250 ? 0.6 : 0.8;
  if (w.task == "train" && w.method == "full" && text) r.share *= 0.8;  // padding, evaluation, saving
  if (w.bits == "32") {  // no tensor cores before Ampere; TF32 since
    const bool before = generation == Generation::volta || generation == Generation::turing;
    // Winograd saves convolutional detectors a third of their multiplications.
    const bool winograd =
        w.family == Family::detection && (has(w, "rcnn") || has(w, "r-cnn") || has(w, "retina"));
    r.share = before ? (winograd ? 0.64 : 0.52) / 8 : generation == Generation::pascal ? 0.4 : r.share * 0.55;
  }
  r.small_work = w.params_b < 0.02 && text;
  return r;
}

double sharding_cost(const Workload& w) {
  if (w.shard == "zero3" || w.shard == "fsdp") return w.offload ? 0.4 : 0.78;
  if (w.shard == "pp") return 0.35;
  return 1;
}

double least_step_seconds(const Workload& w) {
  switch (w.family) {
    case Family::diffusion:
      return w.params_b < 3 ? 0.1 : 0.25;
    case Family::language:
    case Family::vision_language:
    case Family::seq2seq:
    case Family::encoder:
      return w.params_b < 0.02 ? 0.012 : 0.02 + 0.002 * w.shape.layers;
    case Family::speech:
      return 0.05;
    case Family::detection:
      return 0.06;
    default:
      return 0.015;
  }
}

}  // namespace vastgpu
