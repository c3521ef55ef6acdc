#include "core/log.h"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "core/conceal.h"

namespace vastgpu {
namespace {
std::atomic<LogLevel> level_now{LogLevel::facts};
std::function<void(const std::string&)> sink_now;  // set before there are threads

/// Loses the line where nobody drains stderr: whoever logs must not wait for that. A line is shorter than
/// PIPE_BUF, so after POLLOUT its one write neither blocks nor mixes with those of other processes.
void write_unless_full(const std::string& line) {
  static std::mutex mutex;  // two threads must not both rely on the room that one of them takes
  static std::size_t lost = 0;
  const std::scoped_lock hold(mutex);
  pollfd out{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&out, 1, 0) <= 0 || (out.revents & POLLOUT) == 0) {  // full or closed
    ++lost;
    return;
  }
  const std::string all = lost == 0 ? line : text("log lines lost=", lost, "; nobody read them\n") + line;
  lost = 0;
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, all.data(), all.size());
}
}  // namespace

void set_log_level(LogLevel level) { level_now = level; }
void set_log_sink(std::function<void(const std::string&)> sink) { sink_now = std::move(sink); }
bool logs(LogLevel level) { return level <= level_now.load(); }

void log_line(LogLevel, const std::string& line) {
  const std::string out = clean_line(concealed(line), 2000) + "\n";
  if (sink_now) sink_now(out.substr(0, out.size() - 1));
  write_unless_full(out);
}

}  // namespace vastgpu
