#pragma once
// A host may raise its price, or end earlier, while a machine runs. The worst case that was shown holds all
// the same: the lease is shortened to what it still pays for. The arithmetic is pure.

#include "fleet/deps.h"

namespace vastgpu {

/// From this moment on an hour costs this much.
struct PriceStep {
  TimePoint from{};
  UsdPerHour price;
};

/// What the worst case of a rental was made of, by its events.
struct Agreement {
  std::vector<PriceStep> prices;  ///< oldest first; the first one is what was shown
  Usd other;                      ///< the part of the worst case that is not price x lease: traffic
  Duration paused{};              ///< between the end of a lease and a later start
};
Agreement agreement_of(const Rental& rental, const std::vector<LedgerEvent>& events);

/// Price x time until now, boot included: rather too much.
Usd spent_on(const Agreement& agreement, const Rental& rental, TimePoint now);

/// Until when the worst case pays at the present price, the guard's grace set aside. May lie in the past.
TimePoint affordable_end(const Agreement& agreement, const Rental& rental, TimePoint now);

/// Less than this is no lease: what there is comes home, and the machine ends.
inline constexpr auto kShortestLease = std::chrono::minutes(5);
/// The host's end date is not waited for: results have to be home before it.
inline constexpr auto kBeforeHostEnds = std::chrono::minutes(10);

struct PriceVerdict {
  bool end_now = false;  ///< nothing sensible is left of the lease
  std::string why;       ///< in words, also where the lease was only shortened; empty: nothing to say
};

/// Compares the live row with what was agreed. A price that moved by over 1 % is an event once, and
/// `seen_price`; a lease that the worst case no longer pays for, or that the host's end date cuts, is
/// shortened in the ledger and on the machine. `old_until`: when the former price was last seen.
/// @error as Ledger and shorten()
Result<PriceVerdict> watch_price(const Deps& d, Rental& rental, const Instance& row, TimePoint old_until,
                                 const Caller& caller);

}  // namespace vastgpu
