#pragma once
// Experiments on a machine: one detached screen session each, named after the experiment, with its log at
// /workspace/<experiment>.log and our bookkeeping (exit code, heartbeat) outside results/.

#include "fleet/deps.h"
#include "fleet/guard.h"
#include "fleet/learn.h"

namespace vastgpu {

struct JobRequest {
  std::string command;     ///< one shell line, run in /workspace/project by bash
  std::string experiment;  ///< plain name
  std::string gpus;        ///< CUDA_VISIBLE_DEVICES; empty: all
  bool auto_destroy = true;
};

/// Starts it, or returns the job as it stands when the same command already runs under that name.
/// @error wrong_state  another command runs under that name, or the machine is not ready
/// @error unavailable  SSH broke; effect unknown: calling again is safe, it never starts twice
Result<Job> start_job(const Deps& d, const Rental& rental, const JobRequest& request, const Caller& caller);

/// What one look at the machine shows. One round trip.
struct JobLook {
  Job job;  ///< state updated from the machine
  bool screen_alive = false;
  std::optional<Duration> heartbeat_age;
  std::uint64_t log_size = 0;  ///< bytes
  std::string log;             ///< the last lines, as many as asked for; cleaned
  JobEnd so_far;               ///< what it has taught until now; of a running job or one that just ended
};
struct MachineLook {
  std::vector<JobLook> jobs;
  std::vector<std::string> foreign_screens;  ///< sessions that we did not start
  std::string gpu;                           ///< "RTX 4090: 87 % busy, 17.2 of 24.0 GiB" per GPU
  std::string disk;                          ///< "11.3 of 40.0 GB used"
  std::optional<TimePoint> guard_seen;       ///< when the guard on the machine last reported, in our time
  std::optional<TimePoint> guard_end;        ///< the lease end that it holds
  std::optional<GuardKey> guard_key;         ///< what it says of its key
  std::optional<Duration> guard_left;        ///< of the lease, by its own count
};

/// `lines` of the log of each job; jobs whose state changed are written to the ledger, and once a job ended
/// what it taught (learn.h).
Result<MachineLook> look_at(const Deps& d, const Rental& rental, Shell& shell, int lines,
                            std::stop_token stop);

/// Ends one experiment: its processes are asked to stop, killed after ten seconds, and its files stand still
/// after that.
Result<void> stop_job(Shell& shell, const std::string& experiment, std::stop_token stop);

/// Ends every screen session that is left, whoever started it.
Result<void> stop_screens(Shell& shell, std::stop_token stop);

std::string log_path(const std::string& experiment);

}  // namespace vastgpu
