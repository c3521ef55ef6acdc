#pragma once
// Offers to options: drop what cannot work, price what can, choose three that differ. Pure functions.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "analysis/task_profile.h"
#include "core/rental.h"
#include "fleet/pricing.h"

namespace vastgpu {

/// What a machine must be beyond what the task needs. The search asks for it, and the screening holds to it.
struct Demands {
  double min_reliability = 0.95;
  Mbps min_inet_down{100};
  bool verified_only = true;
  std::vector<std::string> countries = {};  ///< "US", "DE"; empty means anywhere
};

struct Candidate {
  Offer offer;
  std::optional<Hours> work;  ///< on this card, headroom included
  Hours start{};              ///< from create until the work can begin
  Hours lease{};
  std::string image;               ///< the profile's, or its newer one where the card needs it
  CostBreakdown estimate;          ///< for start and `work` (for the lease when work is unknown)
  CostBreakdown worst;             ///< over the whole lease and kLeaseReserve
  std::vector<std::string> flags;  ///< in words: "reliability 95.8 %: about 4 % chance of interruption"

  /// From create to the result; unknown when the work is.
  std::optional<Hours> until_done() const;
};

struct Screening {
  std::vector<Candidate> candidates;   ///< cheapest first
  std::map<std::string, int> dropped;  ///< reason -> how many offers
};

/// An offer with its times and costs for this work; nothing is screened.
Candidate priced(const Offer& offer, const TaskProfile& profile, std::optional<Hours> lease);

/// `avoid`: machines remembered as bad.
Screening screen(const std::vector<Offer>& offers, const TaskProfile& profile, std::optional<Hours> lease,
                 const std::set<MachineId>& avoid, const Demands& demands = {});

/// A choice and the machines that may stand in for it without asking again.
struct Option {
  std::string
      title;  ///< "cheapest", "best value", "fastest" ("next fastest" where the cheapest is faster still)
  Candidate chosen;
  std::vector<Candidate> alternates;  ///< other machines, at most 15 % dearer in the worst case
  Usd worst_case;          ///< the dearest of chosen and alternates: the number that is shown and kept
  std::string wrong_when;  ///< one line on when it would be the wrong choice, against the other options
};

/// A choice with its stand-ins out of `all`. `wrong_when` is left empty.
Option make_option(std::string title, const Candidate& chosen, const std::vector<Candidate>& all);

/// Up to three, on different machines and on different cards where that costs no title its truth; fewer when
/// fewer exist.
std::vector<Option> choose_three(const std::vector<Candidate>& candidates);

}  // namespace vastgpu
