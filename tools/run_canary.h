#pragma once
// The answer of `run` with `canary`: starts the trial, waits for it, says what to do with what it showed. One
// thread per call.

#include "fleet/jobs.h"
#include "tools/tool.h"

namespace vastgpu {

/// The call that starts the real run.
struct RealRun {
  json call;
  std::string but = {};  ///< what it leaves out, in words; starts with a comma
};

/// Calling again goes on with the trial of this very command, or shows its verdict again: for half an hour,
/// and as long as no setup brought other files meanwhile.
/// @error as start_job and look_at
Result<Envelope> run_canary(const Deps& d, const Rental& rental, const JobRequest& request,
                            std::chrono::minutes length, const RealRun& real, const Caller& caller);

}  // namespace vastgpu
