#pragma once
// The GPU-hours of a plan: its stated total, or the costs of its milestones. Used by the plan reader only.
// Pure; any thread.

#include <vector>

#include "analysis/plan.h"

namespace vastgpu {

/// `gpus`: of the hardware line, 1 where it names none.
PlanHours read_plan_hours(const std::vector<MarkLine>& lines, int gpus);

}  // namespace vastgpu
