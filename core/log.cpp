#include "core/log.h"

#include <unistd.h>

#include <atomic>

#include "core/conceal.h"

namespace vastgpu {
namespace {
std::atomic<LogLevel> level_now{LogLevel::facts};
std::function<void(const std::string&)> sink_now;  // set before there are threads
}  // namespace

void set_log_level(LogLevel level) { level_now = level; }
void set_log_sink(std::function<void(const std::string&)> sink) { sink_now = std::move(sink); }
bool logs(LogLevel level) { return level <= level_now.load(); }

void log_line(LogLevel, const std::string& line) {
  const std::string out = clean_line(concealed(line), 2000) + "\n";
  if (sink_now) sink_now(out.substr(0, out.size() - 1));
  // One write, so that lines of several threads and processes do not mix; a closed stderr is not our problem.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, out.data(), out.size());
}

}  // namespace vastgpu
