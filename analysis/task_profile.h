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

/// Another way to hold the work in memory: computed, never a guess.
struct MemoryAlternative {
  std::string how;  ///< "8-bit optimizer", "LoRA instead of full", "sharded over 4 GPUs"
  Gibibytes vram;   ///< needed per GPU then, headroom included
  int gpus = 1;     ///< on one machine
};

/// Wall clock without headroom.
struct HoursRange {
  Hours low{}, likely{}, high{};
};

struct TaskProfile {
  std::string task;                  ///< the user's sentence, cleaned
  std::optional<std::string> model;  ///< as found: "Llama-2-7B"
  std::optional<double> params_b;    ///< billions
  Gibibytes vram{8};                 ///< what to rent for: per GPU, headroom included
  Gibibytes vram_low{4}, vram_likely{6.5};
  int gpus = 1;
  bool one_machine = false;  ///< several GPUs that must be on one machine, since they work on one run
  std::optional<Hours>
      gpu_hours;               ///< stated or computed, over all runs, without headroom; unknown stays unknown
  std::optional<Hours> hours;  ///< wall clock on the reference card x gpus, headroom of 30 % included
  std::optional<HoursRange> hours_range;
  bool hours_without_card =
      false;  ///< the user said hours and named no card: a lease is never cut below them
  std::string reference_gpu =
      "RTX 3090";                ///< the card that `hours` is for (the plan's own card where it names one)
  bool scales_with_card = true;  ///< false: toy or loader-bound work that a faster card hardly shortens
  Gigabytes disk{50};
  Gigabytes download{10};  ///< what crosses the wire to the machine: image layers, packages, models, data
  Gigabytes upload{2};     ///< what comes home: results, logs, a few checkpoints
  std::optional<Gigabytes> host_ram;  ///< memory of the host that the work needs (offloading)
  double min_cuda = 12.1;
  int min_compute_cap = 0;  ///< 800 when bf16 is needed
  int max_compute_cap = 0;  ///< 0: none; 900 when the image's torch cannot drive newer cards
  std::string image = "pytorch/pytorch:2.1.0-cuda12.1-cudnn8-devel";
  bool image_is_default = true;
  std::optional<std::string> newer_image;  ///< for cards that the default image cannot drive; unset where
                                           ///< image or torch was chosen on purpose
  bool checkpoints = false;                ///< the work seems to save and resume
  std::vector<MemoryAlternative> memory_alternatives;  ///< what would need less memory on a card, if any
  std::optional<json> plan;  ///< the facts of EXPERIMENT_PLAN.md, each with its line; unset without a plan
  std::vector<Evidence> evidence;
  std::vector<std::string> unknown;   ///< what could not be known, with the one fact that would settle it
  std::vector<std::string> warnings;  ///< skipped files, contradictions
};
void to_json(json& j, const TaskProfile& p);

}  // namespace vastgpu
