#pragma once
// A stop token that asks when some real seconds are over. Made and destroyed by one thread; its token is for
// any.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

namespace vastgpu {

class RealDeadline {
 public:
  explicit RealDeadline(std::chrono::seconds limit)
      : watch_([this, limit](const std::stop_token& over) {
          std::unique_lock hold(mutex_);
          woken_.wait_for(hold, over, limit, [] { return false; });
          if (!over.stop_requested()) source_.request_stop();
        }) {}
  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::mutex mutex_;
  std::condition_variable_any woken_;
  std::jthread watch_;  // last: uses the others
};

}  // namespace vastgpu
