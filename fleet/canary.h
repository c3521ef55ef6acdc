#pragma once
// A canary: the real command at full batch for a few minutes, before hours of it are paid for. What it took
// and how fast it was says what the whole costs here, and whether another card would be cheaper or faster
// from here. The trial writes into a folder of its own, so that its results are not taken for real ones.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "fleet/jobs.h"
#include "fleet/quote.h"

namespace vastgpu {

constexpr auto kShortestCanary = std::chrono::minutes(2);  // loading and compiling take the first one
constexpr auto kLongestCanary = std::chrono::minutes(5);

/// "exp01-canary": its screen session and its log.
std::string canary_name(const std::string& experiment);

/// The job that tries `request` for so long and is then ended (exit code 143), or ends before. Relative paths
/// lead to the project, but for results/, outputs/, logs/, runs/, wandb/ and checkpoints/, which are its own
/// and go with it.
JobRequest canary_job(const JobRequest& request, std::chrono::minutes length);

/// What the trial showed.
struct CanaryReading {
  bool ended_by_us = false;  ///< it ran to the end of its time
  int exit_code = 0;
  bool out_of_memory = false;
  std::optional<Megabytes> peak;     ///< on the fullest GPU, of the job alone
  std::optional<Megabytes> gpu_ram;  ///< of that GPU
  std::optional<double> steps_per_second;
  std::optional<std::int64_t> steps_total;
  std::optional<Hours> whole;  ///< of the real run on this machine, from its beginning
};
CanaryReading read_canary(const JobLook& look);

/// Another card for the same work, from now.
struct Elsewhere {
  std::string quote_id, gpu_name;
  Usd total;      ///< estimate: boot, work, disk and traffic
  Hours ready{};  ///< from now until the result
};

/// What to do after the trial.
struct CanaryVerdict {
  enum class Kind { fits, failed, out_of_memory, unknown_length } kind = Kind::unknown_length;
  Usd here;  ///< of the whole run on this machine; 0 where its length is unknown
  bool lease_is_long_enough = true;
  std::optional<Elsewhere> cheaper;  ///< at least a tenth
  std::optional<Elsewhere> faster;   ///< at least a fifth
  std::string words;                 ///< for a person: one or two sentences
};

/// Pure. `per_hour`: of this machine with its disk; `lease_left`: from now.
CanaryVerdict judge_canary(const CanaryReading& reading, const std::string& gpu_name, UsdPerHour per_hour,
                           Hours lease_left, const std::vector<Elsewhere>& others);

/// The same work with what the trial measured, on offer now. Stores quotes; rents nothing. Empty where the
/// length is unknown or the trial failed for another reason than memory.
/// @error as make_quotes
Result<std::vector<Elsewhere>> requote(const Deps& d, const Rental& rental, const CanaryReading& reading,
                                       std::stop_token stop);

}  // namespace vastgpu
