#pragma once
// Ending a rental: results home, receipt, destroy, read back, cost report.

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

}  // namespace vastgpu
