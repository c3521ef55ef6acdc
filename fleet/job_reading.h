#pragma once
// What a machine answers about its jobs, taken apart. Everything in it may be a lie, cut or enormous. Pure.

#include <map>
#include <string>

#include "fleet/jobs.h"

namespace vastgpu {

constexpr std::size_t kMostLog = 24'000;  ///< bytes of a log that one look brings

/// The parts of an answer, each behind a line of `mark` and its name; the first of a name counts.
std::map<std::string, std::string> parts_of(const std::string& answer, const std::string& mark);

/// What a look at the machine told, beside the job itself.
struct LookTerms {
  int lines = 0;                         ///< of the log to show
  std::optional<TimePoint> machine_now;  ///< by the machine's clock
  Duration skew{};                       ///< how far that clock is ahead of ours
  TimePoint now{};                       ///< by ours
  std::string container;                 ///< "ID AGE" of the container as it runs now; empty: not told
  const QueueLook* queue = nullptr;
  bool lease_over = false;  ///< what waits now will never start
};

/// `facts`: the line that the machine says about this job; empty when its answer was cut before it.
/// `window`: the end of its log.
void read_job(JobLook& look, const std::string& facts, std::string window, const LookTerms& terms);

/// `part`: "INODE FROM" on the first line, then the bytes from there on; `rest`: what was left in the file
/// that the log was before. With a new line break where something is missing between two looks.
void follow_log(LogFollow& log, const std::string& part, const std::string& rest);

/// Whether the machine's notes are about this start of the experiment.
bool is_of_turn(const Job& job, const std::string& facts);

/// "name, busy, used, total" lines, used and total in MiB; at most 64.
std::vector<GpuNow> read_gpus(const std::string& csv);
std::string to_words(const std::vector<GpuNow>& gpus);

/// A moment in seconds that a machine wrote behind `key`; nothing when no clock can have shown it.
std::optional<TimePoint> moment_after(std::string_view line, std::string_view key);

/// A progress bar drawn with carriage returns is worth its last state only. The last `most` bytes, cleaned.
std::string last_states(std::string_view log, std::size_t most = kMostLog);

/// The names in a list of screen sessions, dead ones left out.
std::vector<std::string> screen_names(const std::string& list);

}  // namespace vastgpu
