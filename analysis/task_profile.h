#pragma once
// What a task needs, and where each number came from. Plain values; any thread.

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/units.h"

namespace vastgpu {

/// One number and its origin. Rank 1 is the user's own word, 8 a default.
/// @source estimation.md section 1
struct Evidence {
  std::string quantity;  ///< "vram_gib", "gpu_hours", "hours", "gpus", "disk_gb", "cuda", "image"...
  json value;            ///< as found, without headroom
  std::string source;  ///< "user", "refine-logs/EXPERIMENT_PLAN.md line 42", "train.py:17", "rule of thumb",
                       ///< "default"
  int rank = 8;
  bool guess = false;                  ///< marked as a guess wherever it is shown
  std::vector<std::string> overruled;  ///< "plan, line 12: 80 GB"
  double headroom = 1;                 ///< the profile holds value x headroom
};
void to_json(json& j, const Evidence& e);

struct TaskProfile {
  std::string task;                  ///< the user's sentence, cleaned
  std::optional<std::string> model;  ///< as found: "Llama-2-7B"
  std::optional<double> params_b;    ///< billions
  Gibibytes vram{8};                 ///< needed per GPU, headroom of 20 % included
  int gpus = 1;
  std::optional<Hours>
      gpu_hours;               ///< stated or computed, over all runs, without headroom; unknown stays unknown
  std::optional<Hours> hours;  ///< wall clock on the reference card x gpus, headroom of 30 % included
  bool hours_without_card =
      false;  ///< the user said hours and named no card: a lease is never cut below them
  std::string reference_gpu =
      "RTX 3090";  ///< the card that `hours` is for (the plan's own card where it names one)
  Gigabytes disk{50};
  double min_cuda = 12.1;
  int min_compute_cap = 0;  ///< 800 when bf16 is needed
  int max_compute_cap = 0;  ///< 0: none; 900 when the image's torch cannot drive newer cards
  std::string image = "pytorch/pytorch:2.1.0-cuda12.1-cudnn8-devel";
  bool image_is_default = true;
  std::optional<std::string> newer_image;  ///< for cards that the default image cannot drive; unset where
                                           ///< image or torch was chosen on purpose
  bool checkpoints = false;                ///< the work seems to save and resume
  std::optional<json> plan;  ///< the facts of EXPERIMENT_PLAN.md, each with its line; unset without a plan
  std::vector<Evidence> evidence;
  std::vector<std::string> unknown;   ///< what could not be known, with the one fact that would settle it
  std::vector<std::string> warnings;  ///< skipped files, contradictions
};
void to_json(json& j, const TaskProfile& p);

}  // namespace vastgpu
