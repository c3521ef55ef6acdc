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
  std::vector<std::string> data;
  std::optional<double> max_upload_gb;
  bool delete_extra = false;
  double wait_seconds = 45;
};

json facts_of(const SyncReport& r) {
  json facts = {{"files", r.files},
                {"bytes", r.bytes},
                {"sent_files", r.sent_files},
                {"sent_bytes", r.sent_bytes},
                {"left_out", r.stayed.named},
                {"stayed_home",
                 {{"by_rules", r.stayed.by_rules},
                  {"by_ignore_files", r.stayed.by_ignore_files},
                  {"may_hold_secrets", r.stayed.secrets}}},
                {"link",
                 {{"round_trips", r.round_trips},
                  {"lanes", r.lanes},
                  {"reconnects", r.reconnects},
                  {"resumed_bytes", r.resumed},
                  {"sent_again_bytes", r.sent_again}}}};
  if (r.deleted > 0) facts["deleted"] = r.deleted;
  return facts;
}

std::string to_words(const SyncReport& r) {
  std::string words = text(r.sent_files, " of ", r.files, " files sent (", bytes(r.sent_bytes), ")");
  if (r.deleted > 0) words += text(", ", r.deleted, " deleted there");
  if (r.resumed > 0) words += text(", ", bytes(r.resumed), " were there from an earlier call");
  if (r.reconnects > 0)
    words += text(", the link broke ", r.reconnects, r.reconnects == 1 ? " time" : " times");
  return words;
}

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
  auto done = set_up(*deps, *rental, {a.data, a.max_upload_gb, a.delete_extra}, caller);
  if (!done) return fail(std::move(done).error());

  Envelope e;
  e.facts = facts_of(done->code);
  e.facts.update({{"instance_id", a.instance_id},
                  {"packages", done->packages},
                  {"torch", done->torch},
                  {"cuda_works", done->cuda_works},
                  {"remote_folder", "/workspace/project"}});
  std::string sent = to_words(done->code);
  const auto name_those = [&](const SyncReport& r) {
    for (const std::string& name : r.stayed.named)
      e.details += "- stayed at home: " + clean_line(name, 200) + "\n";
  };
  name_those(done->code);
  for (const std::string& remark : done->remarks) e.details += "- " + clean_line(remark, 300) + "\n";
  if (done->code.stayed.by_ignore_files > 0)
    e.details += text("- ", done->code.stayed.by_ignore_files,
                      " entries stayed at home by .gitignore or .vastignore\n");
  for (const SetupOutcome::Data& data : done->data) {
    json facts = facts_of(data.report);
    facts["path"] = clean_line(data.name);
    facts["remote"] = clean_line(data.remote);
    e.facts["data"].push_back(std::move(facts));
    sent += "; " + clean_line(data.name) + ": " + to_words(data.report);
    name_those(data.report);
  }
  json again = {{"instance_id", a.instance_id}};
  if (!a.data.empty()) again["data"] = a.data;
  if (a.max_upload_gb) again["max_upload_gb"] = *a.max_upload_gb;
  switch (done->state) {
    case SetupOutcome::State::sending:
      e.outcome = "sending";
      e.summary = sent + " so far, of " + done->size + ".";
      e.next.push_back({"setup", again, "go on sending where it stopped"});
      break;
    case SetupOutcome::State::installing:
      e.outcome = "installing";
      e.summary = sent + "; " + done->packages + " still installing.";
      e.details += done->log_tail;
      e.next.push_back({"setup", again, "go on waiting"});
      break;
    case SetupOutcome::State::failed:
      e.outcome = "install_failed";
      e.summary = sent + "; installing " + done->packages + " failed: see the end of the log.";
      e.details += done->log_tail;
      e.facts["log_tail"] = done->log_tail;
      e.next.push_back({"setup", again, "after correcting requirements.txt"});
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
  auto args =
      ArgList<SetupArgs>{}
          .required("instance_id", &SetupArgs::instance_id, kInstanceHelp, id_rules())
          .optional("data", &SetupArgs::data,
                    "Data sets to send: files or folders, inside the project (they keep their place) or "
                    "outside (they go to /workspace/data/<name>). They travel whole, without the rules "
                    "for code, and go on where they stopped")
          .optional("max_upload_gb", &SetupArgs::max_upload_gb,
                    "Confirms that so many GB of code and data may travel. Without it: 0.2 of code "
                    "(0.1 a file), 2 of data",
                    {.minimum = 0, .maximum = 100'000})
          .optional("delete_extra", &SetupArgs::delete_extra,
                    "Delete on the machine what an earlier setup put there and what the project no "
                    "longer has (default false: nothing is deleted)")
          .optional("wait_seconds", &SetupArgs::wait_seconds, kWaitHelp, wait_rules());
  return make_tool(
      {.name = "setup",
       .title = "Prepare a machine",
       .description =
           "Sends the project's code to /workspace/project (scripts, configs, text; not data/, "
           "checkpoints, .git, wandb/, outputs/; .gitignore and .vastignore are honoured), "
           "installs requirements.txt (or wandb tensorboard scipy scikit-learn pandas without "
           "one), and checks that torch sees CUDA. "
           "Repeatable: only what changed travels. While the outcome is `sending` or `installing`, call "
           "again.",
       .effect = ToolEffect::writes_files},
      std::move(args),
      [&workplace](const SetupArgs& a, CallContext& call) { return setup(workplace, a, call); });
}

}  // namespace vastgpu
