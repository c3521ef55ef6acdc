#pragma once
// Ends everything of ours at once: money first, results as far as a short last attempt brings them.

#include "fleet/pass.h"

namespace vastgpu {

struct PanicRequest {
  bool discard_results = false;                      ///< no last attempt
  Duration collect_limit = std::chrono::minutes(2);  ///< of that attempt, all machines side by side
  Duration limit = std::chrono::minutes(10);         ///< for everything; what is left then is reported
};

/// What panic would end. Adopts nothing and destroys nothing.
/// @error as reconcile
Result<PassReport> panic_targets(const Deps& d, std::stop_token stop);

/// Destroys every rental of ours on the account and every contract with our label, up to eight at once; asks
/// again where the marketplace refuses; goes on until a complete list shows none of them and no create is
/// unsettled. Where the list cannot be read, what the ledger knows is destroyed all the same, and the answer
/// stays "unknown". Experiments that run are stopped. What could not be brought home is named in
/// PassLine::lost.
PassReport panic(const Deps& d, const PanicRequest& request, std::stop_token stop);

}  // namespace vastgpu
