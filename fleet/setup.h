#pragma once
// Making a machine ready for the project: code, dependencies, a look at torch and CUDA. Repeatable: only what
// changed travels, and packages are installed again only when the list changed.

#include "fleet/deps.h"

namespace vastgpu {

/// The seed's include and exclude rules, plus what never belongs on a machine.
SyncRules default_sync_rules();

struct SetupOutcome {
  enum class State { ready, installing, failed };
  State state = State::installing;
  SyncReport code;
  std::string packages;  ///< "requirements.txt" or the default list
  std::string torch;     ///< "PyTorch 2.1.0, CUDA: True, GPUs: 1"
  bool cuda_works = false;
  std::string log_tail;  ///< of the installation, cleaned
};

/// @error wrong_state  the rental is not ready
/// @error unavailable, unauthenticated  SSH; call again
Result<SetupOutcome> set_up(const Deps& d, Rental& rental, const Caller& caller);

}  // namespace vastgpu
