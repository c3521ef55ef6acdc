#pragma once
// The losses that a log tells: each reading of a line, and the curve of each loss over the run. The log is
// whatever the job wrote: nothing in it can make this slow or large. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

/// One loss that a line names, with what stands behind it.
struct LossReading {
  std::size_t from = 0, to = 0;  ///< of its name in the line: "loss", "train_loss", "val/mlm-loss"
  std::optional<double> value;   ///< absent: NaN or infinite
  bool infinite = false;
};
/// All of a line. A gradient norm, a loss scale and a word that is only quoted are none.
std::vector<LossReading> losses_of(std::string_view line);

struct LossPoint {
  double at = 0;                ///< in the curve's `counts`
  std::optional<double> value;  ///< absent: no number there (NaN, infinite)
};

struct LossCurve {
  std::string name;          ///< "train loss", cleaned
  std::string counts;        ///< what `at` counts: "step", "epoch", or "reading" where the log counts neither
  std::size_t readings = 0;  ///< that the log holds; more than `points` where they were thinned out
  std::size_t no_numbers = 0;     ///< of them were NaN or infinite
  std::vector<LossPoint> points;  ///< in the order of the log
};

constexpr std::size_t kMostCurves = 3, kMostLossPoints = 40;

/// At most kMostCurves, those with the most readings, of two readings or more; at most kMostLossPoints + 1
/// points each: thinned out evenly, the first and the last kept, and no place without a number is lost.
/// `whole`: the log begins where `log` does; else the first line is a part of one and is left out.
std::vector<LossCurve> loss_curves(std::string_view log, bool whole);

}  // namespace vastgpu
