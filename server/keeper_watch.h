#pragma once
// A server's eye on the keeper: one thread that sleeps, looks when it is told to and once a minute, and
// starts a keeper where one is missing. Thread-safe.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "core/error.h"

namespace vastgpu {

class KeeperWatch {
 public:
  /// `look` runs on the watch's own thread, for the first time after a second or when told.
  explicit KeeperWatch(std::function<void()> look);
  /// A look that was asked for is done first: a program of one call must not leave without it.
  ~KeeperWatch();
  KeeperWatch(const KeeperWatch&) = delete;
  KeeperWatch& operator=(const KeeperWatch&) = delete;

  /// Look now. Returns at once.
  void soon();

 private:
  void watch();

  std::function<void()> look_;
  std::mutex guard_;  // guards the two below
  bool asked_ = false;
  bool ending_ = false;
  std::condition_variable wake_;
  std::jthread thread_;  // last: it uses the others
};

/// Starts `program keep --detached` with our environment and none of our descriptors, and waits until it
/// has left us: some 20 ms, at most about two seconds. No zombie stays.
/// @error unavailable  it cannot be started, or could not begin
Result<void> start_keeper(const std::string& program);

}  // namespace vastgpu
