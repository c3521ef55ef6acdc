#pragma once
// Folders that only their owner may enter. Any thread.

#include <filesystem>

#include "core/error.h"

namespace vastgpu {

/// Makes `folder` and what is missing above it, all 0700. An existing folder stays as it is:
/// it may be the user's home, so what is private in it must be so by itself.
/// @error unavailable  it cannot be made
Result<void> make_private_folder(const std::filesystem::path& folder);

}  // namespace vastgpu
