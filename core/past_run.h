#pragma once
// What one finished job taught: a plain value, so that an estimate can take it without knowing the ledger.

#include <cstdint>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/ids.h"
#include "core/units.h"

namespace vastgpu {

/// One job that ended, as measured. What could not be measured is absent, never guessed.
struct PastRun {
  std::string label;  ///< of the rental; with `experiment` and `started` the key
  std::string experiment;
  std::string project;  ///< absolute folder
  std::string
      command;  ///< as it was run: its settings; may hold what a user would not show, like every command
  std::string script;  ///< "train.py" or "pkg.train" of `python -m`; empty when the command names none
  std::optional<InstanceId> instance;
  std::string gpu_name;              ///< marketplace spelling
  int num_gpus = 1;                  ///< that it was seen to use; all of the machine where that is not known
  std::optional<Megabytes> gpu_ram;  ///< of one GPU, MiB
  TimePoint started{};
  TimePoint ended{};
  std::optional<Hours> hours;  ///< wall clock by the machine's own clock
  int exit_code = 0;           ///< 0 is success; 143 was stopped on request
  bool oom = false;            ///< died of a CUDA out-of-memory error: it needs more than `gpu_ram`

  /// The most that one GPU held beyond what others held on it before, MiB; sampled every few seconds.
  std::optional<Megabytes> peak_vram;
  Megabytes held_before{};     ///< on that GPU by others; a few MiB is an empty card
  std::optional<double> rate;  ///< in `rate_unit`, as the log told
  std::string rate_unit;       ///< "steps/s", "samples/s" or "tokens/s"
  std::optional<std::int64_t> steps_done;
  std::optional<std::int64_t> steps_total;
  TimePoint recorded{};
};

}  // namespace vastgpu
