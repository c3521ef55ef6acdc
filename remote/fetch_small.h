#pragma once
// Many files in one packed stream: one round trip. The machine hashes them meanwhile and looks at them again
// afterwards. One thread at a time.

#include "remote/collect_run.h"

namespace vastgpu {

/// Fetches them in this order. What arrived whole, and hashes the same on both sides, gets its name; the rest
/// is named in the findings. When the link breaks, what is left is asked for again; files of more than 64 KiB
/// are then handed back, so that they can go on in the middle.
/// @return those handed back
Result<std::vector<Wanted*>> fetch_small(CollectRun& run, std::vector<Wanted*> files);

}  // namespace vastgpu
