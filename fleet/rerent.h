#pragma once
// Going on with lost work on another machine, within the envelope that was approved for it: quote, rent, set
// up, results back onto the machine, the same commands again. Every step is in the ledger, so that a call
// after a crash goes on where the last one was, and nothing is rented or started twice.

#include "fleet/deps.h"

namespace vastgpu {

struct RerentOutcome {
  enum class State {
    impossible,  ///< nothing is rented: no envelope, nothing left of it, or no machine that fits
    renting,     ///< a machine is being rented or boots; call again
    preparing,   ///< its project is being set up, or results travel to it; call again
    running,     ///< the work goes on there
  };
  State state = State::impossible;
  std::string words;             ///< for a person, without a full stop
  std::optional<Rental> rental;  ///< the other machine, once there is one
};

/// The rental that goes on with the work of this one, if one was begun: the newest that was not refused.
Result<std::optional<Rental>> replacement_of(const Deps& d, const std::string& label);

/// `lost`: a rental that vanished, failed after it was ready, or was outbid. Its own contract is not touched.
/// Only experiments that had not ended are started again; those whose results never came home begin anew.
/// The lock of `lost` may be held; that of the new rental must not be.
/// @error wrong_state  `lost` was ended by name, or is no rental that work could be lost with
/// @error as launch, set_up, start_job and Shell::sync_up; call again
Result<RerentOutcome> rerent(const Deps& d, const Rental& lost, const std::string& why, const Caller& caller);

/// What a search for the other machine asks for: the needs of the first quote, for the work that is left.
/// `room`: what its worst case may be. Unset where nothing can be rented, with the reason.
struct RerentPlan {
  std::string against;  ///< why not; empty when it can be tried
  Usd room;
  std::string envelope;
};
Result<RerentPlan> plan_rerent(const Deps& d, const Rental& lost);

/// The cheapest machine that a rerent would find now. Nothing is stored.
/// @error as quote_another
struct OtherMachine {
  UsdPerHour price;
  Usd worst_case;
  Hours setup{};
};
Result<std::optional<OtherMachine>> look_elsewhere(const Deps& d, const Rental& lost, const RerentPlan& plan,
                                                   std::stop_token stop);

}  // namespace vastgpu
