#pragma once
// vast-gpu tunnel: ports of a rented machine on this computer's loopback, until Ctrl-C or the rental's end.

#include <string>
#include <vector>

#include "tools/workplace.h"

namespace vastgpu {

/// 0: ended by Ctrl-C or SIGTERM; 1: the rental or its machine ended it; 2: it could not be opened.
int tunnel_command(Workplace& workplace, std::int64_t instance, const std::vector<std::string>& ports);

}  // namespace vastgpu
