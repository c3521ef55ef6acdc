#pragma once
// What the launch line that will run says. One thread at a time.

#include "analysis/launch_line.h"
#include "analysis/program_reading.h"

namespace vastgpu {

/// Adds its options, models, number of GPUs and what its tool implies.
void take_launch(const LaunchLine& line, ProgramReading& into);

/// Configuration files that the line names, the one of the run first; then those of accelerate and DeepSpeed.
std::vector<Found<std::string>> configs_of_launch(const LaunchLine& line);

}  // namespace vastgpu
