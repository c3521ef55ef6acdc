#pragma once
// requirements.txt and the files of the project that it draws in. Any thread.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"

namespace vastgpu {

struct Requirements {
  std::string content;             ///< of requirements.txt
  std::vector<std::string> files;  ///< "requirements.txt", then by `-r` and `-c`, relative to the project
  std::string hash;  ///< of all of them, and of the project's own package where `-e` asks for it
};

/// nullopt without a requirements.txt. Files outside the project, and those that are missing, are pip's to
/// complain about. A link is followed as long as it stays in the project and its target may not hold secrets.
/// @error unavailable, invalid_argument  it is there but cannot be read, or is such a link
Result<std::optional<Requirements>> read_requirements(const std::filesystem::path& project);

}  // namespace vastgpu
