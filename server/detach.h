#pragma once
// Leaves the terminal and the process that started us. For a process of one thread.

#include "core/error.h"

namespace vastgpu {

/// Closes every descriptor above 2: whoever reads the other end of one should see it close when its own
/// process ends, not when ours does. Call it first, before anything of ours is open.
void close_inherited();

/// Returns in a grandchild without terminal, session leader or parent: input and output at /dev/null, in the
/// root folder, files private by default, no signal blocked or ignored but SIGPIPE. The calling process never
/// returns from it; it exits with 0, or with 1 when the system gives no process.
void detach();

}  // namespace vastgpu
