#pragma once
// What a job that ended too early can go on from: the newest checkpoint that it wrote, and the way in which
// its script takes one. One round trip.

#include <optional>
#include <string>
#include <vector>

#include "fleet/deps.h"

namespace vastgpu {

struct Checkpoint {
  std::string path;     ///< on the machine, relative to the project; a folder where it is one
  std::string command;  ///< the job's command with this checkpoint; the command itself where the script's own
                        ///< way is not known
  bool option_known = false;
};

/// Absent where it wrote none.
/// @error as Shell::exec
Result<std::optional<Checkpoint>> newest_checkpoint(Shell& shell, const Job& job, std::stop_token stop);

/// The first line of `answer` that names a checkpoint, with the options that the script has. Pure.
std::optional<Checkpoint> read_checkpoint(std::string_view answer, const std::string& command);

}  // namespace vastgpu
