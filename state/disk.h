#pragma once
// The few things we ask of a disk when a file must survive a power cut; tests hand in a disk that fails.
// Thread-safe.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"

namespace vastgpu {

class Disk {
 public:
  virtual ~Disk() = default;

  /// @error not_found, unavailable; invalid_argument when larger than `max_bytes` or not a regular file
  virtual Result<std::string> read(const std::filesystem::path& path, std::size_t max_bytes) = 0;

  /// Permission bits; nothing where there is no file.
  virtual std::optional<unsigned> mode(const std::filesystem::path& path) = 0;

  /// Where a chain of symbolic links ends; the last name need not exist.
  /// @error unavailable  a loop, or a folder on the way cannot be entered
  virtual Result<std::filesystem::path> resolve(const std::filesystem::path& path) = 0;

  /// Makes a new file, with exactly this mode or with the user's default. It may be lost in a power cut until
  /// it and its folder are synced.
  /// @error unavailable  it exists, or the disk is full
  virtual Result<void> write(const std::filesystem::path& path, std::string_view content,
                             std::optional<unsigned> mode) = 0;
  virtual Result<void> sync(const std::filesystem::path& path) = 0;
  virtual Result<void> sync_dir(const std::filesystem::path& folder) = 0;

  /// Puts `from` in the place of `to`, which may exist.
  virtual Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;

  /// Gives `from` the name `to`. False, and nothing changed, where `to` exists.
  virtual Result<bool> rename_new(const std::filesystem::path& from, const std::filesystem::path& to) = 0;

  /// The two files change places in one step. False where the file system cannot, or one of them is missing.
  virtual Result<bool> exchange(const std::filesystem::path& a, const std::filesystem::path& b) = 0;

  /// A file that is gone already is success; failures are ignored, since what is removed is always a
  /// leftover.
  virtual void remove(const std::filesystem::path& path) = 0;

  /// Removes files of `folder` whose names begin with `prefix` and that nobody changed for an hour.
  virtual void sweep(const std::filesystem::path& folder, const std::string& prefix) = 0;
};

/// The machine's own disk.
Disk& real_disk();

}  // namespace vastgpu
