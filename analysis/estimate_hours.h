#pragma once
// How long one run takes on a card: work divided by what such work usually reaches on it. Pure; any thread.
// @source estimation.md section 6

#include <optional>
#include <string>
#include <vector>

#include "analysis/workload.h"
#include "core/gpu_table.h"
#include "core/units.h"

namespace vastgpu {

/// Wall clock of all runs one after another on `gpus` of one card, without set-up.
struct HoursEstimate {
  Hours low{}, likely{}, high{};
  std::string how;                   ///< "4.0e17 FLOP at 0.22 of 71 TFLOPS x 1"
  std::vector<std::string> assumed;  ///< of the amount of work: "samples"
  bool scales_with_card = true;      ///< false: toy or loader-bound work, which a faster card hardly shortens
};

/// nullopt when the amount of work is not known: `missing` then names the one fact that would settle it.
std::optional<HoursEstimate> estimate_hours(const Workload& w, const GpuModel& card, int gpus,
                                            std::string* missing);

/// The card a name means, however it is written: "A100 SXM4", "NVIDIA A100-SXM4-80GB", "V100"; nullptr for
/// none.
const GpuModel* card_named(std::string_view name);

}  // namespace vastgpu
