#pragma once
// One pass that ends what is over, for cron, CI or a hand: reconcile, then every rental of ours is ended,
// rescued or reported. Any number of processes may do it at once: rentals are locked one by one.

#include "fleet/pass.h"

namespace vastgpu {

struct ReapRequest {
  std::filesystem::path project;                ///< empty: every rental of the account
  Duration patience = std::chrono::minutes(5);  ///< for a rental that another call works on, and for its end
};

/// - every experiment over, none failed, auto_destroy on: results home, receipt, destroyed, read back
/// - lease over and stopped by its guard: started once within the worst case that was shown, and the same;
///   where that does not fit, reported
/// - lease over and still running, so that its guard is dead: as the first where every experiment is over,
/// else
///   stopped
/// - its end was asked for before: asked again and read back
/// - anything else: reported
PassReport reap(const Deps& d, const ReapRequest& request, std::stop_token stop);

/// Whether starting a stopped machine for one grace period of its guard stays within its worst case. Pure.
/// @param charged        the provider's figure; absent when unknown
/// @param starts_before  of rescues whose process died: each may have cost a whole grace
bool rescue_fits(const Rental& rental, std::optional<Usd> charged, UsdPerHour storage, TimePoint now,
                 int starts_before = 0);

}  // namespace vastgpu
