// The crash_point of vast-gpu-crashing: with VAST_GPU_CRASH_AT=N the process ends by SIGKILL at the Nth point
// it passes, and with VAST_GPU_CRASH_LOG every point that it passed is a line "N what moment" of that file.
// Any thread.
//
// A point stands before and after every write to the ledger (each commit, and each statement outside a
// transaction), to the user's disk (file replaced or created, folder made, piece of a file that lands, its
// rename), every request that changes something at the marketplace, and every use of a machine (command, put,
// each piece of code sent, collect). Left out, since nothing that is read later hangs on them: log lines on
// stderr, protocol on stdout, lock files (empty), the permission bits of an existing folder, files that are
// removed because they are left over, SQLite's own checkpoints, folders below state/ made by hand of
// doctor, and the logs of child processes of the demo.

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "core/crash_point.h"

namespace vastgpu {
namespace {

struct Plan {
  long at = 0;  // 0: never
  int log = -1;
  Plan() {
    if (const char* number = std::getenv("VAST_GPU_CRASH_AT"); number != nullptr) at = std::atol(number);
    if (const char* file = std::getenv("VAST_GPU_CRASH_LOG"); file != nullptr)
      log = ::open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
};

}  // namespace

void crash_point(const char* what, const char* moment) {
  static const Plan plan;
  static std::atomic<long> passed{0};
  if (plan.at == 0 && plan.log < 0) return;
  const long now = ++passed;
  // No allocation: this may be the last thing that the process does.
  char line[64];
  char* end = std::to_chars(line, line + 16, now).ptr;
  for (const char* word : {" ", what, " ", moment, "\n"}) {
    const std::size_t size = std::min<std::size_t>(std::strlen(word), 12);
    std::memcpy(end, word, size);
    end += size;
  }
  if (plan.log >= 0) [[maybe_unused]]
    const auto written = ::write(plan.log, line, static_cast<std::size_t>(end - line));
  if (now == plan.at) ::kill(::getpid(), SIGKILL);
}

}  // namespace vastgpu
