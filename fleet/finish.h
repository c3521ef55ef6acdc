#pragma once
// Ending a rental: results home, receipt, destroy, read back, cost report. And moving its lease.

#include "fleet/deps.h"
#include "fleet/report.h"

namespace vastgpu {

struct FinishRequest {
  InstanceId instance;
  bool discard_results = false;  ///< the user's word that results may be lost
  bool stop_running = false;  ///< experiments that still run are stopped first; what they wrote is collected
};

struct FinishOutcome {
  bool gone = false;  ///< false: the caller's time ran out, call again
  Rental rental;
  std::optional<Receipt> receipt;  ///< of this call; absent when discarded or collected by an earlier call
  bool discarded = false;          ///< in this call or an earlier one, by the user's word
  CostReport cost;
};

/// @error wrong_state  an experiment still runs; or results could not be brought home: nothing is destroyed
/// then
/// @error as make_gone
Result<FinishOutcome> finish(const Deps& d, const FinishRequest& request, const Caller& caller);

struct ExtendOutcome {
  bool running =
      true;  ///< false: it was stopped, a start was asked for, and it does not answer yet; call again
  Rental rental;
  Usd added;                  ///< to the worst case
  bool machine_told = false;  ///< the guard on the machine has the new end
  std::string note;
};

/// Waits until a machine that was stopped, or paused, and is starting again lets us in under its pinned host
/// key, tells it its lease, and makes it `ready`. False when the caller's time ran out; the rental stays as
/// it was until it really answers.
/// @error not_found  the marketplace does not know the instance any more
/// @error corrupt    another host key than before
Result<bool> wait_restarted(const Deps& d, Rental& rental, const Caller& caller);

/// A new small quote against all limits: the worst case grows by price x hours, then the lease moves in the
/// ledger and in the file on the machine. A stopped machine is started again, which is how its results are
/// rescued; its new lease counts from now, and with hours 0 an earlier start is only waited for.
/// @error over_budget, wrong_state, not_found
/// @error invalid_argument  settings.json cannot be read: the lease stays
Result<ExtendOutcome> extend(const Deps& d, InstanceId id, Hours by, std::optional<Usd> budget,
                             const Caller& caller);

}  // namespace vastgpu
