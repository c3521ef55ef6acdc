#pragma once
// Making a machine ready for the project: code, dependencies, a look at torch and CUDA. Repeatable: only what
// changed travels, and packages are installed again only when the list changed.

#include "fleet/upload.h"

namespace vastgpu {

struct SetupOutcome {
  enum class State { ready, sending, installing, failed };
  State state = State::sending;
  struct Data {
    std::string name, remote;
    SyncReport report;
  };
  std::string size;  ///< what belongs there, in words
  SyncReport code;
  std::vector<Data> data;
  std::vector<std::string> remarks;
  std::string packages;  ///< "requirements.txt" or the default list
  std::string torch;     ///< "PyTorch 2.1.0, CUDA: True, GPUs: 1"
  bool cuda_works = false;
  std::string log_tail;  ///< of the installation, cleaned
};

/// Sends until the caller's time is over; the next call goes on, in the middle of a large file if need be.
/// @error wrong_state       the rental is not ready, or too little room on its disk
/// @error invalid_argument  more would travel than the limits allow: nothing did
/// @error unavailable, unauthenticated  SSH; call again
Result<SetupOutcome> set_up(const Deps& d, Rental& rental, const UploadRequest& request,
                            const Caller& caller);

}  // namespace vastgpu
