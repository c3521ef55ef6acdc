#pragma once
// Bounds as people see them. An amount may be rounded to the nearest figure; a bound that is said yes to must
// not be: what is shown is the bound or a hair above it, so a yes to the shown number covers it. Pure; any
// thread.

#include <string>

#include "core/units.h"

namespace vastgpu {

/// Rounded up to what `money` shows: to 0.1 cent below a dollar, else to a cent.
Usd rounded_up(Usd bound);

/// rounded_up in words: "$0.463" for 0.462102.
std::string at_most(Usd bound);

}  // namespace vastgpu
