#pragma once
// What the ledger's events tell of pauses: how often somebody bid more, how long it lasted, and what a rental
// with pauses can have cost at most. Pure functions; any thread.

#include <optional>
#include <string>
#include <vector>

#include "core/rental.h"
#include "state/ledger.h"

namespace vastgpu {

// Kinds of events about a bid. "outbid" and "resumed" are written once for each pause.
inline constexpr const char* kOutbidEvent = "outbid";             ///< seen to have lost: bid, floor
inline constexpr const char* kStillOutbidEvent = "still_outbid";  ///< seen again in that state
inline constexpr const char* kResumedEvent = "resumed";           ///< runs again and was verified
inline constexpr const char* kBidEvent = "bid";  ///< a bid is about to change: usd_per_hour, and _before

struct Pause {
  std::string label;
  TimePoint from{};        ///< when it was first seen
  TimePoint seen_until{};  ///< when it was last seen; what it took for certain
  std::optional<TimePoint>
      resumed;  ///< when it was found running again; none: it goes on, or the rental ended
};

/// `events` of any rentals, oldest first.
std::vector<Pause> pauses_of(const std::vector<LedgerEvent>& events);

/// The one that has not ended, of one rental's events.
std::optional<Pause> open_pause(const std::vector<LedgerEvent>& events);

/// How long pauses of the account lasted: the middle one of those that ended. Nothing below three.
struct UsualPause {
  Hours lasts{};
  int seen = 0;
};
std::optional<UsualPause> usual_pause(const std::vector<Pause>& pauses);

struct PaidSoFar {
  Usd at_most;     ///< GPU, disk and the traffic that was allowed for
  Hours ran{};     ///< that may have been billed in full
  Hours paused{};  ///< that cost the disk only
};

/// What an interruptible rental can have cost until `now`. A pause counts only as far as it was seen, so this
/// is rather too much. `paused_now`: the marketplace shows the open pause at this moment.
PaidSoFar paid_so_far(const Rental& rental, const std::vector<LedgerEvent>& events, UsdPerHour storage,
                      Usd traffic, bool paused_now, TimePoint now);

}  // namespace vastgpu
