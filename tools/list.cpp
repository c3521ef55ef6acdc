// list: the ledger joined with the account's live list.

#include "core/text.h"
#include "fleet/adopt.h"
#include "fleet/arm.h"
#include "fleet/envelope.h"
#include "fleet/jobs.h"
#include "fleet/layers.h"
#include "fleet/lifecycle.h"
#include "fleet/reconcile.h"
#include "fleet/tend.h"
#include "tools/all_tools.h"
#include "tools/common.h"

namespace vastgpu {
namespace {

struct ListArgs {
  std::optional<std::string> project;
};

struct Watched {
  std::vector<LayerView> layers;
  std::vector<std::string> warnings;
};

Result<Watched> watched_facts(const Deps& d, const Rental& rental) {
  auto layers = layers_of(d, rental);
  if (!layers) return fail(std::move(layers).error());
  return warnings_of(d, rental).map([&](std::vector<std::string> warnings) {
    return Watched{*std::move(layers), std::move(warnings)};
  });
}

/// The last thing that was found out about the credit, where it was not enough.
Result<std::string> credit_warning(const Deps& d) {
  return d.ledger.events("").map([](const std::vector<LedgerEvent>& events) -> std::string {
    const LedgerEvent* last = last_event(events, kCreditEvent);
    if (last == nullptr || !read_field<bool>(last->detail, "low").value_or(false)) return {};
    return "CREDIT IS RUNNING OUT: it was " +
           money(Usd{read_field<double>(last->detail, "credit_usd").value_or(0)}) + " at " +
           to_iso8601(last->at) + "; at zero everything stops and is deleted later: add credit now";
  });
}

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
  const InstanceFile file(*project, deps->settings.state_folder / "locks");
  const auto entries = file.read();
  for (LiveRow& row : seen->live)  // a file that lists an adopted machine says whose it is
    if (row.rental && entries &&
        std::ranges::any_of(*entries, [&](const InstanceEntry& x) { return x.id == row.instance.id; }))
      if (auto given = give_project(*deps, *row.rental, *project); !given)
        return fail(std::move(given).error());
  std::vector<std::vector<std::string>> rows;
  e.facts["as_of"] = to_iso8601(deps->clock.now());
  e.facts["ledger_rebuilt"] = nullptr;
  if (auto anew = deps->ledger.events_of_kind("rebuilt", deps->clock.now() - std::chrono::hours(24));
      anew && !anew->empty()) {
    const std::string why = read_field<std::string>(anew->back().detail, "why").value_or("it was made anew");
    e.facts["ledger_rebuilt"] = why;
    e.details += "- warning: at " + to_iso8601(anew->back().at) + " " + clean_line(why, 900) + "\n";
  }
  e.facts["instances"] = json::array();
  int ours = 0, strange = 0;
  std::vector<std::string> alarms;
  std::string keeper_alarm;
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
      facts["experiments"] = json::array();
      if (auto jobs = deps->ledger.jobs(row.rental->label); jobs) {
        std::vector<std::string> words;
        for (const Job& j : *jobs) {
          facts["experiments"].push_back({{"experiment", j.experiment}, {"state", to_string(j.state)}});
          if (is_open(j.state)) words.push_back(j.experiment + " " + to_string(j.state));
        }
        if (words.size() > 1 || (words.size() == 1 && !words.front().ends_with(" running")))
          e.details += text("- instance ", i.id.value, " experiments: ", join(words, ", "), "\n");
      }
      auto watched = watched_facts(*deps, *row.rental);
      if (!watched) return fail(std::move(watched).error());
      facts["layers"] = to_facts(watched->layers, deps->clock.now());
      facts["warnings"] = watched->warnings;
      if (may_bill(row.rental->status)) {
        e.details += text("- instance ", i.id.value,
                          " last reports: ", to_words(watched->layers, deps->clock.now()), "\n");
        for (const LayerView& layer : watched->layers)
          for (const std::string& alarm : alarms_of({layer})) {
            if (layer.layer != kKeeperLayer)
              alarms.push_back(text("instance ", i.id.value, " ", alarm));
            else if (keeper_alarm.empty())  // there is one keeper for all of them
              keeper_alarm = alarm;
          }
      }
      for (const std::string& warning : watched->warnings)
        e.details += text("- warning: instance ", i.id.value, " ", warning, "\n");
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
    if (row.rental && row.rental->status == Status::ready && is_unguarded(*row.rental))
      e.details += text("- instance ", i.id.value, " will NOT end by itself. ", row.rental->note, "\n");
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
  e.facts["instance_file"] = file.path().string();
  e.facts["listed_by_others"] = json::array();
  if (!entries) {
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
  auto credit = credit_warning(*deps);
  if (!credit) return fail(std::move(credit).error());
  if (!credit->empty() && ours > 0) alarms.push_back(*credit);
  if (!keeper_alarm.empty()) alarms.push_back(keeper_alarm);
  e.facts["alarms"] = alarms;
  for (const std::string& alarm : alarms) e.summary += " " + alarm + ".";
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
