#pragma once
// One stretch of a keeper's work, in a process of its own: the ledger, the marketplace and the machines are
// opened there, and whatever memory that takes is given back at its end.

#include <array>
#include <atomic>
#include <memory>
#include <stop_token>

#include "server/house.h"

namespace vastgpu {

/// Memory that keeper and stretch share; it outlives the stretch. One stretch at a time writes.
struct KeeperBoard {
  std::atomic<std::int64_t> next_look{0};  ///< clock time in microseconds since 1970; 0: nothing was said
  std::atomic<int> refused{0};             ///< passes in a row in which the marketplace did not take our key
  std::array<std::uint64_t, 256> told =
      {};  ///< hashes of the lines of the last pass: said once, not each time
};

/// One pass over everything of ours, told to the log, noted in the ledger as the layer "keeper". Returns the
/// pass's exit code: 0 nothing bills, 1 something does, 2 unknown.
int keep_once(House& house, KeeperBoard& board, std::stop_token stop);

/// Whether the ledger has a rental that may bill. Unknown counts as yes.
bool anything_open(House& house);

/// When to look again: a minute from now, or after 20 seconds where a lease ended or ends within minutes.
TimePoint next_look(const std::vector<Rental>& open, TimePoint now);

}  // namespace vastgpu
