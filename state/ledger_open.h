#pragma once
// From a path to a connection that is ready for the ledger. Any thread.

#include <filesystem>

#include "state/sqlite.h"

namespace vastgpu {

/// @error as SqliteLedger::open
Result<Database> open_ledger_database(const std::filesystem::path& path);

}  // namespace vastgpu
