#pragma once
// Results and logs home, with a receipt in the ledger and beside the logs.

#include "fleet/deps.h"

namespace vastgpu {

struct HomeFolders {
  std::filesystem::path results, logs;
};
/// <project>/results and <project>/logs.
HomeFolders home_folders(const Rental& rental);

/// Collects /workspace/project/results and /workspace/*.log. The receipt is stored also when it is not
/// complete.
/// @error as reach() and Shell::collect
Result<Receipt> bring_home(const Deps& d, Rental& rental, const Caller& caller);

/// As above on a shell that is open already.
Result<Receipt> bring_home(const Deps& d, Rental& rental, Shell& shell, const Caller& caller);

}  // namespace vastgpu
