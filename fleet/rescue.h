#pragma once
// Starting a stopped machine once more, only to bring its results home, within what was shown.

#include "fleet/tend.h"

namespace vastgpu {

/// A machine that its guard stopped at the end of its lease: started once, for at most one grace of its
/// guard, collected and destroyed. Where that does not fit, or was tried, the line names the way by hand.
/// @param by_hand  what a person can call instead
void rescue(const Deps& d, const PassTerms& terms, Tended& it, const std::string& by_hand);

/// Whether starting a stopped machine for one grace period of its guard stays within its worst case. Pure.
/// @param charged        the provider's figure; absent when unknown
/// @param starts_before  of rescues whose process died: each may have cost a whole grace
bool rescue_fits(const Rental& rental, std::optional<Usd> charged, UsdPerHour storage, TimePoint now,
                 int starts_before = 0);

}  // namespace vastgpu
