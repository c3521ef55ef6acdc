// run: a detached experiment; returns at once.

#include "core/text.h"
#include "fleet/jobs.h"
#include "fleet/reach.h"
#include "fleet/record.h"
#include "tools/all_tools.h"
#include "tools/common.h"

namespace vastgpu {
namespace {

struct RunArgs {
  InstanceId instance_id;
  std::string command, experiment;
  std::optional<std::string> gpus;
  std::optional<bool> auto_destroy;
  std::vector<std::string> ports;
};

Result<Envelope> run(Workplace& workplace, const RunArgs& a, CallContext& call) {
  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  auto rental = rental_of(*deps, a.instance_id);
  if (!rental) return fail(std::move(rental).error());
  const Caller caller = caller_of(call, deps->clock, 45);
  const auto lock = lock_rental(*deps, rental->label, caller);
  if (!lock) return fail(lock.error());
  if (auto read = refresh(*deps, *rental); !read)
    return fail(std::move(read).error());  // others worked on it meanwhile
  const ProjectSettings settings = read_project_settings(rental->project);
  const bool auto_destroy = a.auto_destroy.value_or(settings.auto_destroy.value_or(true));
  auto job = start_job(*deps, *rental, {a.command, a.experiment, a.gpus.value_or(""), auto_destroy}, caller);
  if (!job) return fail(std::move(job).error());
  std::string warning;
  const InstanceFile file(rental->project, deps->settings.state_folder / "locks");
  if (auto noted = file.set_experiment(a.instance_id, a.experiment); !noted) warning = noted.error().what;

  Envelope e;
  e.outcome = "running";
  e.summary = text("Experiment ", a.experiment, " runs on instance ", a.instance_id.value,
                   " in screen session ", a.experiment, ", log ", log_path(a.experiment),
                   ". The machine ends by itself at ", to_iso8601(rental->lease_end), ".");
  e.facts = {{"instance_id", a.instance_id},
             {"experiment", a.experiment},
             {"command", a.command},
             {"log", log_path(a.experiment)},
             {"screen_session", a.experiment},
             {"auto_destroy", auto_destroy},
             {"lease_ends_at", to_iso8601(rental->lease_end)},
             {"warnings", warning.empty() ? json::array() : json::array({warning})}};
  if (!warning.empty()) e.details = "- warning: " + warning;
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
  auto args =
      ArgList<RunArgs>{}
          .required("instance_id", &RunArgs::instance_id, kInstanceHelp, id_rules())
          .required("command", &RunArgs::command,
                    "One shell line, run by bash in /workspace/project, e.g. python train.py --epochs 3")
          .required("experiment", &RunArgs::experiment,
                    "Name of the experiment: letters, digits, dots, dashes, underscores", {.max_length = 64})
          .optional("gpus", &RunArgs::gpus, "CUDA_VISIBLE_DEVICES, e.g. 0 or 0,1; default all",
                    {.max_length = 100})
          .optional(
              "auto_destroy", &RunArgs::auto_destroy,
              "Whether the machine should be destroyed once the experiment ended and its results are home; "
              "default from CLAUDE.md, else true")
          .optional("ports", &RunArgs::ports, kPortsHelp);
  return make_tool(
      {.name = "run",
       .title = "Run an experiment",
       .description =
           "Starts a command as a detached experiment on a machine: its own screen session, log at "
           "/workspace/<experiment>.log, exit code and "
           "heartbeat kept outside results/. Returns at once; the experiment outlives this session. Calling "
           "again with the same command "
           "and name while it runs changes nothing. Results belong into /workspace/project/results.",
       .effect = ToolEffect::writes_files},
      std::move(args), [&workplace](const RunArgs& a, CallContext& call) { return run(workplace, a, call); });
}

}  // namespace vastgpu
