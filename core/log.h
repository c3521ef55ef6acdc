#pragma once
// The log: facts on stderr, one line each: `rented instance=7 offer=42`. Thread-safe. Never waits for a
// reader: what stderr has no room for is left out, and the next line that fits says how many were.

#include <functional>
#include <string>

#include "core/text.h"

namespace vastgpu {

enum class LogLevel { quiet, facts, debug };
void set_log_level(LogLevel level);
bool logs(LogLevel level);
void log_line(LogLevel level, const std::string& line);

/// Also hands every line to `sink`, whatever goes to stderr. Set it before a second thread starts; `sink` is
/// called by any thread, at once.
void set_log_sink(std::function<void(const std::string& line)> sink);

/// log_fact("rented instance=", id, " offer=", offer)
template <class... Parts>
void log_fact(const Parts&... parts) {
  if (logs(LogLevel::facts)) log_line(LogLevel::facts, text(parts...));
}
template <class... Parts>
void log_debug(const Parts&... parts) {
  if (logs(LogLevel::debug)) log_line(LogLevel::debug, text(parts...));
}

}  // namespace vastgpu
