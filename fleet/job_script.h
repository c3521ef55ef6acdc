#pragma once
// The two scripts behind a start: what runs inside screen, and what puts it there at most once. Pure.

#include "fleet/jobs.h"

namespace vastgpu {

/// Runs inside screen. tee keeps the log visible in the screen session, as other tools expect it. The job is
/// over when the command's own shell is: what that left in the background has ten seconds to end by itself,
/// and is then ended, so that nothing holds a GPU or the log of a job that has an exit code. The command
/// is handed to eval, so that a mistake in it is an exit code and a line in the log, not the end of this
/// script.
std::string run_script(const JobRequest& request);

enum class EnvChange { none, keep, replace };

struct StartOrder {
  std::string experiment;
  std::string fingerprint;                    ///< of what is started
  std::string turn;                           ///< tells the calls apart (turn_of)
  std::size_t script_size = 0, env_size = 0;  ///< bytes: what its input holds, one behind the other
  EnvChange env = EnvChange::none;
  std::string gpus;     ///< that it is given, as the queue must know: "0,1", "all", "none"
  int gpus_needed = 0;  ///< over 0: it goes into the queue
};

/// Says "started", "queued", "already" (the same is running or over: this call, or the same command),
/// "waiting" (the same stands in the queue) or "other". `started` and `queued` on the machine hold what was
/// started and for which call, so that a repeated call that lost its answer finds its own mark even when the
/// job is over by now. Reads the script and the environment from its input: no value is ever in a command
/// line.
std::string start_script(const StartOrder& order);

}  // namespace vastgpu
