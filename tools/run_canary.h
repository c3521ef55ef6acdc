#pragma once
// The answer of `run` with `canary`: starts the trial, waits for it, says what to do with what it showed. One
// thread per call.

#include "fleet/jobs.h"
#include "tools/tool.h"

namespace vastgpu {

/// Calling again goes on with the trial of this very command, or shows its verdict again.
/// @error as start_job and look_at
Result<Envelope> run_canary(const Deps& d, const Rental& rental, const JobRequest& request,
                            std::chrono::minutes length, const Caller& caller);

}  // namespace vastgpu
