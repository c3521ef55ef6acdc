#pragma once
// The tables of the ledger, as steps from one version to the next. Step N brings a database from version N to
// N + 1; a step that was released is never edited. Constant.

#include <span>

#include "core/error.h"
#include "state/sqlite.h"

namespace vastgpu {

std::span<const char* const> ledger_steps();

/// Whether `db` is a ledger of exactly the version that `steps` lead to. Only reads.
/// @error corrupt      a database of another program, or damaged
/// @error wrong_state  written by a newer version of this program
Result<bool> is_current(Database& db, std::span<const char* const> steps);

/// Runs the missing steps, all or none.
/// @error as is_current
Result<void> migrate(Database& db, std::span<const char* const> steps);

}  // namespace vastgpu
