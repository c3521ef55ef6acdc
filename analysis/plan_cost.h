#pragma once
// What one cell or one value says about GPU time: "~6 (1.5h x 4 GPUs)", "3 seeds x 2h", "4h on 2x A100", "<1
// CPUh". Used by the plan reader only. Pure; any thread.

#include <optional>
#include <string_view>

#include "analysis/plan.h"

namespace vastgpu {

struct ColumnUnit {
  bool bare_numbers = false;  ///< the head names the unit, so a number alone is hours
  bool gpu = false;           ///< and it is GPU time
  double factor = 1;          ///< of a bare number
};

struct Cost {
  enum class Reading { nothing, hours, absurd };
  Reading reading = Reading::nothing;
  PlanNumber gpu_hours = {};                  ///< `assumed` where bare hours stand
  bool wall = false;                          ///< said to be wall-clock time, of an unknown number of GPUs
  bool each = false;                          ///< of one run out of several
  std::optional<PlanNumber> wall_hours = {};  ///< said beside the GPU-hours: "(36.5h wall-clock)"
};

/// `t` went through `plain`.
Cost read_cost(std::string_view t, const ColumnUnit& column, int line);

/// "(must-run 960, optional 320)" beside a total.
std::optional<PlanNumber> must_in(std::string_view value, int line);
/// "(hard ceiling 80)" beside an estimate: the first amount that words of a limit introduce or close.
std::optional<PlanNumber> limit_in(std::string_view value, int line);

}  // namespace vastgpu
