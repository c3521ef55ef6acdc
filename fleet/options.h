#pragma once
// Offers to options: drop what cannot work, price what can, choose three that differ. Pure functions.

#include <set>
#include <string>
#include <vector>

#include "analysis/task_profile.h"
#include "core/rental.h"
#include "fleet/pricing.h"

namespace vastgpu {

struct Candidate {
  Offer offer;
  std::optional<Hours> work;  ///< on this card, headroom included
  Hours lease{};
  std::string image;               ///< the profile's, or its newer one where the card needs it
  CostBreakdown estimate;          ///< for `work` (for the lease when work is unknown)
  CostBreakdown worst;             ///< over the whole lease and the guard's grace
  std::vector<std::string> flags;  ///< in words: "reliability 95.8 %: about 4 % chance of interruption"
};

struct Screening {
  std::vector<Candidate> candidates;   ///< cheapest first
  std::map<std::string, int> dropped;  ///< reason -> how many offers
};

/// `avoid`: machines remembered as bad.
Screening screen(const std::vector<Offer>& offers, const TaskProfile& profile, std::optional<Hours> lease,
                 const std::set<MachineId>& avoid);

/// A choice and the machines that may stand in for it without asking again.
struct Option {
  std::string title;  ///< "cheapest", "best value", "fastest"
  Candidate chosen;
  std::vector<Candidate> alternates;  ///< other machines, at most 15 % dearer in the worst case
  Usd worst_case;          ///< the dearest of chosen and alternates: the number that is shown and kept
  std::string wrong_when;  ///< one line on when it would be the wrong choice
};

/// Up to three, on different offers; fewer when fewer exist.
std::vector<Option> choose_three(const std::vector<Candidate>& candidates);

}  // namespace vastgpu
