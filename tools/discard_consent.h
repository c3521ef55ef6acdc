#pragma once
// The person's yes before results are lost for good. Where the client can show a form, the person is asked;
// the argument confirm_discard answers as well. Any thread.

#include <set>

#include "tools/asking.h"
#include "tools/common.h"

namespace vastgpu {

inline constexpr const char* kConfirmDiscardHelp =
    "With discard_results: true once the user said yes to losing the results of these machines for good. "
    "Answers the question that is asked otherwise";

/// Either go on, or the answer of this call.
struct DiscardConsent {
  std::optional<Envelope> answer;    ///< set: nothing is destroyed now
  std::set<InstanceId> agreed = {};  ///< machines whose results may be lost
};

/// Of these, which may lose their results. Not asked: for machines that hold none or are being destroyed
/// already, when `confirmed`, or when the client cannot show a form (then the word of the assistant holds: it
/// has asked). Work that began while the question was open asks again. `again`: tool and arguments of this
/// call, for the answer that says how else to agree.
Result<DiscardConsent> consent_to_discard(const Deps& d, const std::vector<Rental>& rentals, bool confirmed,
                                          NextCall again, const CallContext& call);

}  // namespace vastgpu
