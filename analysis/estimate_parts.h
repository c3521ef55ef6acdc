#pragma once
// The parts that a memory estimate is made of, all in 10^9 bytes per GPU. For estimate_memory alone. Pure.

#include "analysis/workload.h"

namespace vastgpu {

struct States {
  double weights = 0, gradients = 0, optimizer = 0, extras = 0, gathers = 0;
};
/// Weights, gradients, optimizer states, adapters and what sharding gathers.
States states_of(const Workload& w);

/// What the forward pass saves for the backward pass, and what the loss needs.
struct Activations {
  double saved = 0, logits = 0;
};
Activations language_activations(const Workload& w);
Activations image_activations(const Workload& w);  ///< vision, detection, segmentation
Activations diffusion_activations(const Workload& w);
Activations speech_activations(const Workload& w);

/// Text encoders and VAE that stay on the GPU while a diffusion model trains.
double frozen_companions(const Workload& w);

/// A server that generates while the same GPUs train: a copy of the weights and a small cache.
double rollout_engine(const Workload& w);

/// Peak of inference, everything included, before the context.
struct Inference {
  double weights = 0, cache = 0, working = 0;
};
Inference inference_of(const Workload& w);

/// Bytes per parameter of a 16-bit, 8-bit, 4-bit... weight that is not trained.
double bytes_of(const std::string& bits);

}  // namespace vastgpu
