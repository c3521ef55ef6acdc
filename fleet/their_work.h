#pragma once
// Tools that share our machines and keep their own books there: the experiment queue below ~/.aris_queue and
// the watchdog below /tmp/aris-watchdog. Their unfinished work is work: nothing of ours ends a machine that
// has some. Pure; what stands in their files is bounded and cleaned.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"

namespace vastgpu {

/// One run of their queue.
struct TheirQueue {
  std::string run;  ///< its folder: "20261002T081500Z"
  bool readable = true;
  int pending = 0, running = 0, completed = 0, failed = 0, stuck = 0;
  std::optional<Duration> unchanged;  ///< since its state was written
  /// Some of it is left to do. Older managers try `failed_other` again for ever: such a queue counts as over
  /// when it has not changed for half an hour; so does a state that cannot be read.
  bool open() const;
};

struct TheirWork {
  std::vector<TheirQueue> queues;
  bool watchdog = false;            ///< it keeps status files
  std::vector<std::string> alerts;  ///< its last ones
  bool open() const;
};

/// The parts of a look, for a script in which `mark NAME` separates them: "theirs N" for each of the newest
/// queues, "watchdog" for the other.
std::string their_work_script();
constexpr int kTheirQueues = 3;  ///< so many are read

/// `part`: "AGE-SECONDS RUN" on the first line, then the state file.
std::optional<TheirQueue> read_their_queue(std::string_view part);
void read_watchdog(std::string_view part, TheirWork& into);

/// "their queue 20261002T081500Z: 3 pending, 1 running, 4 completed"
std::string to_words(const TheirQueue& queue);

}  // namespace vastgpu
