#pragma once
// One run as the estimators see it: every setting has a value, and those that nobody stated are named in
// `assumed`. Plain values; any thread.

#include <optional>
#include <string>
#include <vector>

#include "analysis/claim.h"
#include "analysis/model_catalog.h"

namespace vastgpu {

/// Pixels of one sample; `frames` above 1 for video.
struct Resolution {
  double width = 0, height = 0;
  double frames = 1;
  double pixels() const { return width * height; }
  bool known() const { return width > 0; }
};
/// "512", "800x1333", "224x8" (side x frames), "49x480x720", "video" (49 frames of 480 x 720), "704px".
std::optional<Resolution> read_resolution(const std::string& text);

struct Workload {
  std::string task = "train";   ///< train, pretrain, infer
  std::string method = "full";  ///< as in the table of settings
  std::string model;            ///< as named; may be empty
  Family family = Family::other;
  const ModelCard* card = nullptr;
  double params_b = 0;
  double active_params_b = 0;
  Geometry shape;

  std::string bits = "16";  ///< 2 to 8, 16, 16mixed, 32
  std::string opt = "adamw";
  std::string shard = "none";
  int gpus = 1;
  bool gc = false, flash = false, packed = false, liger = false, te_cached = false, offload = false;
  bool opt_in_backward = false;
  double rank = 8;
  double batch = 1;  ///< per GPU and micro batch
  double seq = 1024;
  Resolution res;
  double views = 1;
  double fwd_gflops = 0;  ///< of one sample at `res`; 0 unknown
  std::string engine;
  std::string rl;
  double blocks_to_swap = 0;
  double memory_utilization = 0.9;  ///< of vLLM

  // How much work; nullopt where nobody says.
  std::optional<double> epochs, samples, steps, tokens, avg_tokens, new_tokens;
  double grad_accum = 1;
  std::optional<double> global_batch;
  double runs = 1;

  std::vector<std::string> assumed;  ///< settings that nobody stated
  bool trains() const { return task != "infer"; }
  bool assumes(std::string_view setting) const;
};

/// nullopt when nothing says how large the model is. `words`: the user's sentence and what else may tell the
/// kind of network.
std::optional<Workload> make_workload(const ClaimBook& claims, const std::string& words);

}  // namespace vastgpu
