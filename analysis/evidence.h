#pragma once
// Candidates for one quantity, and the one that counts. Pure; any thread.

#include <optional>
#include <string>
#include <vector>

#include "analysis/task_profile.h"

namespace vastgpu {

/// The ranks of estimation: a lower number wins.
namespace rank {
inline constexpr int kUser = 1;       ///< said in this call
inline constexpr int kMeasured = 2;   ///< a measured number in the project
inline constexpr int kPlan = 3;       ///< the plan's total and hardware
inline constexpr int kScript = 4;     ///< the script and launch line that will run
inline constexpr int kPlanSum = 5;    ///< the plan's costs, added up
inline constexpr int kNamedCard = 6;  ///< a card named as available: no more than a hint
inline constexpr int kRule = 7;       ///< rule of thumb for a named model
inline constexpr int kDefault = 8;
}  // namespace rank

/// An Evidence on one line.
Evidence witness(std::string quantity, json value, std::string source, int of_rank, bool guess = false,
                 double headroom = 1);
/// What the user said in this call.
Evidence user_says(std::string quantity, json value);

/// The candidate with the lowest rank, the first of equals; the others are named in `overruled` where they
/// differ. nullopt when there is none.
std::optional<Evidence> settle(std::vector<Evidence> candidates);

/// "23 GPU-hours", "19.2 GiB": the value with the unit of its quantity.
std::string shown(const Evidence& e);

}  // namespace vastgpu
