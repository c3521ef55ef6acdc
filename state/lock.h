#pragma once
// A lock that works between threads and between processes, and dies with its holder.

#include <filesystem>
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

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace vastgpu
