#pragma once
// The keeper's own process: small and of one thread, asleep nearly always. It holds the seat, and sends a
// child to work (server/stretch.h) each time it is due, so that neither a crash nor a leak ends the keeping.

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>

#include "server/keeper_seat.h"
#include "server/stretch.h"

namespace vastgpu {

struct KeeperPlan {
  bool detached = false;  ///< ends when the settings switch keepers off; the first look waits a little
};

class Keeper {
 public:
  /// The process must have no second thread, and must have opened nothing of the house. Blocks the signals
  /// that end it for this process.
  Keeper(std::unique_ptr<House> house, KeeperSeat seat, FileLock lock, KeeperPlan plan);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Until nothing is left or it is asked to end. Returns the last pass's exit code; 0: nothing is left.
  int run();

 private:
  /// How a stretch ended.
  struct Ended {
    std::optional<int> code;  ///< nothing: it crashed, hung, or could not be started
    Duration cpu{};           ///< what it used
  };
  Ended stretch();
  Ended watch(pid_t child);
  Ended in_child(const std::function<int()>& work);
  bool left();
  TimePoint after(const Ended& last);
  bool wait_until(TimePoint when);
  bool switched_off() const;

  std::unique_ptr<House> house_;
  KeeperSeat seat_;
  std::optional<FileLock> lock_;
  KeeperPlan plan_;
  KeeperBoard* board_;
  int crashes_ = 0;                        ///< in a row
  int nothing_ = 0;                        ///< passes in a row that found nothing
  std::optional<TimePoint> unknown_from_;  ///< first of the passes in a row that could not know
  int ending_ = 0;                         ///< the signal that asks us to end
};

/// Runs `work` in a child of this process, which must have one thread, and gives its exit code; nothing where
/// it was killed. SIGINT and SIGTERM are as usual in it, and it dies with this process.
std::optional<int> run_in_child(const std::function<int()>& work);

/// CPU time that a process has used, in clock ticks; nothing when it is gone.
std::optional<std::uint64_t> cpu_ticks(pid_t process);

}  // namespace vastgpu
