#pragma once
// Opening a ledger that may be gone or damaged. What is damaged is moved aside, never thrown away; what can
// still be read goes into a new one, and the rest comes back from the labels of the live list. Any thread,
// any number of processes.

#include "state/sqlite_ledger.h"

namespace vastgpu {

struct OpenedLedger {
  std::unique_ptr<SqliteLedger> ledger;
  std::string rebuilt = {};  ///< why it was made anew, and what came back, for people; empty: it was sound
};

/// As SqliteLedger::open, after a look at every page. `expected`: it was there before, so that a missing file
/// means that its records are lost.
/// @error as SqliteLedger::open, but a damaged file is no error unless it cannot be moved aside
Result<OpenedLedger> open_or_rebuild(const std::filesystem::path& path, const std::string& actor,
                                     bool expected, TimePoint now);

}  // namespace vastgpu
