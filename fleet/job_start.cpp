#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "fleet/gpu_memory.h"
#include "fleet/job_files.h"
#include "fleet/job_script.h"
#include "fleet/jobs.h"
#include "fleet/reach.h"

namespace vastgpu {
namespace {

/// What the queue must know about a job that does not wait in it.
std::string gpus_held(const JobRequest& r) {
  if (r.gpus == kNoGpus) return kNoGpus;
  const std::string named = gpus_of_job(r.gpus, r.command);
  return named.empty() ? "all" : named;
}

Result<void> check(const Rental& rental, const JobRequest& r) {
  const auto refuse = [](std::string what, const std::string& next) {
    return fail({.code = Code::invalid_argument, .what = std::move(what), .next_step = next});
  };
  if (!is_plain_name(r.experiment))
    return refuse("experiment '" + clean_line(r.experiment, 80) + "' is not a plain name",
                  "use letters, digits, dots, dashes and underscores, at most 64");
  if (r.command.empty() || r.command.find('\n') != std::string::npos)
    return refuse("command must be one line", "put several steps into a script of the project");
  if (r.gpus_needed > rental.num_gpus)
    return refuse(
        text("it would wait for ", r.gpus_needed, " GPUs for ever: the machine has ", rental.num_gpus),
        text("ask for at most ", rental.num_gpus));
  if (r.gpus_needed > 0 && !r.gpus.empty())
    return refuse("gpus names GPUs, and gpus_needed asks the queue for some", "pass one of the two");
  if (rental.status != Status::ready)
    return fail({.code = Code::wrong_state,
                 .what = "instance " + (rental.instance ? to_string(*rental.instance) : rental.label) +
                         " is " + to_string(rental.status),
                 .next_step = "call list to see where it stands"});
  return {};
}

}  // namespace

JobRequest same_again(const Job& job) {
  JobRequest r{job.command, job.experiment, job.gpus, job.auto_destroy, job.gpus_needed};
  r.env_file = job.env_file, r.canary = job.canary;
  r.kept_env = job.env_names;
  return r;
}

Result<JobRequest> elsewhere(const Job& job, const Rental& fresh) {
  JobRequest request = same_again(job);
  request.kept_env.reset();
  request.gpus_needed = std::min(request.gpus_needed, fresh.num_gpus);
  if (job.env_names.empty()) return request;
  auto env = job.env_file.empty() ? Result<JobEnv>(JobEnv{}) : read_env_file(fresh.project, job.env_file);
  if (!env || env_names(*env) != job.env_names)
    return fail({.code = Code::unavailable,
                 .what = job.experiment + " is not started again: its environment (" + job.env_names +
                         ") was only on the lost machine",
                 .next_step = "call run with env again"});
  request.env = *std::move(env);
  return request;
}

Result<Job> start_job(const Deps& d, const Rental& rental, const JobRequest& request, const Caller& caller) {
  if (auto sound = check(rental, request); !sound) return fail(std::move(sound).error());
  auto shell = reach(d, rental, caller.stop);
  if (!shell) return fail(std::move(shell).error());
  auto known = d.ledger.jobs(rental.label);
  if (!known) return fail(std::move(known).error());
  const auto before = std::ranges::find(*known, request.experiment, &Job::experiment);

  const std::string script = run_script(request);
  const std::string env = env_text(request.env);
  const std::string fingerprint = sha256_hex(script + env).substr(0, 16);
  Job job;
  job.label = rental.label, job.experiment = request.experiment, job.command = request.command;
  job.auto_destroy = request.auto_destroy, job.gpus = request.gpus, job.gpus_needed = request.gpus_needed;
  job.env_names = request.kept_env.value_or(env_names(request.env)), job.env_file = request.env_file;
  job.canary = request.canary;
  job.started = d.clock.now();
  // The last call never learned what became of it: this is the same turn, although a look may have seen its
  // end meanwhile.
  if (before != known->end() && !before->answered && before->state != JobState::lost &&
      before->command == job.command)
    job.started = before->started;
  if (auto noted = d.ledger.put_job(job); !noted) return fail(std::move(noted).error());
  const StartOrder order{
      request.experiment,
      fingerprint,
      turn_of(job),
      script.size(),
      env.size(),
      request.kept_env ? EnvChange::keep : env.empty() ? EnvChange::none : EnvChange::replace,
      gpus_held(request),
      request.gpus_needed};
  auto started = (*shell)->exec(start_script(order), {.input = script + env}, caller.stop);
  if (!started) return fail(std::move(started).error().during("starting the job"));
  const std::string_view word = trim(started->out);
  if (word == "other") {
    if (before != known->end())
      if (auto restored = d.ledger.put_job(*before); !restored) return fail(std::move(restored).error());
    return fail({.code = Code::wrong_state,
                 .what = "another command is running or waiting as " + request.experiment,
                 .next_step = "wait for it (monitor), stop it (run with stop true), or choose another "
                              "experiment name"});
  }
  const bool waits = word == "queued" || word == "waiting";
  if (!waits && word != "started" && word != "already")
    return fail({.code = Code::unavailable,
                 .what = "screen did not start the job: " + clean_line(started->err + started->out, 300),
                 .next_step = "is screen installed? call setup, then run again"});
  if ((word == "already" || word == "waiting") && before != known->end()) job.started = before->started;
  job.state = waits ? JobState::queued : JobState::running;
  job.answered = true;
  if (auto noted = d.ledger.put_job(job); !noted) return fail(std::move(noted).error());
  log_fact("job label=", rental.label, " experiment=", job.experiment, " ", std::string(word));
  return job;
}

}  // namespace vastgpu
