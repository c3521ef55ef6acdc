#pragma once
// Plays one story once for every point at which a process of it can die.

#include "tests/support/crash_story.h"

namespace vastgpu {

using CrashPlay = std::function<void(CrashStory&)>;

struct CrashCount {
  std::map<std::string, std::map<std::string, int>> hit;  ///< by phase, then "ledger before"
  int points = 0;                                         ///< deaths that were tried, each another point
  int twice = 0;                                          ///< of these: the next process died as well
  int stories = 0;
  double seconds = 0;
  std::vector<std::string> trouble;  ///< each with its round; empty: every rule held everywhere
};

/// First without a death, which lists the points of each phase. Then one round for each place of these lists:
/// in every phase the first process dies at the point that stands there, and in every seventh round the one
/// after it soon after. A phase is through when each of its points was hit and, of each kind, the next one
/// after the last was waited for in vain; a point that was never hit is trouble. VAST_GPU_CRASH_EVERY=N in
/// the environment takes one point in N of each kind instead.
CrashCount die_everywhere(const CrashOptions& options, const CrashPlay& play, int side_by_side);

/// 1, or what VAST_GPU_CRASH_EVERY says.
int crash_every();

std::string to_words(const std::string& story, const CrashCount& count);

}  // namespace vastgpu
