#pragma once
// How long work takes on an offer and what that costs. Pure functions.

#include "analysis/task_profile.h"
#include "core/rental.h"
#include "market/offer.h"

namespace vastgpu {

/// What will cross the wire, in guesses that are shown as such.
struct TrafficGuess {
  Gigabytes down{10};  ///< image layers (about 8 GB compressed for a devel image), packages, models, data
  Gigabytes up{2};     ///< results, logs, a few checkpoints
};

struct CostBreakdown {
  Usd gpu, disk, traffic;
  Usd boot;  ///< the GPU while the machine starts and fetches what it needs
  Usd total;
};

/// The three stretches of a rental.
struct Timing {
  Hours start{};  ///< from create until the work can begin
  Hours work{};
  Hours lease{};  ///< the disk is billed all along
};

/// GPU for the start and the work, disk over the whole lease, traffic once. The marketplace bills the GPU
/// only once the container runs; what counts as loading cannot be known beforehand, so the start is billed in
/// full: never too low. Of an interruptible offer the GPU's part is what we bid.
CostBreakdown cost_of(const Offer& offer, const Timing& timing, const TrafficGuess& traffic);

/// Of all its GPUs, without the disk: what is billed by the hour while it runs.
UsdPerHour gpu_price(const Offer& offer);

/// The same when everything runs for `running`: the worst case of a lease.
CostBreakdown cost_of(const Offer& offer, Hours running, const TrafficGuess& traffic);

/// From create until the work can begin: boot, and the download at the host's own speed.
Hours start_time(const Offer& offer, Gigabytes download);

/// How long to lease for work that takes `work` (headroom included); four hours when nobody knows. The start
/// and the setup (a quarter of an hour) come on top of the work, and a tenth in reserve; never below one
/// hour.
Hours lease_for(std::optional<Hours> work, Hours start = Hours(0.25));

/// The profile's hours on this offer's cards; unknown when the profile's are. Work that does not scale with
/// the card gains and loses little by another one.
std::optional<Hours> work_on(const Offer& offer, const TaskProfile& profile);

/// What has to be bid for the GPUs so that they run; the offer is one of a search for bids. The disk is not
/// part of a bid.
UsdPerHour bid_floor(const Offer& bid_offer);

/// The disk's part of an offer's price.
UsdPerHour disk_price(const Offer& offer);

/// What a stopped machine goes on costing for its disk.
Usd disk_cost_per_day(const Offer& offer, Gigabytes disk);

/// Measured training speed of one of its GPUs relative to one RTX 3090: from the table, else from DLPerf; 0
/// unknown.
double card_speed(const Offer& offer);

/// Of all its GPUs together, on one node.
double relative_speed(const Offer& offer);

}  // namespace vastgpu
