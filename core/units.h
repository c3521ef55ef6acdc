#pragma once
// Quantities with their unit in the type. On the wire and in JSON they are bare numbers.

#include <chrono>
#include <compare>

#include "core/json.h"

namespace vastgpu {

template <class Tag>
struct Quantity {
  double value = 0;
  auto operator<=>(const Quantity&) const = default;
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return {a.value + b.value}; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return {a.value - b.value}; }
  friend constexpr Quantity operator*(Quantity a, double f) { return {a.value * f}; }
  friend constexpr Quantity operator*(double f, Quantity a) { return {a.value * f}; }
  friend constexpr Quantity operator/(Quantity a, double f) { return {a.value / f}; }
  friend constexpr double operator/(Quantity a, Quantity b) { return a.value / b.value; }
  Quantity& operator+=(Quantity b) {
    value += b.value;
    return *this;
  }
};
template <class Tag>
void to_json(json& j, const Quantity<Tag>& q) {
  j = q.value;
}
template <class Tag>
void from_json(const json& j, Quantity<Tag>& q) {
  j.get_to(q.value);
}

using Megabytes =
    Quantity<struct MegabytesTag>;  ///< GPU and CPU memory in the REST API (MiB as drivers report)
using Gigabytes = Quantity<struct GigabytesTag>;    ///< disk and traffic (10^9 bytes)
using Gibibytes = Quantity<struct GibibytesTag>;    ///< VRAM as vendors and people say it
using Usd = Quantity<struct UsdTag>;                ///< US dollars
using UsdPerHour = Quantity<struct UsdPerHourTag>;  ///< whole machine
using UsdPerGb = Quantity<struct UsdPerGbTag>;      ///< traffic
using Mbps = Quantity<struct MbpsTag>;              ///< megabits per second

using Hours = std::chrono::duration<double, std::ratio<3600>>;

constexpr Usd operator*(UsdPerHour rate, Hours time) { return {rate.value * time.count()}; }
constexpr Usd operator*(UsdPerGb rate, Gigabytes amount) { return {rate.value * amount.value}; }
constexpr Megabytes to_megabytes(Gibibytes g) { return {g.value * 1024}; }
constexpr Gibibytes to_gibibytes(Megabytes m) { return {m.value / 1024}; }

}  // namespace vastgpu
