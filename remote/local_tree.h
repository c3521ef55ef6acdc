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
  std::string path;       ///< relative to the root, as bytes
  std::string link = {};  ///< where its content is, when it is a link to a file inside the root
  std::uint64_t size = 0;
  FileTime changed;
  unsigned mode = 0644;  ///< permission bits
};

struct LocalTree {
  std::filesystem::path root;
  std::vector<LocalFile> files;  ///< in order of their path
  std::uint64_t bytes = 0;
  StayedHome stayed;

  std::filesystem::path place_of(const LocalFile& f) const {
    return f.link.empty() ? root / f.path : std::filesystem::path(f.link);
  }
};

/// Walks `root` by the rules. Folders behind links are not entered.
/// @error invalid_argument  no folder, more entries than anybody would want sent, or more bytes than
/// rules.max_total: the largest files and folders are named
Result<LocalTree> walk_tree(const std::filesystem::path& root, const SyncRules& rules, std::stop_token stop);

}  // namespace vastgpu
