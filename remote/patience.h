#pragma once
// How long to wait for the network, and what ends the wait early. Everything in this folder that blocks,
// blocks here. One thread at a time; the stop token may be asked from anywhere.

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>

#include "core/error.h"
#include "core/fd.h"

namespace vastgpu {

class Patience {
 public:
  using Milliseconds = std::chrono::milliseconds;
  /// `in_all`: the limit counts from now. `idle`: it starts again whenever something moved.
  enum class Kind { in_all, idle };

  Patience(Milliseconds limit, std::stop_token stop, Kind kind = Kind::in_all);
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  /// Waits until `fd` shows one of `events` (poll); returns what it shows, 0 when `at_most` passed first.
  /// @error unavailable  the limit passed
  /// @error cancelled    somebody asked to stop
  Result<short> wait(int fd, short events, std::optional<Milliseconds> at_most = {});

  /// The same two errors without waiting.
  Result<void> check() const;

  void moved();
  Milliseconds left() const;
  const std::stop_token& stop() const { return stop_; }

 private:
  struct Wake {
    int fd;
    void operator()() const noexcept;
  };

  Milliseconds limit_;
  Kind kind_;
  std::chrono::steady_clock::time_point deadline_;
  std::stop_token stop_;
  Fd wake_;  // declared before on_stop_, so that it closes after the callback is gone
  std::stop_callback<Wake> on_stop_;
};

}  // namespace vastgpu
