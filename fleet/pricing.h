#pragma once
// What an offer costs for some hours. Pure functions.

#include "core/rental.h"
#include "market/offer.h"

namespace vastgpu {

/// What will cross the wire, in guesses that are shown as such.
struct TrafficGuess {
  Gigabytes down{10};  ///< image layers (about 8 GB compressed for a devel image) and packages
  Gigabytes up{2};     ///< results, logs, a few checkpoints
};

struct CostBreakdown {
  Usd gpu, disk, traffic, total;
};

/// GPU and disk for `running`, plus traffic once. Boot time bills disk only and is inside `running` here:
/// never too low.
CostBreakdown cost_of(const Offer& offer, Hours running, const TrafficGuess& traffic);

/// How long to lease for work that takes `work` (headroom included); four hours when nobody knows.
/// Boot (15 min) and setup come on top of the work, and a tenth in reserve; never below one hour.
Hours lease_for(std::optional<Hours> work);

/// What a stopped machine goes on costing for its disk.
Usd disk_cost_per_day(const Offer& offer, Gigabytes disk);

/// Measured training speed of all its GPUs relative to one RTX 3090; from the table, else from DLPerf; 0
/// unknown.
double relative_speed(const Offer& offer);

}  // namespace vastgpu
