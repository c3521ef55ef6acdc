#pragma once
// A contract that carries a label like ours but is not in this ledger: the ledger was lost, or another
// computer of the same account rented it. It bills, so it is written down and can be ended like any other.

#include "fleet/deps.h"

namespace vastgpu {

/// Writes a rental for an orphan, and gives it. Results of it go to `project`; where that is empty, to
/// <state folder>/adopted/<label>, since its own project is not known. Its lease is what the create sent
/// along; where that cannot be read it is unknown, and this moment stands for it. One that was rented from
/// here is ours again; any other stays `adopted`. Any number of processes may do this at once: it is written
/// once.
/// @error as Ledger, and as lock_rental
Result<Rental> adopt_orphan(const Deps& d, const Instance& row, const std::filesystem::path& project,
                            const Caller& caller);

/// An adopted rental whose project nobody knew turns out to be of this one: its results go there from now on.
/// Any other rental stays as it is.
Result<void> give_project(const Deps& d, Rental& rental, const std::filesystem::path& project);

/// A rental that was found by its label, whose project nobody knows.
bool is_homeless(const Deps& d, const Rental& rental);

}  // namespace vastgpu
