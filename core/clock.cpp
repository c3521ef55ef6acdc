#include "core/clock.h"

#include <charconv>
#include <cmath>
#include <condition_variable>
#include <ctime>
#include <mutex>

namespace vastgpu {
namespace {

TimePoint real_now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

/// Sleeps on the steady clock, so that a changed wall clock cannot stretch a wait.
bool wait_real(std::chrono::nanoseconds how_long, const std::stop_token& stop) {
  if (stop.stop_requested()) return false;
  if (how_long <= std::chrono::nanoseconds::zero()) return true;
  std::mutex m;
  std::condition_variable_any wake;
  std::unique_lock lock(m);
  const auto until = std::chrono::steady_clock::now() +
                     std::min<std::chrono::nanoseconds>(how_long, std::chrono::hours(24 * 365));
  wake.wait_until(lock, stop, until, [] { return false; });
  return !stop.stop_requested();
}

std::optional<double> to_double(std::string_view s) {
  double value = 0;
  const auto [end, bad] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (bad != std::errc{} || end != s.data() + s.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace

TimePoint SystemClock::now() const { return real_now(); }
bool SystemClock::sleep_until(TimePoint when, std::stop_token stop) { return wait_real(when - now(), stop); }

Result<ScaledClock> ScaledClock::parse(std::string_view text) {
  const auto at = text.find('@');
  if (at != std::string_view::npos) {
    const auto speed = to_double(text.substr(0, at));
    const auto origin = to_double(text.substr(at + 1));
    if (speed && origin && *speed >= 0.1 && *speed <= 100'000 && *origin >= 0 && *origin < 1e11)
      return ScaledClock(*speed, from_unix_seconds(*origin));
  }
  return fail({.code = Code::invalid_argument,
               .what = "clock '" + std::string(text.substr(0, 60)) + "' is not SPEED@UNIX_SECONDS",
               .next_step = "unset VAST_GPU_CLOCK; only the sandbox uses it"});
}

std::string ScaledClock::to_text() const {
  char text[80];
  std::snprintf(text, sizeof text, "%.6g@%.6f", speed_, to_unix_seconds(origin_));
  return text;
}

TimePoint ScaledClock::now() const {
  const auto real = std::chrono::duration<double, std::micro>(real_now() - origin_);
  return origin_ + Duration(static_cast<std::int64_t>(real.count() * speed_));
}

bool ScaledClock::sleep_until(TimePoint when, std::stop_token stop) {
  return wait_real(real_until(when), stop);
}

std::chrono::nanoseconds ScaledClock::real_until(TimePoint when) const {
  const auto scaled = std::chrono::duration<double, std::micro>(when - now());
  return std::chrono::microseconds(static_cast<std::int64_t>(std::max(0.0, scaled.count() / speed_)));
}

std::string to_iso8601(TimePoint t) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

Result<TimePoint> from_iso8601(std::string_view text) {
  const std::string copy(text.substr(0, 40));
  std::tm utc{};
  const char* rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
  if (rest != nullptr && *rest == '.') {
    ++rest;
    while (*rest >= '0' && *rest <= '9') ++rest;
  }
  const std::string_view zone = rest == nullptr ? "" : rest;
  if (rest == nullptr || (zone != "Z" && zone != "+00:00"))
    return fail({.code = Code::invalid_argument,
                 .what = "'" + copy + "' is not a time such as 2026-10-02T08:15:00Z",
                 .next_step = "give the time in UTC, ending in Z"});
  return TimePoint(std::chrono::seconds(timegm(&utc)));
}

TimePoint from_unix_seconds(double seconds) {
  return TimePoint(Duration(static_cast<std::int64_t>(seconds * 1e6)));
}
double to_unix_seconds(TimePoint t) { return static_cast<double>(t.time_since_epoch().count()) / 1e6; }

}  // namespace vastgpu
