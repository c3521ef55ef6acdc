#pragma once
// Makes sure that a machine can end itself: its guard runs, holds the lease, and its key works. Any thread.

#include "fleet/deps.h"
#include "fleet/guard.h"

namespace vastgpu {

struct Arming {
  enum class State {
    armed,
    waiting,  ///< the guard has not said enough yet: ask again
    cannot,   ///< it would not end by itself; `words` says why
  };
  State state = State::waiting;
  std::string words;  ///< empty when armed
};

/// The note of a rental whose machine was kept although it cannot end itself.
std::string unguarded_note(const std::string& why);
bool is_unguarded(const Rental& rental);

/// Tells the guard the lease. Where the container's own key is missing or refused, the one that the create
/// returned is put there, too. One call is a few round trips and decides nothing that the guard has not
/// reported; the guard has four minutes for it from the first call on, by the machine's clock.
/// @error as Shell::exec: the machine did not answer
Result<Arming> arm(const Deps& d, const Rental& rental, Shell& shell, std::stop_token stop);

/// Whether arming ends here. Pure. `key_size`: of the key that we have for the machine, 0 when none;
/// `waited`: since the first call, by the machine's clock `now`.
Arming judge_guard(const std::optional<GuardReport>& report, TimePoint now, Duration waited,
                   std::size_t key_size);

}  // namespace vastgpu
