#pragma once
// What became of a machine that was ready: written down once per change, as an event and as the rental's
// note. Any thread.

#include "fleet/deps.h"

namespace vastgpu {

enum class Seen {
  running,      ///< and SSH lets us in, where it was tried
  starting,     ///< on its way: loading, rebooting
  offline,      ///< the host does not answer the marketplace; the GPU does not bill
  exited,       ///< by itself, while lease and intent say running
  outbid,       ///< interruptible: somebody pays more
  parked,       ///< loaded, and never started
  frozen,       ///< paused with its memory kept: the GPU bills
  stopped,      ///< as asked: by its guard, by us or by its owner
  unreachable,  ///< the marketplace says it runs, and SSH does not let us in
};
std::string_view to_string(Seen s);

/// What the row of a machine says. Pure.
Seen seen_in(const Rental& rental, const Instance& row);

struct Noticed {
  Seen seen = Seen::running;
  TimePoint since{};
  bool changed = false;  ///< by this call
};

/// Writes a change down. Nothing is written while it stays as it was; a first "running" is none.
/// @error as Ledger
Result<Noticed> notice(const Deps& d, Rental& rental, Seen now, const std::string& why);

/// What was written last; running since it was ready when nothing was.
/// @error as Ledger
Result<Noticed> last_noticed(const Deps& d, const Rental& rental);

/// "offline for 25 min: host heartbeat lost"; empty for running and stopped.
std::string to_words(const Noticed& noticed, const std::string& why, TimePoint now);

}  // namespace vastgpu
