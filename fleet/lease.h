#pragma once
// Moving the end of a rental: later, as a small quote of its own against all limits, or earlier, so that the
// worst case that was shown holds. In the ledger first, then in the file that the guard reads. Any thread;
// each call locks its rental.

#include "fleet/deps.h"

namespace vastgpu {

struct ExtendOutcome {
  bool running =
      true;  ///< false: it was stopped, a start was asked for, and it does not answer yet; call again
  Rental rental;
  Usd added;                  ///< to the worst case
  bool machine_told = false;  ///< the guard on the machine has the new end
  std::string note;
};

/// What a later end may cost, and why it is wanted.
struct LeaseTerms {
  std::optional<Usd> budget = {};           ///< the project's max_budget
  std::optional<Usd> most = {};             ///< the worst case stays at or below this
  std::optional<TimePoint> only_from = {};  ///< only where the lease still ends then: nobody else moved it
  std::string why = "asked for";            ///< for the audit
};

/// A new small quote against all limits: the worst case grows by the dearest price x hours, then the lease
/// moves in the ledger and in the file on the machine. A stopped machine is started again, which is how its
/// results are rescued; its new lease counts from now, and with hours 0 an earlier start is only waited for.
/// @error over_budget, wrong_state, not_found
/// @error invalid_argument  settings.json cannot be read: the lease stays
Result<ExtendOutcome> extend(const Deps& d, InstanceId id, Hours by, const LeaseTerms& terms,
                             const Caller& caller);

/// Waits until a machine that was stopped, or paused, and is starting again lets us in under its pinned host
/// key, tells it its lease, and makes it `ready`. False when the caller's time ran out; the rental stays as
/// it was until it really answers.
/// @error not_found  the marketplace does not know the instance any more
/// @error corrupt    another host key than before
Result<bool> wait_restarted(const Deps& d, Rental& rental, const Caller& caller);

/// An earlier end: noted as an event, then in the ledger, then on the machine. False when the machine could
/// not be told; then whoever watches stops it at the new end. `rental` is then what is stored.
/// @error wrong_state  its lease moved meanwhile, or it is over
Result<bool> shorten(const Deps& d, Rental& rental, TimePoint new_end, const std::string& why,
                     const Caller& caller);

/// Where `by` more hours end: what is asked for and what is done. Time for a machine that was stopped or
/// adopted counts from now where its lease is over.
TimePoint extended_end(const Rental& rental, Hours by, TimePoint now);

/// What `by` more hours add to the worst case; a stopped machine starts again for them.
Usd extension_cost(const Rental& rental, Hours by);

/// What an hour of it is counted at: the price that was shown, or the one seen later where that is dearer.
UsdPerHour dearest_price(const Rental& rental);

/// Asks the marketplace whether a machine that does not answer was stopped, and notes it. An answer is
/// enough: the row of a machine that runs says so.
Result<bool> notice_stopped(const Deps& d, Rental& rental, std::stop_token stop);

}  // namespace vastgpu
