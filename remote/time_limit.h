#pragma once
// Asks work to stop when a time has passed, whatever dribbles in meanwhile. passed() and again() from any
// thread.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "core/error.h"

namespace vastgpu {

class TimeLimit {
 public:
  /// `outer` stops the work as well.
  TimeLimit(std::chrono::milliseconds limit, const std::stop_token& outer)
      : limit_(limit),
        until_(Clock::now() + limit),
        pass_on_(outer, PassOn{&stop_}),
        timer_([this](std::stop_token over) {
          std::unique_lock hold(mutex_);
          while (!over.stop_requested() && Clock::now() < until_)
            woken_.wait_until(hold, over, until_, [&] { return Clock::now() >= until_; });
          if (over.stop_requested()) return;
          passed_ = true;
          stop_.request_stop();
        }) {}

  std::stop_token token() const { return stop_.get_token(); }
  bool passed() const { return passed_; }
  /// The time counts from now again.
  void again() {
    const std::scoped_lock hold(mutex_);
    until_ = Clock::now() + limit_;
  }
  /// `why`, unless it is only that the time passed.
  Error explain(Error why) const {
    if (!passed_) return why;
    return {.code = Code::unavailable,
            .what = "the machine sends next to nothing",
            .next_step = "look at it with monitor; it may be overloaded or broken"};
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct PassOn {
    std::stop_source* to;
    void operator()() const noexcept { to->request_stop(); }
  };
  const std::chrono::milliseconds limit_;
  std::stop_source stop_;
  std::atomic<bool> passed_ = false;
  std::mutex mutex_;
  std::condition_variable_any woken_;
  Clock::time_point until_;  // under mutex_
  std::stop_callback<PassOn> pass_on_;
  std::jthread timer_;
};

}  // namespace vastgpu
