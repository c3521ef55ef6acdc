#pragma once
// What a machine answers about its jobs, taken apart. Everything in it may be a lie, cut or enormous. Pure.

#include <map>
#include <string>

#include "fleet/jobs.h"

namespace vastgpu {

constexpr std::size_t kMostLog = 24'000;  ///< bytes of a log that one look brings

/// The parts of an answer, each behind a line of `mark` and its name; the first of a name counts.
std::map<std::string, std::string> parts_of(const std::string& answer, const std::string& mark);

/// `body`: what the machine said about this job; empty when its answer was cut before it.
void read_job(JobLook& look, const std::string& body, int lines, std::optional<TimePoint> machine_now,
              TimePoint now);

/// Whether the machine's notes are about this start of the experiment.
bool is_of_turn(const Job& job, const std::string& body);

/// "name, busy, used, total" lines in words.
std::string gpu_words(const std::string& csv);

/// A moment in seconds that a machine wrote behind `key`; nothing when no clock can have shown it.
std::optional<TimePoint> moment_after(std::string_view line, std::string_view key);

/// The names in a list of screen sessions, dead ones left out.
std::vector<std::string> screen_names(const std::string& list);

}  // namespace vastgpu
