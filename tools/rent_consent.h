#pragma once
// The person's yes before a machine is rented: which quote, and the most it may cost. Where the client can
// show a form, the person is asked; an argument answers as well. Any thread.

#include <map>

#include "fleet/envelope.h"
#include "fleet/quote.h"
#include "tools/asking.h"
#include "tools/common.h"

namespace vastgpu {

struct RentWish {
  std::optional<double> approve_usd = {};          ///< the most that the user said yes to
  std::optional<double> max_usd = {};              ///< this call's own limit
  std::optional<EnvelopeWish> envelope = {};       ///< a new one that is to be approved with it
  std::optional<std::string> envelope_until = {};  ///< its end as it was given
  std::optional<std::string> envelope_id = {};     ///< draws on one that was approved before
};

/// Either go on, or the answer of this call.
struct RentConsent {
  std::optional<Envelope> answer;    ///< set: nothing is rented now
  std::optional<Usd> approved = {};  ///< nothing above it
  /// The new envelope, where it was consented to and may be stored.
  std::optional<EnvelopeWish> envelope = {};
};

/// Whether `quote` may be rented now. Not asked: when it was begun before, when an argument or an envelope
/// says yes, when renting it is refused anyway, or when the client cannot show a form (then the tool's
/// description holds: the assistant has asked).
/// @error over_budget  approve_usd does not cover what it can cost, or what its new envelope can
/// @error wrong_state  it was begun before, without the envelope that is wished for now
/// @error as check_envelope
Result<RentConsent> consent_to(const Deps& d, const Quote& quote, const RentWish& wish,
                               const ProjectSettings& settings, const CallContext& call);

/// Lets the person choose among quotes; picking one is the yes to it.
Envelope ask_which(const Deps& d, const std::vector<Quote>& quotes, const RentWish& wish,
                   const ProjectSettings& settings);

/// The quote that this call's question was about: the one that was picked, or the only one; empty: there was
/// none.
std::string quote_asked_about(const CallContext& call);

/// What is rented when no quote is named: the project's machine that is on its way, so that a repeated call
/// rents nothing new; empty: there is none.
Result<std::string> quote_under_way(const Deps& d, const std::string& project);

/// What the person chooses from: the options of the last provision where they are still fresh, else new ones.
/// @error not_found  nothing fits
Result<std::vector<Quote>> quotes_to_choose_from(const Deps& d, const std::filesystem::path& project,
                                                 const ProjectSettings& settings, std::stop_token stop);

}  // namespace vastgpu
