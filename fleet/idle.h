#pragma once
// Whether anything happens on a machine: no experiment, no screen session of somebody else, a GPU that rests,
// and no file that moved. A machine on which nothing happens is never renewed, and is named with what it
// costs an hour. The decisions are pure.

#include "fleet/deps.h"

namespace vastgpu {

struct Stillness {
  bool files_moved = true;         ///< since the last look; also when there was none, or it could not be told
  std::optional<double> gpu_busy;  ///< percent, of the busiest; absent when nvidia-smi says nothing
};

/// Looks whether a file or folder under /workspace changed since the last such look, ours left out. The
/// mark is a file on the machine, so that no two clocks are compared. One round trip.
/// @error as Shell::exec
Result<Stillness> feel(Shell& shell, std::stop_token stop);

/// What a look answers, to Stillness. Pure.
Stillness read_stillness(std::string_view answer);

/// Since when nothing happened. `busy`: an experiment or a session of somebody else runs.
std::optional<TimePoint> idle_since(std::optional<TimePoint> before, bool busy, const Stillness& seen,
                                    TimePoint now);

inline constexpr auto kIdleWarns = std::chrono::minutes(20);

/// "nothing has happened on it for 25 min; it costs $0.3412/h until 2026-11-21T16:00:00Z"; empty before
/// kIdleWarns.
std::string idle_words(const Rental& rental, TimePoint now);

}  // namespace vastgpu
