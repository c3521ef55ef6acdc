#pragma once
// What is said about a candidate or an option, computed from its numbers. Pure functions.

#include <string>
#include <vector>

#include "fleet/options.h"

namespace vastgpu {

/// What a person should know before renting: reliability, neighbours, network, interruptions, end of the
/// listing.
std::vector<std::string> flags_of(const Candidate& c);

/// When `options[at]` would be the wrong choice, by its difference to the others: "$0.40 dearer than the
/// cheapest for 25 min less".
std::string wrong_when(const std::vector<Option>& options, std::size_t at);

/// What one interruption of this candidate would cost. `checkpoints`: the work saves and resumes.
std::string interruption_cost(const Candidate& c, bool checkpoints, Usd disk_per_day);

}  // namespace vastgpu
