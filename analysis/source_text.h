#pragma once
// Program text without what only talks about it. Pure; any thread.

#include <string>
#include <string_view>

namespace vastgpu {

/// Python with comments and docstrings turned into blanks; lines keep their numbers.
std::string python_without_comments(std::string_view text);

/// Shell with comments turned into blanks and continued lines (`\` at the end) joined; lines keep their
/// numbers: a joined line stands where it began, followed by empty ones. `#SBATCH` lines stay.
std::string shell_without_comments(std::string_view text);

}  // namespace vastgpu
