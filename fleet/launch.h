#pragma once
// Renting: approval and budget, intent on disk, create, boot, and on to the next machine when one fails.

#include "fleet/envelope.h"

namespace vastgpu {

struct LaunchRequest {
  std::string quote_id;
  std::optional<Usd> budget;   ///< the project's max_budget: on the sum of worst cases of its open rentals
  std::optional<Usd> max_usd;  ///< this call's own limit on the worst case
  std::string envelope = {};   ///< id of the envelope that it draws from; empty: none
  std::string replaces = {};   ///< label of the rental whose work it goes on with
  /// What the person said yes to: neither the worst case nor a renewal goes above it. Lifts no limit.
  std::optional<Usd> approved = {};
  /// Approved with this rental, when nothing that is known before refuses it; it draws from it. Not for one
  /// that was begun: that draws from what it began with.
  std::optional<EnvelopeWish> new_envelope = {};
};

struct LaunchOutcome {
  enum class State { ready, booting, unsettled };
  State state = State::booting;
  Rental rental;
  std::string doing;                  ///< what it is waiting for
  std::vector<std::string> given_up;  ///< machines that failed before this one, and why; all confirmed gone
  std::string warning;
};

/// Whether a rental of this quote, or of one of its stand-ins, was begun: then it was approved before.
/// @error as Ledger
Result<bool> was_begun(const Deps& d, const Quote& quote);

/// Rents what a quote describes, or goes on with the rental that this quote already has: calling twice never
/// rents twice. A machine that fails is destroyed, confirmed gone, remembered, and the quote's next stand-in
/// is tried, all under the quote's one worst case and lease end.
/// @error not_found       no such quote, or every machine of the quote is taken: call provision again
/// @error wrong_state     the quote expired or was used up; an earlier create is not settled
/// @error over_budget     a limit, the budget or the credit does not cover it, with the numbers
/// @error invalid_argument  settings.json cannot be read: nothing new is rented
/// @error unavailable     the marketplace cannot be read: nothing is rented blindly (effect none), or the
/// outcome of the
///                        create is unknown (effect unknown; call again with the same quote)
Result<LaunchOutcome> launch(const Deps& d, const LaunchRequest& request, const Caller& caller);

}  // namespace vastgpu
