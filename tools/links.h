#pragma once
// Which resources belong to an answer. Pure; any thread.

#include "tools/tool.h"

namespace vastgpu {

/// Adds the links, and repeats their addresses in the details, since some clients drop links.
void add_links(const std::string& tool, Envelope& answer);

}  // namespace vastgpu
