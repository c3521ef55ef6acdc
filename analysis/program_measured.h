#pragma once
// Memory that somebody measured: comments such as "# 22GiB", and logs of earlier runs. One thread at a time.

#include "analysis/program_reading.h"

namespace vastgpu {

/// GiB in a comment that speaks of GPU memory in use; nullopt for sizes of cards, disks and downloads.
std::optional<double> measured_in_comment(std::string_view comment);
/// GiB in a line of a log: "peak memory: 31.2 GiB", "21034MiB / 24564MiB", "max_memory_allocated: 18.2 GB".
std::optional<double> measured_in_log(std::string_view line);

/// The largest of each of the newest logs; says where one ran out of memory.
void read_logs(ProjectFiles& files, ProgramReading& into);

}  // namespace vastgpu
