#pragma once
// Tools that do to the server what real ones might. Thread-safe.

#include <condition_variable>
#include <mutex>

#include "server/server.h"

namespace vastgpu {

/// echo{text}, wait{}, fail{}, throw{}, throw-odd{}, report{times}, print{}, dirty{}; a prompt, two
/// resources.
class Fixture {
 public:
  Fixture();
  const ServerParts& parts() const { return parts_; }

  /// Blocks until so many calls of `wait` have begun, or were told to stop, since the start.
  void await_begun(int count);
  void await_stopped(int count);
  int begun() const;

 private:
  int await(const int& counter, int count);
  ServerParts parts_;
  mutable std::mutex mutex_;
  int begun_ = 0, stopped_ = 0;
  std::condition_variable changed_;
};

}  // namespace vastgpu
