#pragma once
// What one pass does about one rental. Any number side by side: each locks its own rental where it changes
// something.

#include "fleet/tend.h"

namespace vastgpu {

/// Ends what is over, rescues what was stopped, renews what lives, watches price, host, idleness and guard,
/// and brings results home while they grow. The line says what was done.
void see_to(const Deps& d, const PassTerms& terms, Tended& it);

/// Whether a running machine is to be looked into now: every `every`, and every half minute when its lease
/// ends within ten minutes. Pure.
bool look_is_due(TimePoint now, std::optional<TimePoint> looked, TimePoint lease_end, Duration every);

/// Whether results are to come home while the machine runs. Pure.
/// @param hurry  its end is near, or the credit's
bool collect_is_due(TimePoint now, TimePoint since, bool hurry);

}  // namespace vastgpu
