#pragma once
// What a rental has cost so far, and the report at its end: estimate, our own count, the provider's charges.

#include "fleet/cost_causes.h"
#include "fleet/deps.h"

namespace vastgpu {

struct CostSoFar {
  Hours since_created{};
  Usd ours;  ///< price x time since the intent, boot included: rather too much
};
CostSoFar cost_so_far(const Rental& rental, TimePoint now);

struct CostReport {
  Rental rental;
  CostSoFar ours;
  std::optional<Usd> charged;             ///< the provider's own figure; absent when it cannot be read yet
  std::map<std::string, Usd> charged_by;  ///< "gpu", "disk", "bwd", "bwu"
  std::vector<CostCause> causes;          ///< estimate against charges; empty while there are none
  std::string charges_note;               ///< why `charged` is absent or provisional
};
/// Charges that were read are kept in the ledger; where the provider does not answer, the kept ones are
/// shown. The provider is not asked where those are younger than `fresh`.
CostReport report(const Deps& d, const Rental& rental, std::stop_token stop, Duration fresh = {});

/// The provider posts by the day, so what was read at the end of a rental may be a part. Reads again, with
/// one request, what rentals of the last three days were charged, at most once an hour and until a day after
/// their end. Gives how many rentals were brought up to date.
Result<int> settle_charges(const Deps& d, std::stop_token stop);

json to_facts(const CostReport& r);
std::string to_words(const CostReport& r);

/// What the guard does at the end of a lease and what that costs from then on, where the price is known.
std::string end_words(LeaseEnd at_end, std::optional<Usd> disk_per_day);

/// The facts of a rental that every tool shows.
json rental_facts(const Rental& r, TimePoint now);

}  // namespace vastgpu
