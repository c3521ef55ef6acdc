// run: a detached experiment, started at once or put into the machine's queue; also stopped and started
// again.

#include "core/text.h"
#include "fleet/checkpoint.h"
#include "fleet/jobs.h"
#include "fleet/preflight.h"
#include "fleet/reach.h"
#include "fleet/record.h"
#include "tools/all_tools.h"
#include "tools/common.h"
#include "tools/run_canary.h"

namespace vastgpu {
namespace {

struct RunArgs {
  InstanceId instance_id;
  std::string experiment;
  std::optional<std::string> command, gpus, env_file;
  std::optional<int> gpus_needed;
  std::optional<json> env;
  std::optional<bool> auto_destroy;
  bool canary = false;
  int canary_minutes = 3;
  double wait_seconds = 45;
  bool stop = false, restart = false, skip_preflight = false, preflight_only = false;
  std::vector<std::string> ports;
};

auto refuse(std::string what, const std::string& next) {
  return fail({.code = Code::invalid_argument, .what = std::move(what), .next_step = next});
}

/// Whether the ledger has it as running, waiting or starting.
std::optional<Job> known_job(const Deps& d, const Rental& rental, const std::string& experiment) {
  auto jobs = d.ledger.jobs(rental.label);
  if (!jobs) return std::nullopt;
  const auto at = std::ranges::find(*jobs, experiment, &Job::experiment);
  return at == jobs->end() ? std::nullopt : std::optional(*at);
}

/// What to start: the arguments, and with restart what they leave out from the last time.
Result<JobRequest> request_of(const RunArgs& a, const Rental& rental, const std::optional<Job>& before,
                              bool auto_destroy) {
  JobRequest r;
  if (a.restart && before) r = same_again(*before);
  if (a.command) r.command = *a.command;
  if (r.command.empty())
    return refuse("argument command is missing",
                  "call again with command: one shell line, e.g. python train.py");
  r.experiment = a.experiment;
  r.auto_destroy = a.restart && before ? a.auto_destroy.value_or(before->auto_destroy) : auto_destroy;
  if (a.gpus || a.gpus_needed) {
    const bool any = a.gpus && *a.gpus == "auto";
    r.gpus = a.gpus && !any ? *a.gpus : "";
    r.gpus_needed = a.gpus_needed.value_or(any ? 1 : 0);
  }
  if (!a.env && !a.env_file) return r;
  r.kept_env.reset();
  if (a.env_file) {
    auto read = read_env_file(rental.project, *a.env_file);
    if (!read) return fail(std::move(read).error());
    r.env = *std::move(read), r.env_file = *a.env_file;
  }
  if (a.env) {
    auto read = read_env(*a.env);
    if (!read) return fail(std::move(read).error());
    r.env = merged(std::move(r.env), *read);
  }
  return r;
}

/// On record before it leaves: it ends work.
Result<void> stop_it(const Deps& d, Job job, const Rental& rental, Shell& shell, const Caller& caller) {
  if (auto noted = d.ledger.add_event({d.clock.now(),
                                       "stop_job",
                                       rental.label,
                                       {{"experiment", job.experiment}, {"state", to_string(job.state)}}});
      !noted)
    return fail(std::move(noted).error());
  const bool was_open = is_open(job.state) || job.state == JobState::lost;
  if (auto ended = stop_job(shell, job.experiment, caller.stop); !ended)
    return fail(std::move(ended).error());
  job.answered = true;
  if (!was_open) return d.ledger.note_job(job, job.state);
  job.state = JobState::stopped, job.ended = d.clock.now(), job.note = "it was asked to stop";
  return d.ledger.put_job(job);
}

Envelope stopped(const RunArgs& a, const Job& job) {
  Envelope e;
  e.outcome = "stopped";
  e.summary =
      is_open(job.state)
          ? text("Experiment ", a.experiment,
                 job.state == JobState::queued ? " was taken out of the queue."
                                               : " was stopped; what it wrote is still on the machine.")
          : text("Experiment ", a.experiment, " was ", to_string(job.state), " already.");
  e.facts = {{"instance_id", a.instance_id}, {"experiment", a.experiment}, {"was", to_string(job.state)}};
  const json id{{"instance_id", a.instance_id}};
  json again = id;
  again["experiment"] = a.experiment, again["restart"] = true;
  e.next.push_back({"run", again, "start it again as it was"});
  e.next.push_back({"collect", id, "bring home what it wrote"});
  return e;
}

/// Why it is not started, or what a look before the start showed.
void show(Envelope& e, const std::vector<PreflightProblem>& problems) {
  e.facts["preflight"] = problems;
  for (const PreflightProblem& p : problems)
    e.details += std::string("- preflight ") + to_string(p.severity) + ": " + to_words(p) + "\n";
}

/// The call that starts what these arguments ask for.
json start_call(const RunArgs& a, const JobRequest& request) {
  json start{{"instance_id", a.instance_id}, {"experiment", a.experiment}, {"command", request.command}};
  if (a.restart) start["restart"] = true;
  if (a.gpus) start["gpus"] = *a.gpus;
  if (a.gpus_needed) start["gpus_needed"] = *a.gpus_needed;
  if (a.env_file) start["env_file"] = *a.env_file;
  if (a.auto_destroy) start["auto_destroy"] = *a.auto_destroy;
  if (!a.ports.empty()) start["ports"] = a.ports;
  return start;
}

/// Values of an environment are never shown.
std::string with_env(const RunArgs& a, const std::string& why) {
  return why + (a.env ? ", with the same env, which is not repeated here" : "");
}

Envelope preflight_answer(const RunArgs& a, const JobRequest& request,
                          const std::vector<PreflightProblem>& problems) {
  Envelope e;
  const bool bad = refuses(problems);
  e.outcome = bad ? "refused" : "checked";
  e.facts = {{"instance_id", a.instance_id}, {"experiment", a.experiment}, {"command", request.command}};
  show(e, problems);
  if (bad) {
    e.summary = "Nothing was started: " + to_words(problems.front()) + ".";
    e.next.push_back(
        {"setup", {{"instance_id", a.instance_id}}, "after correcting it at home, so that it travels"});
  } else {
    e.summary = "Nothing was found that would end it in its first minute.";
  }
  json start = start_call(a, request);
  if (bad) start["skip_preflight"] = true;
  e.next.push_back({"run", start, with_env(a, bad ? "only where the check is wrong" : "start it")});
  return e;
}

Envelope started(const RunArgs& a, const Rental& rental, const JobRequest& r, const Job& job) {
  Envelope e;
  const bool waits = job.state == JobState::queued;
  e.outcome = waits ? "queued" : "running";
  e.summary = waits ? text("Experiment ", a.experiment, " waits on instance ", a.instance_id.value, " until ",
                           r.gpus_needed, " GPU(s) are free, and starts by itself then")
                    : text("Experiment ", a.experiment, " runs on instance ", a.instance_id.value,
                           " in screen session ", a.experiment);
  e.summary += text(", log ", log_path(a.experiment), ". The machine ends by itself at ",
                    to_iso8601(rental.lease_end), ".");
  const std::vector<std::string> names =
      job.env_names.empty() ? std::vector<std::string>() : split(job.env_names, ' ');
  e.facts = {{"instance_id", a.instance_id},
             {"experiment", a.experiment},
             {"command", r.command},
             {"log", log_path(a.experiment)},
             {"screen_session", a.experiment},
             {"gpus_needed", r.gpus_needed},
             {"env_names", names},
             {"auto_destroy", r.auto_destroy},
             {"lease_ends_at", to_iso8601(rental.lease_end)}};
  return e;
}

Result<Envelope> run(Workplace& workplace, const RunArgs& a, CallContext& call) {
  if (a.canary && (a.stop || a.restart))
    return refuse(std::string("canary tries a command before its run, and ") + (a.stop ? "stop" : "restart") +
                      " ends that run",
                  "pass one of the two");
  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  auto rental = rental_of(*deps, a.instance_id);
  if (!rental) return fail(std::move(rental).error());
  const Caller caller = caller_of(call, deps->clock, a.wait_seconds);
  const auto lock = lock_rental(*deps, rental->label, caller);
  if (!lock) return fail(lock.error());
  if (auto read = refresh(*deps, *rental); !read)
    return fail(std::move(read).error());  // others worked on it meanwhile
  const auto before = known_job(*deps, *rental, a.experiment);
  if ((a.stop || a.restart) && !before)
    return fail({.code = Code::not_found,
                 .what = "no experiment named " + clean_line(a.experiment, 64) +
                         " was ever started on instance " + to_string(a.instance_id),
                 .next_step = "call monitor to see what runs there, or run with command"});
  auto request = a.stop ? Result<JobRequest>(JobRequest{}) : [&] {
    const ProjectSettings settings = read_project_settings(rental->project);
    return request_of(a, *rental, before, a.auto_destroy.value_or(settings.auto_destroy.value_or(true)));
  }();
  if (!request) return fail(std::move(request).error());

  const bool stops = a.stop || (a.restart && (is_open(before->state) || before->state == JobState::lost));
  const bool runs =
      before && is_open(before->state) && !a.restart;  // starting again changes nothing, or is refused
  const bool checks = a.preflight_only || (!a.stop && !a.skip_preflight && !runs &&
                                           is_plain_name(a.experiment) && rental->status == Status::ready);
  std::vector<PreflightProblem> problems;
  if (stops || checks) {
    auto shell = reach(*deps, *rental, caller.stop);
    if (!shell) return fail(std::move(shell).error());
    if (checks) {
      auto checked = preflight(**shell, *request, rental->num_gpus, caller.stop);
      if (!checked) return fail(std::move(checked).error());
      problems = *std::move(checked);
      if (a.preflight_only || refuses(problems)) return preflight_answer(a, *request, problems);
    }
    if (stops)
      if (auto done = stop_it(*deps, *before, *rental, **shell, caller); !done)
        return fail(std::move(done).error());
    if (a.stop) return stopped(a, *before);
  }
  if (a.restart && !stops) {  // asked for by somebody who knows that it ended: a turn of its own
    Job known = *before;
    known.answered = true;
    if (auto noted = deps->ledger.note_job(known, known.state); !noted) return fail(std::move(noted).error());
  }
  if (a.canary) {
    const json start = start_call(a, *request);
    const std::chrono::minutes length(a.canary_minutes);
    return run_canary(*deps, *rental, *request, length, {start, with_env(a, "")}, caller);
  }
  auto job = start_job(*deps, *rental, *request, caller);
  if (!job) return fail(std::move(job).error());
  std::string warning;
  const InstanceFile file(rental->project, deps->settings.state_folder / "locks");
  if (auto noted = file.set_experiment(a.instance_id, a.experiment); !noted) warning = noted.error().what;

  Envelope e = started(a, *rental, *request, *job);
  show(e, problems);
  e.facts["warnings"] = warning.empty() ? json::array() : json::array({warning});
  if (!warning.empty()) e.details += "- warning: " + warning + "\n";
  if (auto opened = open_ports(workplace, *deps, *rental, a.ports, caller.stop, e); !opened) {
    // The experiment runs all the same.
    e.facts["warnings"].push_back(opened.error().what);
    e.details += "- warning: " + clean_line(opened.error().what, 300) + "\n";
  }
  e.next.push_back({"monitor", {{"instance_id", a.instance_id}, {"wait_seconds", 45}}, "watch it"});
  return e;
}

}  // namespace

Tool run_tool(Workplace& workplace) {
  const json env_schema{{"type", "object"},
                        {"maxProperties", 200},
                        {"additionalProperties", {{"type", {"string", "number", "boolean"}}}}};
  auto args =
      ArgList<RunArgs>{}
          .required("instance_id", &RunArgs::instance_id, kInstanceHelp, id_rules())
          .required("experiment", &RunArgs::experiment,
                    "Name of the experiment: letters, digits, dots, dashes, underscores", {.max_length = 64})
          .optional(
              "command", &RunArgs::command,
              "One shell line, run by bash in /workspace/project, e.g. python train.py --epochs 3. Needed "
              "unless stop or restart is true")
          .optional(
              "gpus", &RunArgs::gpus,
              "CUDA_VISIBLE_DEVICES, e.g. 0 or 0,1; default all. auto: waits in the machine's queue for a "
              "free GPU; none: needs no GPU",
              {.max_length = 100})
          .optional("gpus_needed", &RunArgs::gpus_needed,
                    "Wait in the machine's queue until so many GPUs are free, then use those",
                    {.minimum = 1, .maximum = 64})
          .optional("env", &RunArgs::env,
                    "Environment variables. They travel into a private file on the machine; values are never "
                    "shown, "
                    "logged or stored here. For secrets prefer env_file",
                    {.schema = env_schema})
          .optional(
              "env_file", &RunArgs::env_file,
              "Path of a .env file on this computer (NAME=value lines), read here and sent the same way",
              {.max_length = 1000})
          .optional(
              "auto_destroy", &RunArgs::auto_destroy,
              "Whether the machine should be destroyed once the experiment ended and its results are home; "
              "default from CLAUDE.md, else true")
          .optional(
              "canary", &RunArgs::canary,
              "true: try the command at full batch for a few minutes first, then say what the whole run "
              "takes and costs here and whether another card would be cheaper or faster from here")
          .optional("canary_minutes", &RunArgs::canary_minutes, "Minutes that the canary runs (default 3)",
                    {.minimum = 2, .maximum = 5})
          .optional("wait_seconds", &RunArgs::wait_seconds,
                    "Seconds to wait for the canary's verdict (default 45); calling again goes on",
                    wait_rules())
          .optional("stop", &RunArgs::stop,
                    "Stop this experiment, or take it out of the queue; starts nothing")
          .optional(
              "restart", &RunArgs::restart,
              "Start it again: stopped first if it runs, with its last command, GPUs and environment unless "
              "given anew")
          .optional("skip_preflight", &RunArgs::skip_preflight,
                    "Start although the check before the start found a missing file or import")
          .optional("preflight_only", &RunArgs::preflight_only, "Check the command and start nothing")
          .optional("ports", &RunArgs::ports, kPortsHelp);
  return make_tool(
      {.name = "run",
       .title = "Run an experiment",
       .description =
           "Starts a command as a detached experiment on a machine: its own screen session, log at "
           "/workspace/<experiment>.log, exit code and heartbeat kept outside results/. Returns at once; the "
           "experiment outlives this session. With gpus auto or gpus_needed it waits on the machine for free "
           "GPUs, "
           "so that several experiments share it. Before the start it checks that the script is there and "
           "compiles, that its imports resolve and its data paths exist, and refuses when not. Calling again "
           "with "
           "the same command and name while it runs changes nothing. stop ends one experiment, restart "
           "starts it "
           "again. Results belong into /workspace/project/results.",
       .effect = ToolEffect::writes_files},
      std::move(args), [&workplace](const RunArgs& a, CallContext& call) { return run(workplace, a, call); });
}

}  // namespace vastgpu
