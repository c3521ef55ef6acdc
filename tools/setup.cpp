// setup: code and dependencies onto the machine, and a look at torch and CUDA.

#include "fleet/setup.h"

#include "core/text.h"
#include "fleet/reach.h"
#include "fleet/record.h"
#include "tools/all_tools.h"
#include "tools/common.h"

namespace vastgpu {
namespace {

struct SetupArgs {
  InstanceId instance_id;
  double wait_seconds = 45;
};

Result<Envelope> setup(Workplace& workplace, const SetupArgs& a, CallContext& call) {
  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  auto rental = rental_of(*deps, a.instance_id);
  if (!rental) return fail(std::move(rental).error());
  const Caller caller = caller_of(call, deps->clock, a.wait_seconds);
  const auto lock = lock_rental(*deps, rental->label, caller);
  if (!lock) return fail(lock.error());
  if (auto read = refresh(*deps, *rental); !read)
    return fail(std::move(read).error());  // others worked on it meanwhile
  auto done = set_up(*deps, *rental, caller);
  if (!done) return fail(std::move(done).error());

  Envelope e;
  e.facts = {{"instance_id", a.instance_id},
             {"files", done->code.files},
             {"sent_files", done->code.sent_files},
             {"sent_bytes", done->code.sent_bytes},
             {"left_out", done->code.left_out},
             {"packages", done->packages},
             {"torch", done->torch},
             {"cuda_works", done->cuda_works},
             {"remote_folder", "/workspace/project"}};
  const std::string sent = text(done->code.sent_files, " of ", done->code.files, " files sent (",
                                bytes(done->code.sent_bytes), ")");
  for (const std::string& name : done->code.left_out)
    e.details += "- stayed at home: " + clean_line(name, 200) + "\n";
  switch (done->state) {
    case SetupOutcome::State::installing:
      e.outcome = "installing";
      e.summary = sent + "; " + done->packages + " still installing.";
      e.details += done->log_tail;
      e.next.push_back({"setup", {{"instance_id", a.instance_id}}, "go on waiting"});
      break;
    case SetupOutcome::State::failed:
      e.outcome = "install_failed";
      e.summary = sent + "; installing " + done->packages + " failed: see the end of the log.";
      e.details += done->log_tail;
      e.facts["log_tail"] = done->log_tail;
      e.next.push_back({"setup", {{"instance_id", a.instance_id}}, "after correcting requirements.txt"});
      break;
    case SetupOutcome::State::ready:
      e.outcome = done->cuda_works ? "ready" : "ready_without_cuda";
      e.summary = sent + ", " + done->packages + " installed. " + done->torch + ".";
      e.next.push_back(
          {"run",
           {{"instance_id", a.instance_id}, {"command", "python train.py"}, {"experiment", "exp01"}},
           "with the project's real command and a name for the experiment; it is checked before it starts, "
           "and "
           "with preflight_only true it is only checked"});
      break;
  }
  return e;
}

}  // namespace

Tool setup_tool(Workplace& workplace) {
  auto args = ArgList<SetupArgs>{}
                  .required("instance_id", &SetupArgs::instance_id, kInstanceHelp, id_rules())
                  .optional("wait_seconds", &SetupArgs::wait_seconds, kWaitHelp, wait_rules());
  return make_tool(
      {.name = "setup",
       .title = "Prepare a machine",
       .description = "Sends the project's code to /workspace/project (scripts, configs, text; not data/, "
                      "checkpoints, .git, wandb/, outputs/), "
                      "installs requirements.txt (or wandb tensorboard scipy scikit-learn pandas without "
                      "one), and checks that torch sees CUDA. "
                      "Repeatable: only what changed travels. While the outcome is `installing`, call again.",
       .effect = ToolEffect::writes_files},
      std::move(args),
      [&workplace](const SetupArgs& a, CallContext& call) { return setup(workplace, a, call); });
}

}  // namespace vastgpu
