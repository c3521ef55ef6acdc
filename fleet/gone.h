#pragma once
// Ending a contract and proving it.

#include "fleet/deps.h"

namespace vastgpu {

/// Asks the marketplace to destroy, then reads back until the contract is absent twice in a row. The asking
/// is in the ledger before it leaves. Returns true when gone (status `destroyed`, instance file marked),
/// false when caller ran out first (status `destroying`; call again).
/// @error as Market::destroy and Market::instances; status stays `destroying`
Result<bool> make_gone(const Deps& d, Rental& rental, const std::string& why, const Caller& caller);

/// Writes down that the marketplace no longer lists it.
/// @error wrong_state  it was noted already, or its contract became known meanwhile; `rental` says where it
/// stands
Result<void> note_gone(const Deps& d, Rental& rental, const std::string& how);

/// The reason of a destroy that somebody asked for by name: its results were brought home before, or given
/// up.
inline constexpr std::string_view kAskedFor = "asked for";
/// Whether such a destroy was ever recorded, so that nothing has to be rescued and nothing may be rented in
/// its place.
Result<bool> was_asked_for(const Deps& d, const Rental& rental);

/// One look: is the contract missing from the complete list?
Result<bool> absent(const Deps& d, InstanceId id, std::stop_token stop);

}  // namespace vastgpu
