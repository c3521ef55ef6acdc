#pragma once
// Results and logs home, with a receipt in the ledger and beside the logs.

#include "fleet/deps.h"

namespace vastgpu {

struct HomeFolders {
  std::filesystem::path results, logs;
};
/// <project>/results and <project>/logs.
HomeFolders home_folders(const Rental& rental);

struct BringOptions {
  bool last = false;                    ///< CollectOptions::last
  bool load_test = false;               ///< CollectOptions::load_test
  std::vector<std::string> paths = {};  ///< further results (result_path()); remembered for later collections
};

/// Collects /workspace/project/results, what else was ever asked for, and /workspace/*.log. The receipt is
/// stored also when it is not complete.
/// @error as reach() and Shell::collect; invalid_argument for a path that cannot be collected
Result<Receipt> bring_home(const Deps& d, Rental& rental, const Caller& caller,
                           const BringOptions& options = {});

/// As above on a shell that is open already.
Result<Receipt> bring_home(const Deps& d, Rental& rental, Shell& shell, const Caller& caller,
                           const BringOptions& options = {});

}  // namespace vastgpu
