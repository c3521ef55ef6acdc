#include "core/bound.h"

#include <cmath>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr double kHair = 1e-6;  // of the last place: 0.462 * 1000 is a little more than 462

}  // namespace

Usd rounded_up(Usd bound) {
  if (!(bound.value > 0) || !std::isfinite(bound.value)) return bound;
  const double places = bound.value < 1 ? 1000 : 100;
  return Usd{std::ceil(bound.value * places - kHair) / places};
}

std::string at_most(Usd bound) { return money(rounded_up(bound)); }

}  // namespace vastgpu
