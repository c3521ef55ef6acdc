#pragma once
// What of a local folder travels up. Any thread.

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/error.h"
#include "remote/archive.h"
#include "remote/shell.h"

namespace vastgpu {

struct LocalFile {
  std::string path;            ///< relative to the root, as bytes
  std::filesystem::path real;  ///< where its content is: itself, or what a link inside the root points to
  std::uint64_t size = 0;
  FileTime changed;
  unsigned mode = 0644;  ///< permission bits
};

struct LocalTree {
  std::vector<LocalFile> files;       ///< in order of their path
  std::vector<std::string> left_out;  ///< that the rules would have sent: "x.bin: 120.0 MB is too large"
  std::uint64_t bytes = 0;
};

/// Walks `root` by the rules. Folders behind links are not entered.
/// @error invalid_argument  no folder, more entries than anybody would want sent, or more bytes than
/// rules.max_total
Result<LocalTree> walk_tree(const std::filesystem::path& root, const SyncRules& rules, std::stop_token stop);

}  // namespace vastgpu
