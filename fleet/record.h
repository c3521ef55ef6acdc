#pragma once
// Changes of a rental on disk. They are made on what the ledger holds now, in one transaction over all
// processes, never on a copy: a call that waited meanwhile cannot undo what another one wrote.

#include "fleet/deps.h"
#include "fleet/lifecycle.h"

namespace vastgpu {

/// Takes one step; `also` sets what comes with it, and `event` is written with it or not at all. `rental` is
/// then what is stored, also when the step was refused.
/// @error wrong_state  the step does not apply to where the rental stands now
Result<void> advance(const Deps& d, Rental& rental, Event on, const std::function<void(Rental&)>& also = {},
                     const std::optional<LedgerEvent>& event = std::nullopt);

/// Sets something without a step.
Result<void> amend(const Deps& d, Rental& rental, const std::function<void(Rental&)>& change);

/// Reads it again.
Result<void> refresh(const Deps& d, Rental& rental);

}  // namespace vastgpu
