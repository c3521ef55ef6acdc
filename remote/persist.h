#pragma once
// Going on after a broken link, for what may be repeated without harm. One thread per link.

#include <algorithm>
#include <chrono>
#include <functional>

#include "remote/ssh_link.h"

namespace vastgpu {

/// Pauses that grow, until nothing has moved for `limit`.
class Persistence {
 public:
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;
  explicit Persistence(Milliseconds limit) : limit_(limit) {}

  void moved() {
    last_move_ = Clock::now();
    pause_ = kFirstPause;
    attempts_ = 0;
  }
  /// Waits before the next attempt; false when it is no use.
  bool wait(const std::stop_token& stop) {
    if (++attempts_ > kMostAttempts || Clock::now() - last_move_ + pause_ > limit_) return false;
    Patience patience(pause_, stop);
    // Nothing is readable on no file: this sleeps, and a stop wakes it.
    while (patience.check()) (void)patience.wait(-1, 0);
    pause_ = std::min(pause_ * 2, kLongestPause);
    return !stop.stop_requested();
  }

 private:
  static constexpr Milliseconds kFirstPause{200}, kLongestPause{5000};
  static constexpr int kMostAttempts = 10;  // about half a minute, when every attempt is refused at once
  Milliseconds limit_;
  Milliseconds pause_ = kFirstPause;
  Clock::time_point last_move_ = Clock::now();
  int attempts_ = 0;
};

constexpr std::chrono::seconds kLinkIdleLimit{60};  // nothing moved for so long: the link is as good as dead

/// Runs `step` on the link's session, again on a new one while the link breaks. `step` must be harmless when
/// it is done twice. `broke` is told of each break.
template <class T>
Result<T> persist(SshLink& link, const std::stop_token& stop, const std::function<void()>& broke,
                  const std::function<Result<T>(SshSession&)>& step) {
  Persistence persistence(kLinkIdleLimit);
  for (;;) {
    Patience patience(kLinkIdleLimit, stop);
    auto session = link.session(patience);
    Result<T> done = fail(Error{});
    if (session)
      done = step(**session);
    else
      done = fail(std::move(session).error());
    if (done || done.error().code != Code::unavailable || !persistence.wait(stop)) return done;
    broke();
  }
}

}  // namespace vastgpu
