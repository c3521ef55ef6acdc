#pragma once
// Lines in, lines out, over raw descriptors. Knows nothing of JSON.

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>

#include "core/fd.h"

namespace vastgpu {

/// Wakes a poll from any thread. Once woken it stays so.
class WakeUp {
 public:
  WakeUp();
  void wake() const noexcept;
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

/// Reads messages, one a line. One thread.
class LineReader {
 public:
  enum class Got {
    line,
    too_long,  ///< longer than the limit; skipped to its end without keeping it
    end,       ///< EOF, an error, or woken up
  };

  /// Ends when `wake` is woken. `max_line` counts bytes without the line end.
  LineReader(int fd, std::size_t max_line, const WakeUp& wake) : fd_(fd), max_line_(max_line), wake_(wake) {}

  /// Blocks for the next line that is not empty; takes "\n" and "\r\n", and a last line without either.
  Got next(std::string& line);

 private:
  bool fill();
  int fd_;
  std::size_t max_line_;
  const WakeUp& wake_;
  std::string buffer_;
  std::size_t start_ = 0;    ///< of the line under way in buffer_
  std::size_t scanned_ = 0;  ///< no line end between start_ and here
  bool skipping_ = false;    ///< in the rest of a line that was too long
  bool ended_ = false;
};

/// Writes messages, each whole and flushed at once. Any thread.
class LineWriter {
 public:
  /// `broken` is woken when nobody reads any more. Once `input` hung up, a reader that does not read is given
  /// up, too, only later.
  LineWriter(int fd, const WakeUp& broken, int input = -1) : fd_(fd), input_(input), broken_(broken) {}

  /// False when the message could not be written; every later one fails too.
  bool write(std::string message);
  /// From here on a reader that does not read is given up after a moment: it must not keep us from ending.
  void hurry();
  /// Nobody reads any more.
  bool failed() const { return failed_; }

 private:
  bool write_all(std::string_view rest);
  int fd_, input_;
  const WakeUp& broken_;
  WakeUp hurry_;
  std::mutex mutex_;
  std::atomic<bool> failed_ = false;
};

}  // namespace vastgpu
