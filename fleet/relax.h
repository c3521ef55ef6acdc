#pragma once
// When nothing fits: which single requirement to give up, and what each would bring. Computed by screening a
// wider search again, never canned. Pure functions.

#include <set>
#include <string>
#include <vector>

#include "fleet/options.h"

namespace vastgpu {

/// Everything that excluded all machines, and what a wider search found.
struct Tightness {
  TaskProfile profile;
  Demands demands;
  std::optional<Usd> budget;  ///< on the worst case
  std::optional<Hours> lease;
  std::set<MachineId> avoid;
  std::vector<Offer> offers;  ///< on demand, searched without most of the requirements, priced for any disk
  std::vector<Offer> bids;    ///< interruptible, searched with all of them; may be empty
};

/// One requirement given up while all others hold.
struct Relaxation {
  std::string requirement;   ///< "budget", "memory", "number of GPUs", "reliability", "region", "disk"...
  std::string how;           ///< "accept reliability from 90 % on"
  std::size_t machines = 0;  ///< that fit then; never 0
  Candidate cheapest;        ///< of these
};

/// Those that bring a machine, cheapest total first. Empty: no single requirement is to blame.
std::vector<Relaxation> relaxations(const Tightness& t);

/// The offer at the price it has with another disk.
Offer with_disk(Offer offer, Gigabytes disk);

/// "accept unverified machines: 4 machines, the cheapest a RTX 3090 for ~$0.80 (at most $1.10)".
std::string to_words(const Relaxation& r);

}  // namespace vastgpu
