#pragma once
// Which command and which script will run. One thread at a time.

#include <optional>
#include <string>
#include <vector>

#include "analysis/launch_line.h"
#include "analysis/program_reading.h"

namespace vastgpu {

struct ChosenRun {
  std::optional<LaunchLine> line;  ///< with its options; absent when only a script is known
  std::string script;              ///< relative to the project; empty for a tool
  std::string why;
  std::optional<Found<int>> slurm_gpus;
  std::optional<Found<std::string>> slurm_time;
  std::string launch_file;  ///< the shell script or Makefile the line stands in; empty otherwise
};

/// In this order: the user's command, the plan's run line or script, a launch script, a run line of README or
/// CLAUDE.md, the newest entry point. nullopt when the project holds none of them.
std::optional<ChosenRun> choose_run(ProjectFiles& files, const ProgramRequest& request,
                                    std::vector<std::string>& warnings);

}  // namespace vastgpu
