#pragma once
// A stop token that also fires at a moment of the clock. One owner; the token may travel to any thread.

#include <functional>
#include <stop_token>
#include <thread>

#include "core/clock.h"

namespace vastgpu {

class Deadline {
 public:
  Deadline(Clock& clock, TimePoint at, const std::stop_token& outer)
      : passed_on_(outer, [this] { source_.request_stop(); }),
        timer_([this, &clock, at](std::stop_token end) {
          if (clock.sleep_until(at, std::move(end))) source_.request_stop();
        }) {}
  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::stop_callback<std::function<void()>> passed_on_;
  std::jthread timer_;
};

}  // namespace vastgpu
