#pragma once
// Ids of a user namespace, for when we are not root: inside, we are root, and everybody else is somebody out
// of the range that /etc/subuid gives us. Any thread.

#include <sys/types.h>

#include "core/error.h"

namespace vastgpu::sandbox {

/// Fills in the ids of a process that was cloned into a user namespace and has not gone on yet.
/// @error unavailable  no range, or no newuidmap; the next step is the command that helps
Result<void> map_ids(pid_t pid);

}  // namespace vastgpu::sandbox
