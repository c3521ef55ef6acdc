#pragma once
// Time, injected. Nothing else in the program reads a clock or sleeps. All clocks are thread-safe.

#include <algorithm>
#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/error.h"

namespace vastgpu {

using TimePoint = std::chrono::sys_time<std::chrono::microseconds>;
using Duration = std::chrono::microseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;

  /// Waits until `when` or until `stop` asks. True when the time came, false when stopped.
  virtual bool sleep_until(TimePoint when, std::stop_token stop) = 0;

  bool sleep_for(Duration d, std::stop_token stop) { return sleep_until(now() + d, std::move(stop)); }

  /// How long `when` is away on a watch that ticks in real seconds: for a wait on a descriptor or a signal,
  /// which cannot sleep here. Never less than 0.
  virtual std::chrono::nanoseconds real_until(TimePoint when) const {
    return std::max<std::chrono::nanoseconds>(when - now(), {});
  }
};

/// The machine's own time.
class SystemClock : public Clock {
 public:
  TimePoint now() const override;
  bool sleep_until(TimePoint when, std::stop_token stop) override;
};

/// Time that runs `speed` times faster than life since `origin` (a real moment): every process that is
/// given the same pair sees the same time. Used with the sandbox only.
class ScaledClock : public Clock {
 public:
  ScaledClock(double speed, TimePoint origin) : speed_(speed), origin_(origin) {}

  /// From "SPEED@UNIX_SECONDS", e.g. "60@1795250000.5".
  /// @error invalid_argument  not of that form, or speed outside 0.1..100000
  static Result<ScaledClock> parse(std::string_view text);
  std::string to_text() const;

  TimePoint now() const override;
  bool sleep_until(TimePoint when, std::stop_token stop) override;
  std::chrono::nanoseconds real_until(TimePoint when) const override;
  double speed() const { return speed_; }

 private:
  double speed_;
  TimePoint origin_;
};

/// "2026-10-02T08:15:00Z": UTC, whole seconds.
std::string to_iso8601(TimePoint t);
/// @error invalid_argument  not ISO 8601 in UTC (fractions are accepted and cut)
Result<TimePoint> from_iso8601(std::string_view text);

/// Seconds since 1970 as the marketplace sends them, and back.
TimePoint from_unix_seconds(double seconds);
double to_unix_seconds(TimePoint t);

}  // namespace vastgpu
