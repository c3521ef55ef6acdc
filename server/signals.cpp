#include "server/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace vastgpu {
namespace {

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

SignalStop::SignalStop() {
  const sigset_t set = ending_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);  // every later thread inherits this: only the watcher takes them
  watcher_ = std::jthread([this, set](const std::stop_token& end) {
    for (int signal = 0; !end.stop_requested();)
      if (sigwait(&set, &signal) == 0 && !end.stop_requested()) {
        if (source_.stop_requested()) ::_exit(128 + signal);  // asked twice: the person is in a hurry
        source_.request_stop();
      }
  });
}

SignalStop::~SignalStop() {
  watcher_.request_stop();
  pthread_kill(watcher_.native_handle(), SIGTERM);
}

}  // namespace vastgpu
