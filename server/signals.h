#pragma once
// SIGINT and SIGTERM as a stop request, so that what was begun is written down before the program ends.
// Make one before any other thread starts; it lives as long as the work.

#include <stop_token>
#include <thread>

namespace vastgpu {

class SignalStop {
 public:
  SignalStop();
  ~SignalStop();
  SignalStop(const SignalStop&) = delete;
  SignalStop& operator=(const SignalStop&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::jthread watcher_;
};

}  // namespace vastgpu
