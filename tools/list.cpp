// list: the ledger joined with the account's live list.

#include "core/text.h"
#include "fleet/envelope.h"
#include "fleet/jobs.h"
#include "fleet/reconcile.h"
#include "tools/all_tools.h"
#include "tools/common.h"

namespace vastgpu {
namespace {

struct ListArgs {
  std::optional<std::string> project;
};

Result<Envelope> list_rentals(Workplace& workplace, const ListArgs& a, CallContext& call) {
  auto project = workplace.project(a.project);
  if (!project) return fail(std::move(project).error());
  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  auto seen = reconcile(*deps, call.stop);
  if (!seen) {
    Error e = std::move(seen).error();
    e.what += "; what is rented is unknown right now";
    return fail(std::move(e));
  }

  Envelope e;
  std::vector<std::vector<std::string>> rows;
  e.facts["instances"] = json::array();
  int ours = 0, strange = 0;
  UsdPerHour rate;
  for (const LiveRow& row : seen->live) {
    const Instance& i = row.instance;
    json facts{{"instance_id", i.id},
               {"kind", to_string(row.kind)},
               {"label", clean_line(i.label, 120)},
               {"marketplace_status", clean_line(i.actual_status, 40)},
               {"gpu", i.gpu_name},
               {"num_gpus", i.num_gpus},
               {"usd_per_hour", i.price}};
    std::string experiment, cost, lease;
    if (row.rental) {
      facts.update(rental_facts(*row.rental, deps->clock.now()));
      if (auto jobs = deps->ledger.jobs(row.rental->label); jobs && !jobs->empty())
        experiment = jobs->front().experiment;
      facts["experiment"] = experiment.empty() ? json(nullptr) : json(experiment);
      cost = money(cost_so_far(*row.rental, deps->clock.now()).ours) + " of " + money(row.rental->worst_case);
      lease = to_iso8601(row.rental->lease_end);
      ++ours;
    } else {
      ++strange;
    }
    if (i.actual_status == "running")
      rate += i.price;
    else
      rate += i.storage_price;
    rows.push_back({to_string(i.id), to_string(row.kind),
                    i.gpu_name + (i.num_gpus > 1 ? text(" x ", i.num_gpus) : ""),
                    row.rental ? to_string(row.rental->status) : "",
                    i.actual_status.empty() ? "provisioning" : i.actual_status, experiment, money(i.price),
                    cost, lease});
    e.facts["instances"].push_back(std::move(facts));
    const json id{{"instance_id", i.id}};
    if (row.kind == LiveRow::Kind::returned)
      e.next.push_back({"destroy", id, "it was destroyed before and is listed again: it bills"});
    if (row.rental && row.rental->status == Status::destroying)
      e.next.push_back({"destroy", id, "its end is not confirmed yet"});
    if (row.rental && row.rental->status == Status::ready) e.next.push_back({"monitor", id, "look at it"});
    if (row.rental && row.rental->status == Status::stopped) {
      e.details += text("- instance ", i.id.value, " is stopped; its disk bills ", money(i.storage_price),
                        " and may hold results\n");
      e.next.push_back({"extend",
                        {{"instance_id", i.id}, {"hours", 0.25}},
                        "start it again to rescue its results, then destroy"});
    }
    if (row.rental && row.rental->status == Status::booting)
      e.next.push_back({"rent", {{"quote_id", row.rental->quote_id}}, "go on waiting for it"});
  }
  e.facts["unseen"] = json::array();
  for (const Rental& r : seen->unseen) {
    e.facts["unseen"].push_back(rental_facts(r, deps->clock.now()));
    e.details += "- not listed yet, but it bills: " + r.label + " (instance " + to_string(*r.instance) +
                 ", " + to_string(r.status) + ")\n";
  }
  e.facts["vanished"] = json::array();
  for (const Rental& r : seen->vanished) {
    e.facts["vanished"].push_back(rental_facts(r, deps->clock.now()));
    e.details += "- gone since the last look: " + r.label +
                 (r.instance ? " (instance " + to_string(*r.instance) + ")" : "") + "\n";
  }
  e.facts["unsettled"] = json::array();
  for (const Rental& r : seen->unsettled) {
    e.facts["unsettled"].push_back(r.label);
    e.details += "- not settled yet: label " + r.label + "; its create got no answer\n";
  }
  e.facts["envelopes"] = json::array();
  if (const auto envelopes = deps->ledger.open_envelopes(project->string(), deps->clock.now()))
    for (const SpendingEnvelope& envelope : *envelopes)
      if (const auto room = room_of(*deps, envelope.id)) {
        e.facts["envelopes"].push_back(to_facts(*room));
        e.details += "- " + to_words(*room) + "\n";
      }
  // The file that other tools read, and what differs from it.
  const InstanceFile file(*project, deps->settings.state_folder / "locks");
  e.facts["instance_file"] = file.path().string();
  e.facts["listed_by_others"] = json::array();
  if (auto entries = file.read(); !entries) {
    e.facts["instance_file_problem"] = entries.error().what;
    e.details += "- warning: " + entries.error().what + "; " + entries.error().next_step + "\n";
  } else {
    for (const InstanceEntry& entry : *entries) {
      const bool live =
          std::ranges::any_of(seen->live, [&](const LiveRow& r) { return r.instance.id == entry.id; }) ||
          std::ranges::any_of(seen->unseen, [&](const Rental& r) { return r.instance == entry.id; });
      if (entry.status != "running" || live) continue;
      e.facts["listed_by_others"].push_back(entry.id);
      e.details += text("- ", file.path().filename().string(), " says instance ", entry.id.value,
                        " is running, the marketplace does not list it\n");
    }
  }
  const bool nothing = seen->live.empty() && seen->unsettled.empty() && seen->unseen.empty();
  e.outcome = nothing ? "nothing_rented" : "listed";
  e.facts["usd_per_hour_now"] = rate;
  e.summary =
      seen->live.empty()
          ? (nothing ? std::string("Nothing is rented; nothing bills.")
             : seen->unsettled.empty()
                 ? text("The marketplace lists nothing yet, but ", seen->unseen.size(), " of ours bill.")
                 : std::string("Nothing is listed, but a create is not settled yet."))
          : text(ours, " of ours, ", strange, " other, together ", money(rate), " right now.");
  if (!rows.empty())
    e.details = table({"instance", "whose", "GPU", "state", "marketplace", "experiment", "price",
                       "cost so far", "ends by itself"},
                      rows) +
                e.details;
  return e;
}

}  // namespace

Tool list_tool(Workplace& workplace) {
  auto args = ArgList<ListArgs>{}.optional("project", &ListArgs::project, kProjectHelp);
  return make_tool({.name = "list",
                    .title = "List rentals",
                    .description = "Every instance of the account from the marketplace's live list, joined "
                                   "with our ledger and vast-instances.json: state, experiment, cost so "
                                   "far, when it ends by itself. Instances that are not ours are named and "
                                   "never touched. A failed listing is reported as unknown, never "
                                   "as nothing.",
                    .effect = ToolEffect::read_only},
                   std::move(args), [&workplace](const ListArgs& a, CallContext& call) {
                     return list_rentals(workplace, a, call);
                   });
}

}  // namespace vastgpu
