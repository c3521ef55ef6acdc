#include "market/rate_limit.h"

#include <algorithm>

namespace vastgpu {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRefill = 2s;  // the account's measured budget: 5 requests per 10 s
constexpr Duration kBurst = 4 * kRefill;

constexpr Duration interval(Route route) {
  switch (route) {
    case Route::create:
      return 4500ms;
    case Route::destroy:
      return 3s;
    case Route::bid:
      return 5500ms;
    case Route::change:
      return 1s;
    case Route::read_one:
      return 2s;
    case Route::read_list:
      return 1s;
    case Route::other:
      return 0s;
  }
  return 0s;
}

}  // namespace

bool RateLimit::wait(Route route, const std::stop_token& stop) {
  TimePoint turn;
  {
    const std::scoped_lock hold(mutex_);
    TimePoint& next = next_[static_cast<std::size_t>(route)];
    turn = std::max({clock_.now(), paid_until_ - kBurst, next});
    paid_until_ = std::max(paid_until_, turn) + kRefill;
    next = turn + interval(route);
  }
  for (;;) {
    if (turn > clock_.now() && !clock_.sleep_until(turn, stop)) {
      const std::scoped_lock hold(mutex_);
      paid_until_ -= kRefill;  // the turn was not used
      return false;
    }
    const std::scoped_lock hold(mutex_);
    if (held_until_ <= clock_.now()) return !stop.stop_requested();
    turn = held_until_;
  }
}

void RateLimit::hold_until(TimePoint until) {
  const std::scoped_lock hold(mutex_);
  held_until_ = std::max(held_until_, until);
}

}  // namespace vastgpu
