#pragma once
// The end of a file that may be larger than anyone wants to hold. Any thread.

#include <filesystem>
#include <string>

#include "core/error.h"

namespace vastgpu {

/// At most the last `most` bytes; nothing before them is read.
/// @error not_found         there is no such file
/// @error invalid_argument  not a regular file
/// @error unavailable       it cannot be read
Result<std::string> read_file_end(const std::filesystem::path& path, std::size_t most);

}  // namespace vastgpu
