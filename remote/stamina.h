#pragma once
// How long a link that breaks is opened again. Only for work that reads: it may be repeated. Any thread.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "core/error.h"
#include "remote/ssh_link.h"

namespace vastgpu {

class Stamina {
 public:
  using Clock = std::chrono::steady_clock;
  /// `limit`: gives up when nothing moved for so long.
  Stamina(std::chrono::milliseconds limit) : limit_(limit), moved_(Clock::now().time_since_epoch()) {}

  void moved() { moved_ = Clock::now().time_since_epoch(); }
  /// Differs once moved() was called.
  Clock::duration mark() const { return moved_; }
  std::chrono::milliseconds left() const {
    const auto since = Clock::now().time_since_epoch() - moved_.load();
    return limit_ - std::chrono::duration_cast<std::chrono::milliseconds>(since);
  }
  /// How long one attempt to connect may take.
  std::chrono::milliseconds for_connecting() const {
    return std::clamp<std::chrono::milliseconds>(left(), std::chrono::seconds(1), std::chrono::seconds(20));
  }

  /// After a failure: waits before attempt number `attempt` (from 1), longer each time.
  /// @error  `why`, when another attempt makes no sense: not the link's fault, stopped, or out of time
  Result<void> pause(int attempt, Error why, const std::stop_token& stop) const {
    why.effect = Effect::none;  // reading changes nothing over there
    // Our key was let in before: a link that breaks during the login reads as a refusal.
    if (why.code == Code::unauthenticated) why.code = Code::unavailable;
    if (why.code != Code::unavailable || stop.stop_requested() || left().count() <= 0)
      return fail(std::move(why));
    // At once, then a quarter of a second, doubling up to four: a host that restarts answers within a few.
    const auto pause = std::chrono::milliseconds(attempt <= 1 ? 0 : 125 << std::min(attempt - 1, 5));
    std::mutex none;
    std::unique_lock hold(none);
    std::condition_variable_any nobody;
    nobody.wait_for(hold, stop, pause, [] { return false; });
    if (stop.stop_requested())
      return fail(
          {.code = Code::cancelled, .what = "stopped on request", .next_step = "the same call goes on"});
    return {};
  }

 private:
  const std::chrono::milliseconds limit_;
  std::atomic<Clock::duration> moved_;
};

/// Runs a step that only reads on the session at hand, again on a new one while links break under it: at most
/// five times, unless `stamina` heard that something moved.
template <class Step>
auto on_a_session(SshLink& link, Stamina& stamina, const std::stop_token& stop, Step step)
    -> decltype(step(std::declval<SshSession&>())) {
  constexpr int kMostBreaks = 5;
  int attempt = 0, breaks = 0;
  for (;;) {
    Error why;
    {
      Patience patience(stamina.for_connecting(), stop);
      auto session = link.session(patience);
      if (session) {
        stamina.moved();  // whatever the step takes, the link was there when it began
        const auto mark = stamina.mark();
        auto done = step(**session);
        if (done || !(*session)->broken()) return done;
        if (stamina.mark() != mark) breaks = attempt = 0;
        if (++breaks >= kMostBreaks) return done;
        stamina.moved();
        why = std::move(done).error();
      } else {
        why = std::move(session).error();
      }
    }
    if (auto waited = stamina.pause(++attempt, std::move(why), stop); !waited)
      return fail(std::move(waited).error());
  }
}

}  // namespace vastgpu
