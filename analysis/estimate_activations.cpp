// What a forward pass keeps for the backward pass.

#include <algorithm>
#include <cmath>

#include "analysis/estimate_parts.h"

namespace vastgpu {
namespace {

double width_factor(const Workload& w) { return w.bits == "32" ? 2 : w.bits == "16mixed" ? 1.2 : 1; }

/// Bytes that one token leaves in one layer, 16-bit.
double per_token(const Workload& w) {
  const double h = w.shape.hidden;
  const bool frozen = w.method != "full";
  const double mlp = 6 * w.shape.ffn * (frozen ? 0.8 : 1);
  const double dora = w.method == "dora" ? 1.3 : 1;
  if (w.family == Family::encoder) return 34 * h;
  return (16 * h + mlp) * dora;
}

double transformer(const Workload& w, double tokens, double layers) {
  const double all = 1.15 * tokens * layers * per_token(w) / 1e9;
  if (!w.gc) return all;
  return std::min(all, tokens * layers * w.shape.hidden * 2 / 1e9 + 1.5 * all / std::max(1.0, layers));
}

double area(const Workload& w, double of_side) { return w.res.pixels() / (of_side * of_side); }

}  // namespace

Activations language_activations(const Workload& w) {
  const double times = w.rl == "dpo" || w.rl == "kto" || w.rl == "reward" || w.rl == "orpo" ? 2 : 1;
  const double tokens = w.batch * w.seq * times;
  Activations a;
  a.saved = transformer(w, tokens, w.shape.layers) * width_factor(w);
  if (w.family == Family::encoder && !w.flash && !w.gc)
    a.saved += 5 * w.shape.heads * w.seq * w.seq * w.batch * w.shape.layers / 1e9 * width_factor(w);
  if (w.shard == "pp" || w.shard == "tp") a.saved /= std::sqrt(static_cast<double>(w.gpus));
  if (w.family == Family::vision_language && w.card != nullptr)  // the picture's own tower, frozen as a rule
    a.saved += 0.3 * w.card->vision_params_b;
  // 16-bit logits, their fp32 copy and the gradients of both; fused losses never hold them whole, and
  // trainers that pack samples usually compute the loss in chunks.
  const double bytes = w.liger ? 1 : w.packed ? 5 : 10;
  if (w.family != Family::encoder) a.logits = bytes * tokens * w.shape.vocab / 1e9;
  if (w.shard == "tp") a.logits /= w.gpus;
  return a;
}

Activations image_activations(const Workload& w) {
  Activations a;
  const bool amp = w.bits == "16mixed" || w.bits == "16";
  const double images = w.batch * w.views * w.res.frames;
  if (w.family == Family::detection) {
    if (w.model.find("vit") != std::string::npos) {  // plain transformer backbones at full resolution
      Workload net = w;
      net.shape = usual_shape(w.params_b * 0.85, Family::vision);
      const double tokens = w.res.pixels() / 256;
      const double layers = net.shape.layers;
      const double global = 4 * 5 * net.shape.heads * tokens * tokens / 1e9;  // four blocks attend globally
      a.saved = w.batch * (34 * tokens * net.shape.hidden * layers / 1e9 * (amp ? 1.2 : 2) + global + 2);
      return a;
    }
    if (w.model.find("yolo") != std::string::npos || w.params_b < 0.02) {
      const double gflops = w.card != nullptr && w.card->fwd_gflops > 0 ? w.card->fwd_gflops
                            : w.fwd_gflops > 0                          ? w.fwd_gflops
                                                                        : 2'700 * w.params_b;
      a.saved = images * 0.11 * std::pow(gflops / 8.7, 0.6) * area(w, 640) * (amp ? 1 : 1.7);
      return a;
    }
    const double size = std::clamp(w.params_b / 0.044, 0.7, 8.0);
    a.saved = images * 1.25 * size * w.res.pixels() / (800 * 1333) * (amp ? 0.65 : 1);
    return a;
  }
  if (w.family == Family::segmentation) {
    a.saved =
        images * 1.2 * std::sqrt(std::clamp(w.params_b / 0.031, 0.3, 30.0)) * area(w, 512) * (amp ? 0.6 : 1);
    return a;
  }
  double millions = 0;  // saved values of one picture
  if (w.card != nullptr && w.card->activations_m > 0)
    millions = w.card->activations_m * w.res.pixels() / (w.card->img_size * w.card->img_size);
  else if (w.model.find("vit") != std::string::npos || w.model.find("dino") != std::string::npos ||
           w.params_b > 0.2)
    millions = 17 * w.res.pixels() / 256 * w.shape.hidden * w.shape.layers / 1e6;
  else if (w.fwd_gflops > 0)
    millions = 1.35 * w.fwd_gflops;
  else
    millions = 11 * std::sqrt(std::clamp(w.params_b / 0.0256, 0.05, 20.0)) * area(w, 224);
  a.saved = images * millions * 1e6 * 4 * 2 * 0.85 / 1e9 * (amp ? 0.6 : 1);
  if (w.gc) a.saved *= 0.3;
  return a;
}

Activations diffusion_activations(const Workload& w) {
  Activations a;
  const double wide = w.bits == "32" ? 1.7 : 1;
  const double open = w.gc ? 1 : 4;  // recomputing keeps about a quarter
  // Transformers: a picture of 512 x 512 leaves as much as in a UNet at least.
  const double picture = w.batch *
                         std::max(w.params_b < 3 ? 0 : 1.25, 2.2 * std::pow(w.params_b / 11.9, 2.0 / 3)) *
                         area(w, 512);
  if (w.res.frames > 1) {
    const double latents = (w.res.frames + 3) / 4 * w.res.pixels() / 256;
    a.saved = w.batch * 12 * std::pow(w.params_b / 5.57, 0.6) * latents / 17'550 * wide * open;
  } else if (w.params_b < 3 &&
             (w.card == nullptr || w.card->id.starts_with("sd") || w.card->id.starts_with("control"))) {
    const double size = w.card != nullptr || w.params_b > 0.3 ? 1 : std::sqrt(w.params_b / 0.86);
    a.saved = w.batch * 1.25 * size * area(w, 512) * wide * open;  // convolutional UNets: 5 GB open at 512
  } else {
    a.saved = picture * wide * open;
  }
  return a;
}

Activations speech_activations(const Workload& w) {
  Activations a;
  Workload net = w;
  if (net.shape.ffn < 3 * net.shape.hidden) net.shape.ffn = 4 * net.shape.hidden;
  const bool encoder_decoder = w.model.find("whisper") != std::string::npos;
  const double frames = encoder_decoder ? 1500 : 750;  // 30 s and 15 s at 50 frames per second
  const double layers =
      encoder_decoder ? w.shape.layers / 2.0 : w.shape.layers;  // the table counts both halves
  a.saved = transformer(net, w.batch * frames, layers) * width_factor(w);
  if (encoder_decoder) {
    a.saved += transformer(net, w.batch * w.seq, layers) * width_factor(w);
    a.logits = 10 * w.batch * w.seq * 51'865 / 1e9;
  } else {
    a.saved += 0.15 * w.batch * width_factor(w);  // the convolutions on raw audio
  }
  return a;
}

}  // namespace vastgpu
