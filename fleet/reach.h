#pragma once
// Getting into a machine we rent.

#include "fleet/deps.h"

namespace vastgpu {

/// A shell on a rental whose address was verified before; the pinned host key is checked. Where there is
/// none, as after an adoption, the key that is shown is pinned first.
/// @error wrong_state  it has no verified address (yet), or it is over: others may have that address now
/// @error unavailable, unauthenticated, corrupt  as Connector::connect
Result<std::unique_ptr<Shell>> reach(const Deps& d, const Rental& rental, std::stop_token stop);

/// The rental of an instance id, or one that says what to do.
/// @error not_found
Result<Rental> rental_of(const Deps& d, InstanceId id);

/// Writes the lease into the file that the guard reads, in the machine's own time: a host's clock can be
/// hours off.
Result<void> tell_lease(const Deps& d, const Rental& rental, Shell& shell, std::stop_token stop);

/// How far the machine's clock is ahead, where it said `machine` between our `before` and `after`. Less than
/// what the question took, and half a minute, is none. Pure.
Duration clock_skew(TimePoint machine, TimePoint before, TimePoint after);

/// Serialises work on one rental between calls and between processes. Waits as long as the caller does.
Result<FileLock> lock_rental(const Deps& d, const std::string& label, const Caller& caller);

/// Puts the rental into the project's vast-instances.json, or marks it there. A broken file never stops the
/// work: the warning comes back as text, empty when all is well.
std::string publish(const Deps& d, const Rental& rental, const std::string& status);

}  // namespace vastgpu
