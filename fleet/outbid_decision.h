#pragma once
// What to do about an interruptible machine that somebody outbid, by money alone. Pure; any thread.

#include <optional>
#include <string>

#include "core/units.h"

namespace vastgpu {

/// Everything that counts. Prices are for the whole machine.
struct OutbidSituation {
  UsdPerHour bid;                   ///< ours, for the GPUs
  UsdPerHour storage;               ///< of the disk, paused or not
  std::optional<UsdPerHour> floor;  ///< what has to be bid now; unset: the machine is not offered for bids
  std::optional<UsdPerHour> on_demand;  ///< its price with disk without bidding; unset: not offered
  Hours lease_left{};
  Hours grace{};                     ///< what its guard lets it run beyond the lease at most
  Usd paid;                          ///< until now, at most
  Usd worst_case;                    ///< what was shown and approved
  std::optional<Usd> envelope_room;  ///< what the worst case may grow to in its envelope; unset: no envelope
  Hours paused{};
  std::optional<Hours> usual_pause;  ///< of this account; unset: not enough seen
  std::optional<Hours> work_left;
  bool results_home = false;  ///< what it wrote until its last receipt is here
  struct Elsewhere {
    UsdPerHour price;  ///< of the cheapest other machine whose worst case fits the envelope
    Hours setup{};     ///< until work can go on there
  };
  std::optional<Elsewhere> elsewhere;
};

enum class OutbidAction { raise, wait, move, give_up };
const char* to_string(OutbidAction a);

struct OutbidDecision {
  OutbidAction action = OutbidAction::wait;
  UsdPerHour bid;    ///< for raise: the new one
  UsdPerHour price;  ///< for raise: bid and disk
  Usd worst_case;    ///< for raise: of the whole rental then; never below the present one
  std::string why;   ///< for a person, without a full stop
};

/// Never leads to a higher total than approved: a raise has to fit the worst case that was shown, or the
/// envelope; so does a move, when it is rented.
OutbidDecision decide_outbid(const OutbidSituation& s);

}  // namespace vastgpu
