#pragma once
// A clock that moves only when somebody sleeps or a test says so. Thread-safe.

#include <mutex>

#include "core/clock.h"

namespace vastgpu {

class FakeClock : public Clock {
 public:
  explicit FakeClock(TimePoint start = TimePoint(std::chrono::seconds(1'795'000'000)))
      : start_(start), now_(start) {}

  TimePoint now() const override {
    const std::scoped_lock hold(mutex_);
    return now_;
  }
  bool sleep_until(TimePoint when, std::stop_token stop) override {
    if (stop.stop_requested()) return false;
    const std::scoped_lock hold(mutex_);
    now_ = std::max(now_, when);
    return true;
  }
  void advance(Duration d) {
    const std::scoped_lock hold(mutex_);
    now_ += d;
  }
  Duration slept() const { return now() - start_; }

 private:
  TimePoint start_;
  mutable std::mutex mutex_;
  TimePoint now_;
};

}  // namespace vastgpu
