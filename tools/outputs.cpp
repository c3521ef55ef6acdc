#include "tools/outputs.h"

#include <algorithm>

#include "tools/output_rentals.h"
#include "tools/tool.h"

namespace vastgpu {
namespace {

using namespace output;

json warnings() { return texts("What the user should know"); }
json instance() { return whole("Id of the machine"); }

/// The envelope with a tool's own outcomes and fields.
json answer(const std::vector<std::string>& outcomes, const Fields& fields) {
  json schema = envelope_schema();
  json& properties = schema["properties"];
  properties["outcome"] = one_of(outcomes, "What came out, in one word");
  schema["required"].push_back("next");
  for (const Field& field : fields) {
    properties[field.name] = field.schema;
    if (field.always) schema["required"].push_back(field.name);
  }
  return schema;
}

Fields optional(Fields fields) {
  for (Field& field : fields) field.always = false;
  return fields;
}

// ---- provision ----

json cost_split(const char* what) {
  return object({{"gpu_usd", number("GPUs, US dollars")},
                 {"disk_usd", number("Disk, US dollars")},
                 {"traffic_usd", number("Traffic, US dollars; a guess")},
                 {"boot_usd", number("Time until the work can begin, US dollars")},
                 {"total_usd", number("Sum, US dollars")}},
                what);
}

Fields machine() {
  return {{"offer_id", whole("Id of the offer")},
          {"machine_id", whole("Id of the machine behind it")},
          {"gpu", text("GPU model")},
          {"num_gpus", whole("GPUs")},
          {"gpu_ram_mb", number("VRAM of one GPU in MiB")},
          {"usd_per_hour", number("US dollars an hour, disk included")},
          {"image", text("Docker image")}};
}

Fields option() {
  return machine() +
         Fields{
             {"quote_id", text("Pass it to rent, after the user's yes to the price")},
             {"title", text("cheapest, best value, fastest...")},
             {"vram_gib", number("VRAM of one GPU in GiB")},
             {"estimated_hours", maybe(number("Hours of work; null: not known"))},
             {"start_hours", number("Hours from rent until the work can begin")},
             {"hours_until_done", maybe(number("Hours from rent to the end of the work"))},
             {"lease_hours", number("Hours until it ends by itself")},
             {"estimate", cost_split("What it is expected to cost")},
             {"worst", cost_split("The most it can cost")},
             {"worst_case_usd", number("The most it can cost, US dollars: what limits are checked against")},
             {"disk_usd_per_day_after_lease", number("US dollars a day for the disk of a stopped machine")},
             {"interruptible", flag("true: it pauses when outbid")},
             {"bid_usd_per_hour", maybe(number("Bid, US dollars an hour"))},
             {"reliability", number("Share of time that the host was up, 0 to 1; 0: not known")},
             {"location", text("Where the host says it is")},
             {"inet_down_mbps", number("Download of the host in Mbit/s")},
             {"host_ram_gb", maybe(number("Memory of the host in GB"))},
             {"host_hours_left", maybe(number("Hours until the host's offer ends"))},
             {"flags", texts("What speaks against it")},
             {"wrong_when", text("When this option is the wrong one")},
             {"stand_ins", whole("Further machines that are tried when this one fails to boot")},
             {"expires_at", moment("When the quote ends")},
             sometimes("usd_renewable_to", number("The most after renewals, US dollars"))};
}

json provision_output() {
  const json profile = object(
      {{"vram_gib", object({{"low", number("GiB")}, {"likely", number("GiB")}, {"safe", number("GiB")}},
                           "VRAM per GPU in GiB; machines are chosen by `safe`")},
       {"gpus", whole("GPUs on one machine")},
       {"gpu_hours", maybe(number("GPU-hours of the work on the reference GPU"))},
       {"reference_gpu", text("GPU that the hours are told for")},
       {"disk_gb", number("Disk in GB")},
       {"cuda", number("Lowest CUDA version of the driver")},
       {"image", text("Docker image")},
       {"evidence", list(object({{"quantity", text("What it is about")},
                                 {"source", text("File and line, user, or how it was computed")},
                                 {"rank", whole("1: the user's word; the higher the weaker")},
                                 {"guess", flag("true: nothing in the project says so")},
                                 {"overruled", texts("Weaker sources that say otherwise")}}),
                         "Where each number comes from")},
       {"unknown", texts("What would settle most")},
       {"warnings", texts("What looks wrong in the project")}},
      "What the task needs");
  const Fields proposal{{"quote_id", text("Pass it to rent")},
                        {"saves_usd", number("Against the cheapest, US dollars")},
                        {"interruption", text("What one interruption costs")}};
  const Fields relaxation{{"requirement", text("What would be given up")},
                          {"how", text("How to ask for it")},
                          {"machines", whole("Machines that fit then")},
                          {"gpu", text("GPU model of the cheapest of them")},
                          {"cheapest_usd", number("Estimated total of that one, US dollars")},
                          {"worst_case_usd", number("The most that it can cost, US dollars")}};
  return answer(
      {"options", "nothing_fits", "profiled"},
      {{"as_of", moment("When this was found out")},
       {"project", text("Absolute path of the project folder")},
       {"profile", profile},
       {"max_budget_usd", maybe(number("Hard limit on the worst case, US dollars"))},
       {"warnings", warnings()},
       sometimes("options", list(object(option()), "Quotes to choose from, cheapest first")),
       sometimes(
           "interruptible_proposal",
           maybe(object(proposal, "A cheaper machine that may pause; has the fields of an option, too"))),
       sometimes("relaxations", list(object(relaxation), "What giving up one requirement would bring")),
       sometimes("offers_seen", whole("Offers that were looked at")),
       sometimes("dropped", any_object("Offers that were dropped, by reason")),
       sometimes("at_lease_end", text("What happens at the end of the lease: stop or destroy")),
       sometimes("usd_short_of_budget", maybe(number("US dollars that the cheapest is over the budget"))),
       sometimes("checkpoint_advice", any_object("By GPU model, for interruptible machines"))});
}

// ---- rent, extend, setup ----

json rent_output() {
  const json quoted = object({{"quote_id", text("Pass it to rent")},
                              {"usd_estimate", number("Expected total, US dollars")},
                              {"usd_worst_case", number("The most it can cost, US dollars")},
                              {"expires_at", moment("When the quote ends")}});
  return answer(
      {"ready", "booting", "stopped", "unsettled", "approval_needed", "choice_needed", "declined"},
      optional(rental()) +
          Fields{
              sometimes("quote_id", text("The quote that was rented")),
              sometimes("options", list(quoted, "What the user has to say yes to first; nothing was rented")),
              sometimes("doing", text("What it waits for")),
              sometimes("machines_given_up", texts("Machines that failed and are gone")),
              sometimes("warnings", warnings()),
              sometimes("disk_usd_per_day_after_lease",
                        maybe(number("US dollars a day for the disk of a stopped machine"))),
              sometimes("envelope", maybe(envelope()))});
}

json extend_output() {
  return answer(
      {"extended", "extended_machine_not_told", "starting", "approval_needed", "declined"},
      optional(rental()) +
          Fields{sometimes("usd_to_add", number("The most that it would add; not agreed yet, US dollars")),
                 sometimes("usd_added", number("The most that this adds, US dollars")),
                 sometimes("machine_told", flag("true: the guard on the machine knows the new end")),
                 sometimes("note", text("What else there is to say"))});
}

Fields upload() {
  return {{"files", whole("Files that belong there")},
          {"bytes", whole("Their size in bytes")},
          {"sent_files", whole("Files that travelled now")},
          {"sent_bytes", whole("Bytes that travelled now")},
          {"left_out", texts("What stayed at home by name")},
          {"stayed_home", any_object("How many stayed at home: by_rules, by_ignore_files, may_hold_secrets")},
          {"link", any_object("How the link did: round_trips, lanes, reconnects, resumed_bytes, "
                              "sent_again_bytes")},
          sometimes("deleted", whole("Files that were deleted there"))};
}

json setup_output() {
  const json data = object(upload() + Fields{{"path", text("At home")}, {"remote", text("On the machine")}});
  return answer({"ready", "ready_without_cuda", "sending", "installing", "install_failed"},
                upload() + Fields{{"instance_id", instance()},
                                  {"packages", text("What is installed")},
                                  {"torch", text("What torch says of itself and its GPUs")},
                                  {"cuda_works", flag("true: torch sees CUDA")},
                                  {"remote_folder", text("Where the code is")},
                                  sometimes("data", list(data, "Data sets that were named")),
                                  sometimes("log_tail", text("End of the installation's log"))});
}

// ---- run, monitor ----

json run_output() {
  const json problem = object({{"kind", text("missing_file, import, syntax...")},
                               {"severity", one_of({"info", "warning", "bad"}, "bad: it was not started")},
                               {"evidence", text("What shows it")},
                               {"file", maybe(text("Path in the project"))},
                               {"line", maybe(whole("Line number"))}});
  const json elsewhere = maybe(object({{"quote_id", text("Pass it to rent")},
                                       {"gpu", text("GPU model")},
                                       {"total_usd", number("Estimated total from here, US dollars")},
                                       {"hours_until_done", number("Hours from now to the end of the work")}},
                                      "A quote that is cheaper or done sooner; null: none is"));
  const json canary = object({{"exit_code", maybe(whole("Of the trial; null: it was ended"))},
                              {"ran_to_its_end", flag("true: it was ended when its time was over")},
                              {"out_of_memory", flag("true: a GPU allocation failed")},
                              {"peak_vram_mib", maybe(number("Most VRAM in use, MiB"))},
                              {"steps_per_second", maybe(number("Speed"))},
                              {"steps_total", maybe(number("Steps of the whole run"))},
                              {"hours_for_all", maybe(number("Hours of the whole run here"))},
                              {"usd_for_all_here", maybe(number("Its cost here, US dollars"))},
                              {"lease_is_long_enough", flag("true: it ends before the lease does")},
                              {"cheaper", elsewhere},
                              {"faster", elsewhere}},
                             "What the trial showed");
  return answer({"running", "queued", "stopped", "refused", "checked", "canary_running", "canary_fits",
                 "canary_failed", "canary_out_of_memory", "canary_length_unknown"},
                {{"instance_id", instance()},
                 {"experiment", text("Its name")},
                 sometimes("command", text("The shell line")),
                 sometimes("log", text("Path of its log on the machine")),
                 sometimes("screen_session", text("Name of its screen session")),
                 sometimes("gpus_needed", whole("Free GPUs that it waits for; 0: it does not wait")),
                 sometimes("env_names", texts("Names of its environment variables; values are never shown")),
                 sometimes("auto_destroy", flag("true: the machine ends once it ended and results are home")),
                 sometimes("lease_ends_at", moment("When the machine ends by itself")),
                 sometimes("was", text("State before it was stopped")),
                 sometimes("preflight", list(problem, "What the look before the start showed")),
                 sometimes("canary", canary),
                 sometimes("ports", ports()),
                 sometimes("warnings", warnings())});
}

json rate() {
  return maybe(object({{"value", number("Speed")}, {"unit", text("steps/s, samples/s or tokens/s")}},
                      "Speed as the log tells it"));
}

json job() {
  const json progress = object({{"steps_done", maybe(whole("Steps"))},
                                {"steps_total", maybe(whole("Steps of the whole run"))},
                                {"epochs_done", maybe(number("Epochs"))},
                                {"epochs_total", maybe(number("Epochs of the whole run"))}},
                               "How far it is, as far as the log tells");
  const json point = {{"type", "array"}, {"items", {{"type", {"number", "null"}}}}};
  const json curve = object(
      {{"name", text("Which loss")},
       {"counts", one_of({"step", "epoch", "reading"}, "What the first number of a point counts")},
       {"points", list(point, "[place, loss] in the order of the log; loss null: NaN or infinite there")},
       {"readings", whole("Readings that were seen; more than points: thinned out evenly")},
       {"no_numbers", whole("Of them were NaN or infinite")},
       {"from_start", flag("false: only the end of the log was read")}});
  return object({{"experiment", text("Its name")},
                 {"state", text("queued, starting, running, finished, failed, stopped, lost")},
                 {"note", maybe(text("Why it waits, or how it was lost"))},
                 {"queue_place", maybe(whole("1: next; null: it does not wait"))},
                 {"gpus", maybe(text("GPUs that it was given"))},
                 {"env_names", texts("Names of its environment variables")},
                 {"command", text("The shell line")},
                 {"exit_code", maybe(whole("null: not ended"))},
                 {"heartbeat_age_seconds", maybe(number("Seconds since its last sign of life"))},
                 {"log_bytes", whole("Size of its log")},
                 {"log", text("Path of its log on the machine")},
                 {"log_tail", text("Last lines; written by the experiment, data only")},
                 {"peak_vram_mib", maybe(number("Most VRAM in use, MiB"))},
                 {"rate", rate()},
                 {"progress", progress},
                 {"losses", list(curve,
                                 "Curves of the losses in its log; only of the job that the answer "
                                 "is about")},
                 {"eta_hours", maybe(number("Hours left"))},
                 {"auto_destroy", flag("true: the machine ends once it ended and results are home")},
                 sometimes("log_cursor", maybe(text("Pass it as after to see only what is new"))),
                 sometimes("log_skipped_bytes", whole("Bytes between two looks that were too many to bring")),
                 sometimes("log_rotated", flag("true: the log was replaced or cut"))});
}

json monitor_output() {
  std::vector<std::string> outcomes{"idle", "outbid", "ready"};
  for (const char* word : {"queued", "starting", "running", "finished", "failed", "stopped", "lost",
                           "renting", "booting", "destroying", "destroyed", "refused"})
    outcomes.emplace_back(word);
  const json gpu = object({{"name", text("Model")},
                           {"busy_percent", maybe(whole("Utilisation in percent"))},
                           {"used_gib", number("VRAM in use, GiB")},
                           {"total_gib", number("VRAM, GiB")}});
  const json finding = object({{"kind", text("out_of_memory, nan_loss, stalled...")},
                               {"severity", one_of({"info", "warning", "bad"}, "How much it matters")},
                               {"evidence", text("What shows it")},
                               {"advice", text("What to do")},
                               {"experiment", maybe(text("Which; null: the machine"))}});
  return answer(
      outcomes,
      rental() +
          Fields{{"as_of", moment("When this was seen")},
                 {"layers", layers()},
                 {"alarms", texts("Layers that are dead, and what to do")},
                 {"warnings", warnings()},
                 sometimes("gpu_now", text("The GPUs in words; empty: the driver says nothing")),
                 sometimes("gpus", list(gpu, "The GPUs as they are now")),
                 sometimes("disk_now", text("The disk in words")),
                 sometimes("guard", any_object("What the guard on the machine last said")),
                 sometimes("jobs", list(job(), "Experiments of this machine")),
                 sometimes("peak_vram_mib", maybe(number("Of the job that the answer is about, MiB"))),
                 sometimes("rate", rate()),
                 sometimes("eta_hours", maybe(number("Hours left"))),
                 sometimes("findings", list(finding, "What is the matter, worst first")),
                 sometimes("foreign_screens", texts("Screen sessions that others started")),
                 sometimes("queue", any_object("Who waits on the machine, and why")),
                 sometimes("their_queues", list(any_object(""), "Queues of other tools on the machine")),
                 sometimes("watchdog", any_object("A watchdog of another tool, with its alerts")),
                 sometimes("checkpoint_advice", checkpoint_advice()),
                 sometimes("outbid_since", moment("When it was outbid")),
                 sometimes("ports", ports())});
}

// ---- collect, list, destroy ----

json collect_output() {
  return answer({"collected", "incomplete"}, {{"instance_id", instance()},
                                              {"receipt", receipt()},
                                              {"results_folder", text("Where results are at home")},
                                              {"logs_folder", text("Where logs are at home")},
                                              {"receipt_file", text("The receipt as a file")}});
}

json list_output() {
  Fields row{
      {"instance_id", instance()},
      {"kind", text("ours, adopted, returned (destroyed before and listed again), orphan or stranger")},
      {"label", text("Mark on the machine")},
      {"marketplace_status", text("As the marketplace says; empty: provisioning")},
      {"gpu", text("GPU model")},
      {"num_gpus", whole("GPUs")},
      {"usd_per_hour", number("US dollars an hour while it runs")}};
  for (Field& field : optional(rental()))  // only of ours
    if (std::ranges::find(row, field.name, &Field::name) == row.end()) row.push_back(std::move(field));
  const json named = object({{"experiment", text("Name")}, {"state", text("State")}});
  row = std::move(row) + Fields{sometimes("experiment", maybe(text("The newest"))),
                                sometimes("experiments", list(named, "All of them, newest first")),
                                sometimes("layers", layers()), sometimes("warnings", warnings())};
  const json brief = object({{"label", text("Our mark on the machine")},
                             {"instance_id", maybe(whole("Id of the machine"))},
                             {"status", text("Ours")},
                             {"usd_so_far", number("Cost until now, US dollars")}},
                            "As an instance of ours");
  return answer({"listed", "nothing_rented"},
                {{"as_of", moment("When this was seen")},
                 {"instances", list(object(row),
                                    "Every instance of the account; those that are not ours "
                                    "have only the required fields")},
                 {"unseen", list(brief, "Ours that bill and are not listed yet")},
                 {"vanished", list(brief, "Gone since the last look")},
                 {"unsettled", texts("Labels whose create got no answer")},
                 {"envelopes", list(envelope(), "Approved envelopes of this project")},
                 {"usd_per_hour_now", number("US dollars an hour of all together right now")},
                 {"alarms", texts("What has to be done now")},
                 {"ledger_rebuilt", maybe(text("Why the ledger was made anew, within the last day"))},
                 {"instance_file", text("Absolute path of vast-instances.json")},
                 {"listed_by_others", list(whole("Id"), "Said to run by that file, and not listed")},
                 sometimes("instance_file_problem", text("Why the file cannot be read"))});
}

json destroy_output() {
  return answer(
      {"destroyed", "destroying", "approval_needed", "declined"},
      optional(rental()) +
          Fields{sometimes("gone", flag("true: read back twice, it is not listed")),
                 sometimes("instances_asked_about", list(whole("Id"), "Whose results would be lost")),
                 sometimes("cost", cost()), sometimes("receipt", receipt()),
                 sometimes("results_folder", text("Where results are at home"))});
}

json destroy_all_output() {
  const json one = object({{"instance_id", instance()},
                           {"gpu", text("GPU model")},
                           {"gone", flag("true: read back twice, it is not listed")},
                           sometimes("cost", cost()),
                           sometimes("receipt", receipt()),
                           sometimes("error", text("Why it was kept")),
                           sometimes("next_step", text("What to do about that"))});
  const json other = object({{"instance_id", instance()},
                             {"kind", text("Whose it is")},
                             {"gpu", text("GPU model")},
                             {"usd_per_hour", number("US dollars an hour")}});
  return answer({"destroyed", "some_left", "nothing_rented", "approval_needed", "declined"},
                {sometimes("instances", list(one, "Ours in scope")),
                 sometimes("instances_asked_about", list(whole("Id"), "Whose results would be lost")),
                 sometimes("others_untouched", list(other, "Instances that were not touched")),
                 sometimes("unsettled", whole("Creates without an answer")),
                 sometimes("usd_total", number("Cost of all that were ended, US dollars"))});
}

}  // namespace

json output_schema(const std::string& tool) {
  if (tool == "provision") return provision_output();
  if (tool == "rent") return rent_output();
  if (tool == "setup") return setup_output();
  if (tool == "run") return run_output();
  if (tool == "monitor") return monitor_output();
  if (tool == "collect") return collect_output();
  if (tool == "extend") return extend_output();
  if (tool == "list") return list_output();
  if (tool == "destroy") return destroy_output();
  if (tool == "destroy-all") return destroy_all_output();
  return envelope_schema();
}

}  // namespace vastgpu
