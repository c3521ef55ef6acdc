#pragma once
// Renewing a lease while its experiment lives: how far, when, by how much. What a renewal may cost in all is
// fixed when the machine is rented (Rental::renew_to) and shown then. The decisions are pure.

#include "analysis/analyse.h"
#include "fleet/deps.h"
#include "fleet/jobs.h"

namespace vastgpu {

/// To what the worst case of a rental may grow by itself: the project's max_budget where auto_extend is on,
/// in settings.json and in the project; else what its envelope was approved for; else the worst case.
Usd renewable_to(Usd worst_case, const Result<AccountSettings>& account, const ProjectSettings& project,
                 const std::optional<SpendingEnvelope>& envelope = {});

/// "; while its experiment runs on it may be renewed up to your max_budget of $5.00"; empty when it is not.
std::string renewal_words(Usd worst_case, Usd renewable, std::optional<Usd> budget);

/// What has to be added to a lease while an experiment lives; nothing when there is no need yet.
/// @param eta  what the log says is left to do
std::optional<Hours> renewal_needed(Hours lease_left, std::optional<Hours> eta);

/// The most that may be added: by what is left up to `renew_to`, and by the host's end date.
Hours renewal_allowed(const Rental& rental, std::optional<TimePoint> host_ends);

/// Why a lease is never renewed, or not any further; empty when it may be.
std::string why_not_renewed(const Rental& rental, const Result<AccountSettings>& account,
                            const ProjectSettings& project);

/// Whether an experiment lives: it runs, and its heartbeat is fresh, or it started too recently to have one.
bool is_alive(const JobLook& job, TimePoint now);

struct Renewal {
  bool done = false;
  std::string words;  ///< what was done, or why it was not; empty when there was no need
};

/// Renews where an experiment lives and its lease is nearly over, or shorter than what is left to do. All
/// limits are checked again by the ledger. `rental` is then what is stored.
/// @error as Ledger, where what is stored is not known
Result<Renewal> renew(const Deps& d, Rental& rental, const MachineLook& look,
                      std::optional<TimePoint> host_ends, const Caller& caller);

/// From here on a lease that cannot be renewed is a warning.
inline constexpr auto kLeaseNearlyOver = std::chrono::minutes(15);

}  // namespace vastgpu
