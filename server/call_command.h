#pragma once
// `vast-gpu call TOOL [JSON]`: one tool from a script.

#include <string>

#include "tools/tool.h"
#include "tools/workplace.h"

namespace vastgpu {

/// Prints the structured result on stdout, progress on stderr. 0 on success, 1 on a failure, 2 on bad usage.
int call_command(Workplace& workplace, const std::string& tool, const std::string& arguments, bool as_text);

}  // namespace vastgpu
