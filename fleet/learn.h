#pragma once
// What finished jobs teach: written to the ledger once per job, read back for the next estimate. Any thread.

#include <filesystem>

#include "core/past_run.h"
#include "fleet/deps.h"
#include "fleet/gpu_memory.h"
#include "fleet/log_progress.h"

namespace vastgpu {

constexpr int kMostPastRuns = 50;

/// What jobs of this project measured, newest first, at most kMostPastRuns. `project`: absolute, as rentals
/// name it.
/// @error as Ledger
Result<std::vector<PastRun>> past_runs(const Deps& d, const std::filesystem::path& project);

/// The script a command runs: its first "x.py", else what follows "-m", else its first "x.sh"; else empty.
std::string script_of(const std::string& command);

/// What one look at the machine tells about a job that ended.
struct JobEnd {
  std::optional<Hours> ran;
  MemorySeen memory;
  LogProgress progress;
  bool out_of_memory = false;
};

/// Writes it unless it is there. A ledger that cannot be written stops nothing: it is logged, and the next
/// look tries again.
void learn(Ledger& ledger, TimePoint now, const Rental& rental, const Job& job, const JobEnd& end);

}  // namespace vastgpu
