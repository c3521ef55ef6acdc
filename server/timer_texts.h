#pragma once
// What `vast-gpu install keeper` writes: units of systemd, or one line of a crontab. Pure functions, any
// thread. None of it holds a secret.

#include <map>
#include <string>
#include <string_view>

#include "core/error.h"

namespace vastgpu {

/// Every five minutes: `PROGRAM -q reap`, with these variables.
struct TimerJob {
  std::string program;                           ///< absolute path
  std::map<std::string, std::string> variables;  ///< VAST_GPU_STATE and the like; never a key
};

/// @error invalid_argument  a path or a value holds a line break or another control character
Result<void> check(const TimerJob& job);

inline constexpr std::string_view kTimerUnit = "vast-gpu-keeper.timer";
inline constexpr std::string_view kServiceUnit = "vast-gpu-keeper.service";

/// Exit codes 1 (something still bills) and 2 (unknown) are answers, not failures.
std::string service_text(const TimerJob& job);
std::string timer_text();

/// The line, ending in the marker that tells it from everybody else's.
std::string cron_line(const TimerJob& job);
/// `crontab` with our line in it once, in the place of an older one of ours or at the end; every other byte
/// stays.
std::string with_cron_line(std::string_view crontab, const std::string& line);
/// Without any line of ours.
std::string without_cron_line(std::string_view crontab);
bool has_cron_line(std::string_view crontab);

}  // namespace vastgpu
