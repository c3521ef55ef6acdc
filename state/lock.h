#pragma once
// A lock that works between threads and between processes, and dies with its holder.

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "core/clock.h"
#include "core/error.h"
#include "core/fd.h"

namespace vastgpu {

/// Held while it lives. Move-only.
class FileLock {
 public:
  /// Waits for `<folder>/<name>.lock` until it is free, `stop` asks, or `deadline` (clock time) passes.
  /// @error unavailable  somebody else holds it past the deadline
  /// @error cancelled
  static Result<FileLock> acquire(const std::filesystem::path& folder, const std::string& name, Clock& clock,
                                  TimePoint deadline, std::stop_token stop);

  /// What the holder wrote about itself with sign(), at most 200 characters of one line; nullopt: nobody
  /// holds it. Never waits and makes no file.
  static std::optional<std::string> holder(const std::filesystem::path& folder, const std::string& name);

  /// Writes one line about the holder into the file; it stays there when the lock ends.
  /// @error unavailable  disk full...
  Result<void> sign(const std::string& line);

  /// False when the file was removed meanwhile: then this lock excludes nobody.
  bool in_place() const;

 private:
  FileLock(Fd fd, std::filesystem::path path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Fd fd_;
  std::filesystem::path path_;
};

}  // namespace vastgpu
