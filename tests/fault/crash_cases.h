#pragma once
// What the stories that die have in common.

#include <iostream>

#include "sandbox/machine.h"
#include "tests/support/catch.h"
#include "tests/support/crash_rounds.h"

namespace vastgpu {

// They wait for the scaled clock and for each other's processes. More of them on two cores make the processes
// so slow that machines run into the boot limit.
inline constexpr int kSideBySide = 3;

inline constexpr const char* kCrashJob =
    "mkdir -p results/deep && echo 42 >results/answer.txt && seq 1 9000 >results/deep/steps.txt && "
    ": >results/empty.txt";

inline void check_results(CrashStory& s) {
  std::string steps;
  for (int i = 1; i <= 9000; ++i) steps += std::to_string(i) + "\n";
  s.check_file("results/answer.txt", "42\n");
  s.check_file("results/deep/steps.txt", steps);
  s.check_file("results/empty.txt", "");
}

inline CrashOptions crash_options() { return {.program = VASTGPU_BINARY, .crashing = VASTGPU_CRASHING}; }

/// Prints the figures and holds that every rule held at every point.
inline void check(const std::string& name, const CrashCount& count, int at_least) {
  std::cout << to_words(name, count) << std::flush;
  for (const std::string& trouble : count.trouble) UNSCOPED_INFO(trouble);
  CHECK(count.trouble.empty());
  CHECK(count.points >= at_least / crash_every());
}

inline bool machines_missing() {
  const auto why = sandbox::machines_unavailable();
  if (why) WARN("skipped: " << *why);
  return why.has_value();
}

}  // namespace vastgpu
