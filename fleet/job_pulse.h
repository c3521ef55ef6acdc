#pragma once
// The pulse of a job: once a minute its own wrapper notes how long the log is, how much disk is free and how
// busy each GPU is. So the rhythm of a job is known although nobody watched it. Pure.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"

namespace vastgpu {

/// The part of a job's bash script that starts it: expects $f and $log, leaves the process id in $pulse.
/// Writes $f/pulse, the last two hours: "time log-bytes free-KiB GPU:percent GPU:percent".
std::string pulse_script();

struct Pulse {
  TimePoint at{};  ///< by the machine's clock
  std::uint64_t log_size = 0;
  std::uint64_t disk_free = 0;  ///< bytes
  std::map<int, int> busy;      ///< percent of each GPU; empty where nvidia-smi says nothing
};

constexpr std::size_t kMostPulses = 6000;  ///< bytes of $f/pulse that are read

/// Oldest first; what cannot be true is left out, and so is everything before a step back in time.
std::vector<Pulse> read_pulses(std::string_view notes);

}  // namespace vastgpu
