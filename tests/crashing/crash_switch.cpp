// The crash_point of vast-gpu-crashing: with VAST_GPU_CRASH_AT="ledger before 3" the process ends by SIGKILL
// at the third such point that it passes, and with VAST_GPU_CRASH_LOG every point that it passed is a line
// "ledger before 3" of that file. Any thread.
//
// A point stands before and after every write to the ledger (each commit, and each statement outside a
// transaction), to the user's disk (file replaced or created, folder made, piece of a file that lands, its
// rename), every request that changes something at the marketplace, and every use of a machine (command, put,
// each piece of code sent, collect). Left out, since nothing that is read later hangs on them: log lines on
// stderr, protocol on stdout, lock files (empty), the permission bits of an existing folder, files that are
// removed because they are left over, SQLite's own checkpoints, folders below state/ made by hand of
// doctor, and the logs of child processes of the demo.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/crash_point.h"

namespace vastgpu {
namespace {

constexpr const char* kKinds[] = {"ledger", "disk", "api", "ssh"};
constexpr std::size_t kKindCount = sizeof kKinds / sizeof *kKinds;

struct Plan {
  const char* at = std::getenv("VAST_GPU_CRASH_AT");  // null: never
  int log = -1;
  Plan() {
    if (const char* file = std::getenv("VAST_GPU_CRASH_LOG"); file != nullptr)
      log = ::open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
};

using Counts = std::atomic<int>[kKindCount + 1][2];

/// Shared with the children that a keeper forks: a point is passed once in all of them.
Counts& shared_counts() {
  static Counts* const counts = [] {
    void* const memory =
        ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    return static_cast<Counts*>(memory);  // zeroed pages
  }();
  return *counts;
}
[[maybe_unused]] const Counts& kMappedBeforeAnyFork = shared_counts();

/// A keeper's child takes the keeper with it: what dies is the whole of it.
void kill_parent_of_our_kind() {
  char ours[512], theirs[512], path[64];
  std::snprintf(path, sizeof path, "/proc/%d/exe", ::getppid());
  const ssize_t a = ::readlink("/proc/self/exe", ours, sizeof ours),
                b = ::readlink(path, theirs, sizeof theirs);
  if (a > 0 && a == b && std::memcmp(ours, theirs, static_cast<std::size_t>(a)) == 0)
    ::kill(::getppid(), SIGKILL);
}

/// What of that kind and moment was passed so far, this one included.
int passed(const char* what, const char* moment) {
  Counts& counts = shared_counts();
  std::size_t kind = 0;
  while (kind < kKindCount && std::strcmp(kKinds[kind], what) != 0) ++kind;
  return ++counts[kind][std::strcmp(moment, "after") == 0 ? 1 : 0];
}

}  // namespace

void crash_point(const char* what, const char* moment) {
  static const Plan plan;
  if (plan.at == nullptr && plan.log < 0) return;
  char line[64];  // no allocation: this may be the last thing that the process does
  const int size = std::snprintf(line, sizeof line - 1, "%.12s %.12s %d", what, moment, passed(what, moment));
  const bool last = plan.at != nullptr && std::strcmp(line, plan.at) == 0;
  line[size] = '\n';
  if (plan.log >= 0) [[maybe_unused]]
    const auto written = ::write(plan.log, line, static_cast<std::size_t>(size) + 1);
  if (!last) return;
  kill_parent_of_our_kind();
  ::kill(::getpid(), SIGKILL);
}

}  // namespace vastgpu
