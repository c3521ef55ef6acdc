#pragma once
// A child process that runs a function, for tests about several processes on the same files.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"

namespace vastgpu {

/// The function's result is the exit status. Killed and reaped with its owner at the latest.
class Forked {
 public:
  template <class F>
  explicit Forked(F&& work) : pid_(::fork()) {
    if (pid_ == 0) ::_exit(work());
  }
  Forked(Forked&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Forked& operator=(Forked&&) = delete;
  ~Forked() {
    if (pid_ > 0) kill();
  }

  int exit_status() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void kill() {
    ::kill(pid_, SIGKILL);
    exit_status();
  }

 private:
  pid_t pid_;
};

/// One byte says one thing from one process to another.
struct Pipe {
  Fd out;
  Fd in;
  Pipe() {
    int ends[2];
    if (::pipe(ends) == 0) out = Fd(ends[0]), in = Fd(ends[1]);
  }
  bool say() const { return ::write(in.get(), "x", 1) == 1; }
  /// False when every writer is gone.
  bool hear() const {
    char byte = 0;
    return ::read(out.get(), &byte, 1) == 1;
  }
};

}  // namespace vastgpu
