#pragma once
// Reading bounded files and replacing them whole. Results name the path.

#include <filesystem>
#include <string>

#include "core/error.h"

namespace vastgpu {

/// The whole file. Refuses devices, pipes and folders.
/// @error not_found         there is no such file
/// @error invalid_argument  larger than `max_bytes`, or not a regular file
/// @error unavailable       it cannot be read
Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes);

/// Replaces `path` by a file with this content: temporary file in the same folder, sync, rename, sync folder.
/// After a crash at any moment the file reads as before or as after. Missing folders are made.
/// @error unavailable  disk full, no right...; the old file is untouched
Result<void> replace_file(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644);

/// SHA-256 as 64 lower-case hex digits.
std::string sha256_hex(std::string_view data);
/// @error unavailable, not_found
Result<std::string> sha256_file(const std::filesystem::path& path);

/// "~/x" and "$HOME/x" resolved with the HOME environment variable.
std::filesystem::path home_folder();

}  // namespace vastgpu
