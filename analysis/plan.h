#pragma once
// EXPERIMENT_PLAN.md: hours, hardware, models, data and what must run, each with its line. Both English
// shapes, the Chinese template, and what people make of them. Numbers are taken as written; the few that are
// computed (steps by rate, hours by GPUs) say how. Pure apart from `read_plan`.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/bounded_files.h"
#include "analysis/hardware.h"
#include "analysis/markdown.h"
#include "analysis/model_rules.h"
#include "core/json.h"

namespace vastgpu {

struct PlanNumber {
  double low = 0;  ///< of a range; equal to `high` otherwise
  double high = 0;
  int line = 0;
  bool assumed = false;  ///< bare hours taken for GPU-hours
  std::string how = {};  ///< set where it was computed: "120000 steps / 3.1 per s x 4 GPUs x 2 runs"
};

/// One row of a cost table, one block with its own hours, or one list item.
struct PlanCost {
  std::string name;  ///< "M1: Baselines"
  std::string key;   ///< "m1"
  PlanNumber gpu_hours;
  bool cumulative = false;  ///< what came before is included
  bool optional = false;    ///< NICE-TO-HAVE, conditional, 可选
};

struct PlanHours {
  std::optional<PlanNumber> total;         ///< as stated; GPU-hours
  bool total_is_rest = false;              ///< "remaining": part of the costs is spent already
  std::optional<PlanNumber> must_run;      ///< as stated, without what is nice to have
  std::optional<PlanNumber> with_reserve;  ///< total and contingency together
  std::optional<PlanNumber> ceiling;       ///< what may not be exceeded: no estimate
  std::optional<PlanNumber> wall;          ///< wall-clock hours of everything, as stated or computed
  std::vector<PlanCost> costs;
  std::vector<std::string> unread;  ///< milestones whose cost holds no number
  bool sum_is_partial = false;      ///< then the sum is no estimate
  std::vector<std::string> warnings;

  std::optional<PlanNumber> sum() const;  ///< of `costs`; nullopt when there are none or they are partial
  std::optional<double> must_run_sum() const;  ///< without the optional ones, when there are some
};

struct PlanHardware {
  /// Of alternatives the fastest: hours that are moved to other cards stay on the safe side.
  GpuMention card;
  std::optional<int> gpus;  ///< that may be used
  double vram_gib = 0;      ///< of one card; of alternatives the smallest
  bool alternatives = false;
  int line = 0;
};

/// One card of a plan, as a reader lists it.
struct PlanCard {
  GpuMention card;
  std::optional<int> count;
  int line = 0;
};

struct PlanModel {
  ModelMention model;
  Method method = Method::unknown;
  Precision precision = Precision::unknown;
  int line = 0;
};

struct PlanDataset {
  std::string name;  ///< as written
  std::optional<double> gb;
  int line = 0;
};

struct Plan {
  std::string source;  ///< "refine-logs/EXPERIMENT_PLAN.md"; empty when there is no plan
  PlanHours hours;
  std::optional<PlanHardware> hardware;
  std::vector<PlanCard> cards;  ///< all of `hardware`
  bool needs_no_gpu = false;    ///< "CPU only"
  int no_gpu_line = 0;
  std::optional<PlanNumber> gpus;          ///< "4 GPUs" in set-up details, or a launch line
  std::optional<PlanNumber> gpus_per_run;  ///< said in so many words
  std::optional<PlanNumber> runs;          ///< "36 runs", "both runs"
  std::optional<PlanNumber> seeds;
  std::optional<PlanNumber> measured_gib;  ///< "peak 31 GiB", per GPU
  std::optional<PlanNumber> min_vram_gib;  ///< "at least 40 GB VRAM", else the size written beside the card
  std::optional<PlanNumber> data_gb;
  std::optional<PlanNumber> disk_gb;
  std::optional<std::string> dataset;  ///< a known one, the largest
  int dataset_line = 0;
  std::vector<PlanDataset> datasets;
  std::optional<int> bf16_line;
  std::vector<PlanModel> models;
  std::vector<std::string> scripts;  ///< of its run lines
  std::vector<std::string> notes;    ///< how the file was found

  std::string at(int line) const { return source + " line " + std::to_string(line); }
};
void to_json(json& j, const Plan& plan);

/// From refine-logs/, else from the root: the fixed name, else its newest dated copy. A file of a few bytes
/// that names another file of the project is followed.
Plan read_plan(ProjectFiles& files);
/// At most 300 kB of `text` are read.
Plan parse_plan(std::string_view text, std::string source);

}  // namespace vastgpu
