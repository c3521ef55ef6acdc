#pragma once
// A whole run of the server on given bytes, and what must hold of any answer. One conversation at a time.

#include <string>
#include <string_view>

#include "server/server.h"

namespace vastgpu {

/// Tools that answer at once or give up after a moment: echo, report, throw, wait, ask, blocks; a prompt, a
/// resource.
ServerParts quick_parts();

/// Serves `input` to its end and looks at every byte that came out. Empty when all is well, else what is not:
/// a line that is no message, an answer to what was not asked, a second answer, a request without one.
std::string trouble_with(std::string_view input, const ServerParts& parts);

}  // namespace vastgpu
