#pragma once
// vast-gpu ssh: a shell on a rented machine, through the system's ssh under the pinned host key.

#include <string>
#include <vector>

#include "tools/workplace.h"

namespace vastgpu {

/// Becomes ssh, so that its exit code is ours; comes back only when it cannot: 2, with a sentence on stderr.
/// @param command  words for the machine's shell; empty: a shell to type in
int shell_command(Workplace& workplace, std::int64_t instance, const std::vector<std::string>& command);

}  // namespace vastgpu
