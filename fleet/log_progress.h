#pragma once
// How far a job is and how fast, read from the end of its log: progress bars, dictionaries and lines of the
// usual trainers. The log is whatever the job wrote: nothing in it can make this slow, large or fail. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/units.h"

namespace vastgpu {

struct LogProgress {
  std::optional<double> rate;  ///< in `rate_unit`; the trainer's own summary, else the newest that was said
  std::string rate_unit;       ///< "steps/s", else "samples/s", else "tokens/s"

  /// Of the whole run. Absent where the log counts the steps of one epoch and does not say how many epochs.
  std::optional<std::int64_t> steps_done, steps_total;
  std::optional<double> epochs_done, epochs_total;
};

/// `end`: the last part of a log as bytes; only its last 64 KiB are looked at.
LogProgress read_progress(std::string_view end);

/// Whether it shows a CUDA (or XLA) allocation that failed.
bool shows_out_of_memory(std::string_view end);

/// What is left to do, where steps and rate tell, or the part done and the hours it took; else nothing.
std::optional<Hours> time_left(const LogProgress& progress, std::optional<Hours> ran);

}  // namespace vastgpu
