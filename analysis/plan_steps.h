#pragma once
// Hours that a plan gives only as work and rate: "120K steps at 3.1 steps/s on 4 cards, both runs". Used by
// the plan reader only. Pure; any thread.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/markdown.h"
#include "analysis/plan.h"

namespace vastgpu {

struct ComputedHours {
  PlanNumber gpu_hours;
  PlanNumber wall;  ///< of one run: runs are taken to go side by side where the plan gives each its cards
  std::string key;  ///< of the heading it stands under
  std::string name;
  int section = 0;
};

/// One per section that gives work and rate and states no hours itself. `gpus` stands in where the section
/// says nothing about cards.
std::vector<ComputedHours> compute_hours(const std::vector<MarkLine>& lines, int gpus);

}  // namespace vastgpu
