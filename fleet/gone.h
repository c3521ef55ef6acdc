#pragma once
// Ending a contract and proving it.

#include "fleet/deps.h"

namespace vastgpu {

/// Asks the marketplace to destroy, then reads back until the contract is absent twice in a row. The asking is in the
/// ledger before it leaves. Returns true when gone (status `destroyed`, instance file marked), false when caller ran
/// out first (status `destroying`; call again).
/// @error as Market::destroy and Market::instances; status stays `destroying`
Result<bool> make_gone(const Deps& d, Rental& rental, const std::string& why, const Caller& caller);

/// Writes down that the marketplace no longer lists it.
Result<void> note_gone(const Deps& d, Rental& rental, const std::string& how);

}  // namespace vastgpu
