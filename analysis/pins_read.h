#pragma once
// Pinned packages and the image of a Dockerfile. One thread at a time.

#include "analysis/program_reading.h"

namespace vastgpu {

/// torch, its CUDA, the packages that decide what a card must be able to do, and a Dockerfile's FROM; from
/// requirements*.txt, pyproject.toml, setup.cfg, environment.yml, lock files and Dockerfile, the most exact
/// first.
void read_pins(ProjectFiles& files, ProgramReading& into);

}  // namespace vastgpu
