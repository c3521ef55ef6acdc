#pragma once
// A client's configuration on disk, which the client, an editor and we may all write. One thread.

#include <filesystem>
#include <optional>

#include "state/disk.h"

namespace vastgpu {

/// A file as it was read.
struct ConfigSnapshot {
  std::filesystem::path target;     ///< where symbolic links end
  std::optional<std::string> text;  ///< nothing: there is no file
};

/// @error invalid_argument  larger than 32 MB, or no regular file
/// @error unavailable       it cannot be read
Result<ConfigSnapshot> read_config(Disk& disk, const std::filesystem::path& path);

/// Puts `text` in the place of what was read: whole or not at all, with the same permissions (a new file gets
/// `mode`), behind the same symbolic link. False, and nothing changed, when somebody wrote in between.
/// @error unavailable  disk full, no right...
Result<bool> write_config(Disk& disk, const ConfigSnapshot& read, const std::string& text, unsigned mode);

/// Removes the file, if it still reads as it was read.
Result<bool> remove_config(Disk& disk, const ConfigSnapshot& read);

}  // namespace vastgpu
