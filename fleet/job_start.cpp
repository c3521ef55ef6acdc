#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "fleet/job_files.h"
#include "fleet/jobs.h"
#include "fleet/reach.h"

namespace vastgpu {
namespace {

/// Runs inside screen. tee keeps the log visible in the screen session, as other tools expect it. The command
/// is handed to eval, so that a mistake in it is an exit code and a line in the log, not the end of this
/// script.
std::string run_script(const JobRequest& r) {
  std::string s = job_names(r.experiment) + "cd /workspace/project || exit 1\n";
  if (!r.gpus.empty()) s += "export CUDA_VISIBLE_DEVICES=" + shell_quote(r.gpus) + "\n";
  return s + "command=" + shell_quote(r.command) + R"sh(
export PYTHONUNBUFFERED=1
echo $$ >$f/pid
)sh" + watch_memory_script(gpus_of_job(r.gpus, r.command)) +
         R"sh(date +%s >$f/began
( while kill -0 $$ 2>/dev/null; do date +%s >$f/heartbeat.new && mv $f/heartbeat.new $f/heartbeat; sleep 15; done ) &
beat=$!
( unset e f log beat watch; eval "$command" ) 2>&1 | tee -a $log
code=${PIPESTATUS[0]}
kill $beat $watch 2>/dev/null
date +%s >$f/ended
echo $code >$f/exit.new && mv $f/exit.new $f/exit
)sh";
}

/// Starts at most once: `started` holds what was started and for which call. `turn` tells the calls apart, so
/// that a repeated call that lost its answer finds its own mark even when the job is over by now.
std::string start_script(const std::string& experiment, const std::string& fingerprint,
                         const std::string& turn) {
  return job_names(experiment) + "what=" + fingerprint + " turn=" + turn + R"sh(
mkdir -p $f || exit 1
exec 9>$f/lock; flock 9 2>/dev/null
was=$(cat $f/started 2>/dev/null)
[ "$was" = "$what-$turn" ] && { echo already; exit 0; }
if [ -n "$was" ] && [ ! -e $f/exit ] && [ -n "$(session)" ]; then
  case $was in $what-*) echo already;; *) echo other;; esac
  exit 0
fi
[ -e $f/exit ] && [ -e $log ] && mv $log $log.$(date +%s)
rm -f $f/exit $f/began $f/ended $f/heartbeat $f/pid $f/vram
touch $log
mv $f/run.next $f/run.sh && echo $what-$turn >$f/started || exit 1
screen -dmS $e bash -l $f/run.sh 9>&- && echo started || { rm -f $f/started; exit 1; }
)sh";
}

}  // namespace

Result<Job> start_job(const Deps& d, const Rental& rental, const JobRequest& request, const Caller& caller) {
  if (!is_plain_name(request.experiment))
    return fail({.code = Code::invalid_argument,
                 .what = "experiment '" + clean_line(request.experiment, 80) + "' is not a plain name",
                 .next_step = "use letters, digits, dots, dashes and underscores, at most 64"});
  if (request.command.empty() || request.command.find('\n') != std::string::npos)
    return fail({.code = Code::invalid_argument,
                 .what = "command must be one line",
                 .next_step = "put several steps into a script of the project"});
  if (rental.status != Status::ready)
    return fail({.code = Code::wrong_state,
                 .what = "instance " + (rental.instance ? to_string(*rental.instance) : rental.label) +
                         " is " + to_string(rental.status),
                 .next_step = "call list to see where it stands"});
  auto shell = reach(d, rental, caller.stop);
  if (!shell) return fail(std::move(shell).error());
  auto known = d.ledger.jobs(rental.label);
  if (!known) return fail(std::move(known).error());
  const auto before = std::ranges::find(*known, request.experiment, &Job::experiment);

  const std::string script = run_script(request);
  const std::string fingerprint = sha256_hex(script).substr(0, 16);
  Job job{rental.label,       request.experiment,
          request.command,    request.auto_destroy,
          JobState::starting, {},
          d.clock.now(),      {},
          request.gpus};
  // The last call never learned what became of it: this is the same turn.
  if (before != known->end() && before->state == JobState::starting && before->command == job.command)
    job.started = before->started;
  if (auto noted = d.ledger.put_job(job); !noted) return fail(std::move(noted).error());
  auto sent = (*shell)->put(job_folder(request.experiment) + "/run.next", script, 0755, caller.stop);
  if (!sent) return fail(std::move(sent).error().during("sending the job"));
  auto started = (*shell)->exec(start_script(request.experiment, fingerprint, turn_of(job)), {}, caller.stop);
  if (!started) return fail(std::move(started).error().during("starting the job"));
  const std::string_view word = trim(started->out);
  if (word == "other") {
    if (before != known->end())
      if (auto restored = d.ledger.put_job(*before); !restored) return fail(std::move(restored).error());
    return fail({.code = Code::wrong_state,
                 .what = "another command is running as " + request.experiment,
                 .next_step = "wait for it (monitor), or choose another experiment name"});
  }
  if (word != "started" && word != "already")
    return fail({.code = Code::unavailable,
                 .what = "screen did not start the job: " + clean_line(started->err + started->out, 300),
                 .next_step = "is screen installed? call setup, then run again"});
  if (word == "already" && before != known->end()) job.started = before->started;
  job.state = JobState::running;
  if (auto noted = d.ledger.put_job(job); !noted) return fail(std::move(noted).error());
  log_fact("job label=", rental.label, " experiment=", job.experiment, " ", std::string(word));
  return job;
}

}  // namespace vastgpu
