#include "sandbox/rate_limit.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace vastgpu::sandbox {

double RateLimit::ask(const std::string& who, double now) {
  auto& seen = seen_[who];
  while (!seen.empty() && seen.front() + window_ <= now) seen.pop_front();
  if (seen.size() >= most_) return seen.front() + window_ - now;
  seen.push_back(now);
  return 0;
}

double RateLimit::ask_route(const std::string& who, const std::string& route, double interval, double now) {
  const auto [last, first_time] = last_on_route_.try_emplace(who + " " + route, now);
  if (first_time) return 0;
  if (now < last->second + interval) return last->second + interval - now;
  last->second = now;
  return 0;
}

double documented_interval(const std::string& route) {
  static constexpr auto kIntervals = std::to_array<std::pair<std::string_view, double>>({
      {"PUT /api/v0/asks/{}", 4.5},
      {"DELETE /api/v0/instances/{}", 3.0},
      {"GET /api/v0/instances/{}", 2.0},
      {"PUT /api/v0/instances/bid_price/{}", 5.5},
      {"PUT /api/v0/instances/{}", 1.0},
      {"GET /api/v1/instances", 1.0},
      {"PUT /api/v0/instances/reboot/{}", 1.0},
      {"PUT /api/v0/instances/recycle/{}", 1.0},
      {"POST /api/v0/instances/{}/ssh", 1.0},
      {"PUT /api/v0/instances/command/{}", 1.5},
      {"POST /api/v0/bundles", 6.0},  // about ten a minute
      {"GET /api/v0/template", 3.0},
  });
  const auto at = std::ranges::find(kIntervals, route, &std::pair<std::string_view, double>::first);
  return at == kIntervals.end() ? 0 : at->second;
}

}  // namespace vastgpu::sandbox
