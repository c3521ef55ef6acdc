// Weights, gradients and optimizer states.

#include <algorithm>
#include <map>

#include "analysis/estimate_parts.h"

namespace vastgpu {
namespace {

bool trains_all(const Workload& w) { return w.method == "full"; }

/// Bytes per trained parameter of the optimizer's states, when they are kept in 32 (16) bits.
double state_bytes(const std::string& opt, bool wide) {
  static const std::map<std::string, std::pair<double, double>> kStates{
      {"adamw", {8, 4}},     {"adamw8bit", {2, 2}}, {"sgd", {0, 0}},      {"momentum", {4, 2}},
      {"adafactor", {1, 1}}, {"lion", {4, 2}},      {"lion8bit", {1, 1}}, {"muon", {5, 3}},
      {"galore", {2, 1}},    {"prodigy", {12, 6}},  {"apollo", {1, 1}},   {"none", {0, 0}}};
  const auto found = kStates.find(opt);
  return found == kStates.end() ? (wide ? 8 : 4) : wide ? found->second.first : found->second.second;
}

/// Embedding and head stay in 16 bits when the rest is quantised; one matrix where they are shared.
double embeddings_b(const Workload& w) {
  if (w.shape.vocab <= 0 || w.family == Family::diffusion) return 0;
  const double one = w.shape.vocab * w.shape.hidden / 1e9;
  const double both = w.params_b < 4.5 ? one : 2 * one;  // small models share them
  return std::min(both, 0.5 * w.params_b);
}

double adapter_gb(const Workload& w) {
  const double bytes = 16;  // fp32 weights, gradients and two states
  if (w.method == "prefix") return 0.05;
  if (w.shape.hidden <= 0 || w.family == Family::diffusion)  // about 2.3 M parameters per rank in a 12 B DiT
    return w.rank * 1.2e-3 * std::sqrt(std::max(0.1, w.params_b)) * bytes / 16 * 1.2;
  const double h = w.shape.hidden;
  const double per_layer = 4 * 2 * h + (h + w.shape.ffn) * 3;
  const double share = 0.6;  // recipes adapt attention alone about as often as everything
  return w.rank * per_layer * w.shape.layers * bytes * share / 1e9;
}

/// The network itself.
double base_gb(const Workload& w) {
  const double p = w.params_b;
  if (w.bits == "16") return 2 * p;
  if (w.bits == "32" || w.bits == "16mixed") return (trains_all(w) || w.bits == "32" ? 4 : 2) * p;
  const double kept = w.family == Family::diffusion ? 0 : embeddings_b(w);
  return bytes_of(w.bits) * (p - kept) + 2 * kept;
}

}  // namespace

double bytes_of(const std::string& bits) {
  static const std::map<std::string, double> kBytes{{"2", 0.34}, {"3", 0.48},    {"4", 0.56},
                                                    {"5", 0.69}, {"6", 0.82},    {"8", 1.05},
                                                    {"16", 2},   {"16mixed", 2}, {"32", 4}};
  const auto found = kBytes.find(bits);
  return found == kBytes.end() ? 2 : found->second;
}

States states_of(const Workload& w) {
  const double p = w.params_b;
  States s;
  s.weights = base_gb(w);
  if (trains_all(w)) {
    const bool wide = w.bits == "32" || w.bits == "16mixed";
    s.gradients = (wide ? 4 : 2) * p;
    s.optimizer = state_bytes(w.opt, wide) * p;
    if (w.bits == "16mixed") {
      const bool own_master = w.shard.starts_with("zero") || w.shard == "tp" || w.shard == "pp";
      if (own_master) {  // 16-bit weights and gradients, the fp32 copy lies with the optimizer
        s.weights = 2 * p;
        s.gradients = 4 * p;  // accumulated in fp32
        s.optimizer += 4 * p;
      } else {
        s.weights += p > 0.3 ? 2 * p : 0;  // autocast keeps 16-bit copies of what it casts
      }
    }
    if (w.opt_in_backward) {
      s.gradients = 0.1 * p;
      if (w.opt == "adamw8bit") s.optimizer = 0.3 * p;  // paged to the host
    }
  } else if (w.method == "head") {
    s.extras = std::min(0.05, 2 * p);
  } else {
    s.extras = adapter_gb(w);
  }

  // The frozen reference of preference training, and the other models of PPO.
  if (w.rl == "dpo" || w.rl == "kto" || w.rl == "grpo")
    s.weights += trains_all(w) ? 2 * p : 0;  // adapters are switched off instead of copied
  if (w.rl == "ppo") s.weights += (trains_all(w) ? 3 : 1) * 2 * p;

  // Quantised matrices are unpacked to 16 bits, two at a time, wherever they are used.
  // Of a small model that is no more than what quantising saves.
  if (w.bits == "4" || w.bits == "8")
    s.extras += std::min(2 * 2 * w.shape.hidden * w.shape.ffn / 1e9 + 0.3, std::max(0.0, 2 * p - base_gb(w)));

  const double n = w.gpus;
  const double layer = w.shape.layers > 0 ? p / w.shape.layers : p / 30;
  if (n > 1 && (w.shard == "zero3" || w.shard == "fsdp")) {
    // Two layers and the buckets; never more than the whole model.
    s.gathers =
        std::min(2 * bytes_of(w.bits) * layer + (w.shard == "zero3" ? 1.5 : 0.5), bytes_of(w.bits) * p);
    s.weights /= n;
    s.gradients /= n;
    s.optimizer /= n;
  } else if (n > 1 && (w.shard == "zero1" || w.shard == "zero2")) {
    if (w.shard == "zero2") s.gradients /= n;
    s.optimizer /= n;
    s.gathers = std::min(1.5, p);
  } else if (n > 1 && (w.shard == "tp" || w.shard == "pp")) {
    s.weights /= n;
    s.gradients /= n;
    s.optimizer /= n;
    s.extras /= n;
    s.gathers = 0.5;
  } else if (n > 1 && trains_all(w)) {
    s.gathers = std::min(0.5, 4 * p);  // gradient buckets
  }
  if (w.offload) {  // states go; whether weights go too is not said, so half of them
    s.optimizer = 0;
    if (w.shard == "fsdp" || w.shard == "zero3") s.weights /= 2;
  }
  s.weights = std::max(0.1 * s.weights, s.weights - 0.4 * w.blocks_to_swap);
  return s;
}

double rollout_engine(const Workload& w) {
  const bool serves =
      w.engine.find("vllm") != std::string::npos || w.engine.find("sglang") != std::string::npos;
  if (!serves || (w.rl != "grpo" && w.rl != "ppo")) return 0;
  constexpr double kOneGpu = 40;  // a larger copy is spread, a smaller one lies whole on every GPU
  constexpr double kCache = 2;
  const double copy = (w.bits == "4" || w.bits == "8" ? bytes_of(w.bits) : 2) * w.params_b;
  return std::min(copy, std::max(copy / w.gpus, kOneGpu)) + kCache;
}

double frozen_companions(const Workload& w) {
  if (w.family != Family::diffusion) return 0;
  const double pipeline = w.card != nullptr ? w.card->pipeline_params_b : 0;
  const double others = pipeline > w.params_b ? pipeline - w.params_b : 0;
  if (w.te_cached) return 0;
  const double width = w.bits == "32" ? 4 : 2;
  return others * width;
}

}  // namespace vastgpu
