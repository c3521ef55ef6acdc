#pragma once
// A child process with its own pipes, for the demo and for tests that play the client. One thread at a time.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/fd.h"

namespace vastgpu {

class Child {
 public:
  /// Starts `arguments[0]`; `environment` is added to ours (an empty value removes a variable). stdin and
  /// stdout are pipes; stderr goes to `stderr_file`, or is dropped when that is empty. Dies with us.
  static Result<Child> start(const std::vector<std::string>& arguments,
                             const std::map<std::string, std::string>& environment,
                             const std::string& stderr_file);
  Child(Child&&) noexcept = default;
  Child& operator=(Child&&) noexcept = default;
  ~Child();  ///< finish() with a short limit

  /// @error unavailable  it no longer listens
  Result<void> write_line(const std::string& line);
  void end_input() { out_.reset(); }
  /// The next line without its end; nullopt at the end of output or when `limit` (real time) passed.
  std::optional<std::string> read_line(std::chrono::milliseconds limit);
  /// Ends its input, waits, then terminates and kills. Returns the exit status, 128+n for a signal.
  int finish(std::chrono::milliseconds limit);
  int pid() const { return pid_; }
  bool running() const { return pid_ > 0; }

 private:
  Child() = default;
  struct Pid {  // moves like the descriptors do
    int value = -1;
    Pid() = default;
    Pid(Pid&& o) noexcept : value(std::exchange(o.value, -1)) {}
    Pid& operator=(Pid&& o) noexcept {
      std::swap(value, o.value);
      return *this;
    }
    Pid& operator=(int v) {
      value = v;
      return *this;
    }
    operator int() const { return value; }
  } pid_;
  Fd in_, out_;
  std::string buffer_;
};

}  // namespace vastgpu
