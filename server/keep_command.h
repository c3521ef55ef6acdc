#pragma once
// `vast-gpu keep`: the keeper, in the foreground or away from everything. One thread, and none before it.

#include <memory>

#include "server/house.h"

namespace vastgpu {

/// Until nothing of ours is left. Detached: returns at once in the caller's eyes, with 0, and goes on as a
/// process of its own. Where another keeper holds the seat it says who, and returns 0.
int keep_command(std::unique_ptr<House> house, bool detached);

}  // namespace vastgpu
