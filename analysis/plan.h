#pragma once
// EXPERIMENT_PLAN.md: hours, hardware, models and what must run, each with its line. Both English shapes and
// the Chinese template. Numbers are taken as written; nothing is inferred here. Pure apart from `read_plan`.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/bounded_files.h"
#include "analysis/hardware.h"
#include "analysis/markdown.h"
#include "analysis/model_rules.h"

namespace vastgpu {

struct PlanNumber {
  double low = 0;  ///< of a range; equal to `high` otherwise
  double high = 0;
  int line = 0;
  bool assumed = false;  ///< bare hours taken for GPU-hours
};

/// One row of a cost table, one block with its own hours, or one list item.
struct PlanCost {
  std::string name;  ///< "M1: Baselines"
  std::string key;   ///< "m1"
  PlanNumber gpu_hours;
  bool cumulative = false;  ///< what came before is included
  bool optional = false;    ///< NICE-TO-HAVE, 可选
};

struct PlanHours {
  std::optional<PlanNumber> total;  ///< as stated; GPU-hours
  bool total_is_rest = false;       ///< "remaining": part of the costs is spent already
  std::vector<PlanCost> costs;
  std::vector<std::string> unread;  ///< milestones whose cost holds no number
  bool sum_is_partial = false;      ///< then the sum is no estimate
  std::vector<std::string> warnings;

  std::optional<PlanNumber> sum() const;  ///< of `costs`; nullopt when there are none or they are partial
  std::optional<double> must_run_sum() const;  ///< without the optional ones, when there are some
};
PlanHours read_plan_hours(const std::vector<MarkLine>& lines);

struct PlanHardware {
  GpuMention
      card;  ///< of alternatives the fastest: hours that are moved to other cards stay on the safe side
  std::optional<int> gpus;  ///< that may be used
  double vram_gib = 0;      ///< of one card; of alternatives the smallest
  bool alternatives = false;
  int line = 0;
};

struct PlanModel {
  ModelMention model;
  Method method = Method::unknown;
  Precision precision = Precision::unknown;
  int line = 0;
};

struct Plan {
  std::string source;  ///< "refine-logs/EXPERIMENT_PLAN.md"; empty when there is no plan
  PlanHours hours;
  std::optional<PlanHardware> hardware;
  std::optional<PlanNumber> gpus;          ///< "4 GPUs" in set-up details, or a launch line
  std::optional<PlanNumber> measured_gib;  ///< "peak 31 GiB", per GPU
  std::optional<PlanNumber> data_gb;
  std::optional<std::string> dataset;  ///< a known one
  int dataset_line = 0;
  std::optional<int> bf16_line;
  std::vector<PlanModel> models;
  std::vector<std::string> scripts;  ///< of its run lines

  std::string at(int line) const { return source + " line " + std::to_string(line); }
};

/// From refine-logs/, else from the root.
Plan read_plan(ProjectFiles& files);
Plan parse_plan(std::string_view text, std::string source);

}  // namespace vastgpu
