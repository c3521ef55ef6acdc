#pragma once
// Logs that grow while the machine is about to go: what is there now, hashed on both sides. One thread at a
// time.

#include "remote/collect_run.h"

namespace vastgpu {

/// Fetches the first `entry.size` bytes of each, one after the other, and says so.
Result<void> fetch_growing(CollectRun& run, const std::vector<Wanted*>& files);

}  // namespace vastgpu
