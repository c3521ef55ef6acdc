#pragma once
// One pass of all that the keeper does, for the keeper itself, cron, CI or a hand: reconcile, then every
// rental of ours is ended, rescued, renewed, watched or reported (fleet/see_to.h). Any number of processes
// may do it at once: rentals are locked one by one.

#include "fleet/pass.h"

namespace vastgpu {

struct ReapRequest {
  std::filesystem::path project = {};           ///< empty: every rental of the account
  Duration patience = std::chrono::minutes(5);  ///< for a rental that another call works on, and for its end
  /// How old a look into a running machine may be; 0: look now. A machine near its end is looked at sooner.
  Duration look_every = std::chrono::minutes(2);
};

/// Everything is in the report, what could not be found out included. What the pass and each look saw is left
/// in the ledger (fleet/layers.h). One listing, one question for the credit, at most eight machines side by
/// side.
PassReport reap(const Deps& d, const ReapRequest& request, std::stop_token stop);

}  // namespace vastgpu
