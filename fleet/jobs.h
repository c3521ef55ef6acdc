#pragma once
// Experiments on a machine: one detached screen session each, named after the experiment, with its log at
// /workspace/<experiment>.log and our bookkeeping (exit code, heartbeat) outside results/.

#include "fleet/deps.h"
#include "fleet/guard.h"
#include "fleet/job_env.h"
#include "fleet/job_pulse.h"
#include "fleet/job_queue.h"
#include "fleet/learn.h"
#include "fleet/their_work.h"

namespace vastgpu {

inline constexpr const char* kNoGpus = "none";  ///< of JobRequest::gpus: it sees no GPU and holds none

struct JobRequest {
  std::string command;     ///< one shell line, run in /workspace/project by bash
  std::string experiment;  ///< plain name
  std::string gpus = {};   ///< CUDA_VISIBLE_DEVICES; empty: all; kNoGpus
  bool auto_destroy = true;
  int gpus_needed = 0;  ///< over 0: it waits in the machine's queue until so many are free; `gpus` is empty
  JobEnv env = {};
  std::string env_file = {};  ///< where `env` came from, for a start on another machine
  /// It starts again where it ran before: the environment stays as it is on the machine. These are its names.
  std::optional<std::string> kept_env = {};
  bool canary = false;  ///< a trial, as canary_job makes it
};

/// The same again, on the machine where it ran.
JobRequest same_again(const Job& job);

/// The same on another machine, `fresh`. The environment is read again from its file at home.
/// @error unavailable  its environment was only on the lost machine: names are in the message
Result<JobRequest> elsewhere(const Job& job, const Rental& fresh);

/// Starts it, puts it into the queue, or returns the job as it stands when the same command already runs or
/// waits under that name.
/// @error wrong_state  another command runs or waits under that name, or the machine is not ready
/// @error unavailable  SSH broke; effect unknown: calling again is safe, it never starts twice
Result<Job> start_job(const Deps& d, const Rental& rental, const JobRequest& request, const Caller& caller);

/// A place in a log that survives its rotation: the file and the bytes that were read.
struct LogPlace {
  std::uint64_t inode = 0, at = 0;  ///< inode 0: no file yet
  bool operator==(const LogPlace&) const = default;
};

/// What was read of one log, over several looks.
struct LogFollow {
  LogPlace place;             ///< up to here
  std::string window;         ///< the last of it, at most kMostWindow
  std::size_t fresh = 0;      ///< bytes at the end of `window` that lie behind where the caller began
  std::uint64_t skipped = 0;  ///< bytes between two looks that were too many to bring
  bool rotated = false;       ///< the file was replaced or cut meanwhile
};
/// By experiment. Handed from look to look, no byte of a log travels twice.
using LogFollows = std::map<std::string, LogFollow>;
constexpr std::size_t kMostWindow = 48'000;

/// What one look at the machine shows. One round trip.
struct JobLook {
  Job job;  ///< state updated from the machine
  bool screen_alive = false;
  std::optional<Duration> heartbeat_age;
  std::uint64_t log_size = 0;  ///< bytes
  std::string log;             ///< the last lines, as many as asked for; cleaned
  std::string window;          ///< the end of the log as it is, for those who look for facts in it
  JobEnd so_far;               ///< what it has taught until now; of a running job or one that just ended
  std::vector<Pulse> pulses;
  std::string gpus;                        ///< that it was given: "0,1", "all", "none"; empty: not known
  std::optional<std::uint64_t> oom_kills;  ///< processes that the container's memory limit killed meanwhile
  int queue_place = 0;                     ///< 1: the next; 0: it does not wait
};
struct GpuNow {
  std::string name;                 ///< cleaned
  std::optional<int> busy_percent;  ///< absent: the driver does not tell
  Megabytes used{}, total{};        ///< MiB
};
struct MachineLook {
  std::vector<JobLook> jobs;
  std::vector<std::string> foreign_screens;  ///< sessions that we did not start
  QueueLook queue;
  std::vector<std::string> strange_waiters;  ///< in the queue, and not in our ledger
  TheirWork theirs;                          ///< of tools that share the machine
  std::optional<TimePoint> machine_now;      ///< by the machine's clock
  std::vector<GpuNow> gpus;                  ///< as the driver on the machine says
  std::string disk;                          ///< "11.3 of 40.0 GB used"
  std::optional<TimePoint> guard_seen;       ///< when the guard on the machine last reported, in our time
  std::optional<TimePoint> guard_end;        ///< the lease end that it holds
  std::optional<GuardKey> guard_key;         ///< what it says of its key
  std::optional<Duration> guard_left;        ///< of the lease, by its own count

  /// Work that is no job of this ledger is left on it: nothing may end it by itself.
  bool others_work() const { return !foreign_screens.empty() || theirs.open() || !strange_waiters.empty(); }
};

/// `lines` of the log of each job; with `follow` from where it was read to. Jobs whose state changed are
/// written to the ledger, and once a job ended what it taught (learn.h).
Result<MachineLook> look_at(const Deps& d, const Rental& rental, Shell& shell, int lines,
                            std::stop_token stop, LogFollows* follow = nullptr);

/// Ends one experiment: its processes are asked to stop, killed after ten seconds, and its files stand still
/// after that. One that waits leaves the queue.
Result<void> stop_job(Shell& shell, const std::string& experiment, std::stop_token stop);

/// Ends every screen session that is left, whoever started it.
Result<void> stop_screens(Shell& shell, std::stop_token stop);

std::string log_path(const std::string& experiment);

}  // namespace vastgpu
