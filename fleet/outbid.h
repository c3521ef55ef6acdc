#pragma once
// An interruptible machine that lost its bid: recognised, decided by money (outbid_decision.h), acted on, and
// its work started again when it is back. Docs: docs/interruptible.md.

#include "fleet/deps.h"
#include "fleet/outbid_decision.h"

namespace vastgpu {

struct OutbidOutcome {
  enum class State {
    not_outbid,  ///< nothing to do here
    waiting,     ///< it waits for its bid to win again; the disk bills
    raised,      ///< the bid was raised; it is on its way back
    resumed,     ///< it runs again, verified, its lost experiments started again
    moving,      ///< another machine is being made ready for its work; call again
    moved,       ///< the work goes on elsewhere and this contract is gone
    given_up,    ///< nothing more is done; its disk is kept until the lease ends
  };
  State state = State::not_outbid;
  std::string did;        ///< for a person, without a full stop
  std::string next_step;  ///< empty where the next pass goes on by itself
  bool bills = true;      ///< whether this contract, or the one in its place, bills
  std::optional<Rental> replacement;
};
const char* to_string(OutbidOutcome::State s);

/// The marketplace's words for it: a bid that does not run, neither by our own stop nor because its container
/// ended by itself, which would still hold its GPUs.
/// @source Vast.ai documentation, "show instance": actual_status, intended_status, cur_state
bool is_outbid(const Instance& row);

/// Looks at one interruptible rental that was ready once, and does what is due. Safe to repeat at any time
/// and from any process: every step is in the ledger before it leaves, and none is taken twice. `row`: as
/// just listed; an empty one where the rental is `destroying` after a move and is listed no more. Takes the
/// lock of the rental, which must not be held. `rental` is what is stored afterwards.
/// @error unavailable  another call works on the rental, or the marketplace or the machine did not answer
/// @error corrupt      the machine came back with another host key
Result<OutbidOutcome> see_to_outbid(const Deps& d, Rental& rental, const Instance& row, const Caller& caller);

}  // namespace vastgpu
