#pragma once
// Keeps our calls below the account's rate limit. Thread-safe; all waiting is on the injected clock.

#include <array>
#include <mutex>
#include <stop_token>

#include "core/clock.h"

namespace vastgpu {

/// Routes with a minimum interval of their own.
/// @source vast-api.md 1.4
enum class Route { other, create, destroy, bid, change, read_one, read_list };

/// A token bucket shared by all routes: 5 at once, then one every 2 s. Other processes of the same account
/// are not seen; what they use up comes back as 429, which holds everybody here.
class RateLimit {
 public:
  explicit RateLimit(Clock& clock) : clock_(clock) {}

  /// Waits for this call's turn. False when `stop` asked first.
  bool wait(Route route, const std::stop_token& stop);

  /// The marketplace said "too many": nobody goes before `until`.
  void hold_until(TimePoint until);

 private:
  static constexpr std::size_t kRoutes = 7;

  Clock& clock_;
  std::mutex mutex_;
  TimePoint paid_until_{};                 ///< when the bucket is full again
  std::array<TimePoint, kRoutes> next_{};  ///< per route
  TimePoint held_until_{};
};

}  // namespace vastgpu
