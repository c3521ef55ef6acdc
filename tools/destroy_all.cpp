// destroy-all: the same for all of ours, side by side, with the total cost.

#include <thread>

#include "core/text.h"
#include "fleet/finish.h"
#include "fleet/reconcile.h"
#include "fleet/shared_looks.h"
#include "tools/all_tools.h"
#include "tools/common.h"
#include "tools/discard_consent.h"

namespace vastgpu {
namespace {

struct DestroyAllArgs {
  std::string scope = "project";
  bool discard_results = false;
  bool confirm_discard = false;
  bool stop_running = false;
  double wait_seconds = 45;
  std::optional<std::string> project;
};

struct OneEnd {
  Rental rental;
  Result<FinishOutcome> outcome = fail({});
};

Result<Envelope> destroy_all(Workplace& workplace, const DestroyAllArgs& a, CallContext& call) {
  auto project = workplace.project(a.project);
  if (!project) return fail(std::move(project).error());
  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  auto seen = reconcile(*deps, call.stop);
  if (!seen)
    return fail(std::move(seen).error().during("nothing was destroyed, since what is rented is unknown"));

  std::vector<OneEnd> ends;
  json others = json::array();
  for (const LiveRow& row : seen->live) {
    const bool in_scope = row.rental && (a.scope == "account" || row.rental->project == project->string());
    if (in_scope)
      ends.push_back({*row.rental, fail({})});
    else
      others.push_back({{"instance_id", row.instance.id},
                        {"kind", to_string(row.kind)},
                        {"gpu", row.instance.gpu_name},
                        {"usd_per_hour", row.instance.price}});
  }
  for (const Rental& r : seen->unseen)  // not listed, but not gone either
    if (a.scope == "account" || r.project == project->string()) ends.push_back({r, fail({})});
  std::set<InstanceId> may_lose;
  if (a.discard_results) {
    std::vector<Rental> rentals;
    for (const OneEnd& end : ends) rentals.push_back(end.rental);
    json again{{"scope", a.scope}, {"project", project->string()}, {"discard_results", true}};
    if (a.stop_running) again["stop_running"] = true;
    auto consent =
        consent_to_discard(*deps, rentals, a.confirm_discard, {"destroy-all", std::move(again)}, call);
    if (!consent) return fail(std::move(consent).error());
    if (consent->answer) return *std::move(consent->answer);
    may_lose = std::move(consent->agreed);
  }
  const Caller caller = caller_of(call, deps->clock, a.wait_seconds);
  TimePoint first = deps->clock.now();
  for (const OneEnd& end : ends) first = std::min(first, end.rental.created);
  SharedLooks market(deps->market, first - std::chrono::hours(24));
  const Deps shared{market, deps->ssh, deps->ledger, deps->clock, deps->settings, deps->on_intent};
  {
    std::vector<std::jthread> workers;  // one machine each; joined at the end of this block
    std::mutex telling;
    for (OneEnd& end : ends)
      workers.emplace_back([&] {
        Caller own = caller;
        own.progress = [&](double f, const std::string& m) {
          const std::scoped_lock hold(telling);
          caller.progress(f, text("instance ", end.rental.instance->value, ": ", m));
        };
        end.outcome = finish(
            shared, {*end.rental.instance, may_lose.contains(*end.rental.instance), a.stop_running}, own);
      });
  }

  Envelope e;
  Usd total;
  std::vector<std::string> left;
  std::vector<std::vector<std::string>> rows;
  e.facts["instances"] = json::array();
  for (const OneEnd& end : ends) {
    json facts{{"instance_id", *end.rental.instance}, {"gpu", end.rental.gpu_name}};
    std::string state, cost;
    if (!end.outcome) {
      state = "kept: " + end.outcome.error().what;
      facts["error"] = end.outcome.error().what;
      facts["next_step"] = end.outcome.error().next_step;
    } else {
      state = end.outcome->gone ? "gone" : "still listed";
      const CostReport& report = end.outcome->cost;
      total += report.charged.value_or(report.ours.ours);
      cost = money(report.charged.value_or(report.ours.ours));
      facts["cost"] = to_facts(report);
      facts["receipt"] = end.outcome->receipt ? receipt_facts(*end.outcome->receipt) : json(nullptr);
    }
    facts["gone"] = end.outcome && end.outcome->gone;
    if (!facts["gone"].get<bool>()) {
      left.push_back(to_string(*end.rental.instance));
      e.next.push_back({"destroy", {{"instance_id", *end.rental.instance}}, state});
    }
    rows.push_back({to_string(*end.rental.instance), end.rental.gpu_name, state, cost});
    e.facts["instances"].push_back(std::move(facts));
  }
  e.facts["others_untouched"] = others;
  e.facts["unsettled"] = seen->unsettled.size();
  e.facts["usd_total"] = total;
  e.outcome = !left.empty() || !seen->unsettled.empty() ? "some_left"
              : ends.empty()                            ? "nothing_rented"
                                                        : "destroyed";
  e.summary =
      ends.empty()
          ? text("Nothing of ours is rented", a.scope == "project" ? " for this project" : "", "; ",
                 others.size(), " other instances were not touched.")
          : text(ends.size() - left.size(), " of ", ends.size(),
                 " instances are gone, read back; total cost ", money(total), ".",
                 left.empty() ? "" : " Still there: " + join(left, ", ") + ".",
                 others.empty() ? "" : text(" ", others.size(), " other instances were not touched."));
  if (!rows.empty()) e.details = table({"instance", "GPU", "state", "cost"}, rows);
  return e;
}

}  // namespace

Tool destroy_all_tool(Workplace& workplace) {
  auto args =
      ArgList<DestroyAllArgs>{}
          .optional("scope", &DestroyAllArgs::scope,
                    "project: rentals of this project; account: all of ours on the account (default project)",
                    {.choices = {"project", "account"}})
          .optional("discard_results", &DestroyAllArgs::discard_results,
                    "true only on the user's word: destroy without bringing results home")
          .optional("confirm_discard", &DestroyAllArgs::confirm_discard, kConfirmDiscardHelp)
          .optional("stop_running", &DestroyAllArgs::stop_running,
                    "true: stop experiments that still run; what they wrote is collected")
          .optional("wait_seconds", &DestroyAllArgs::wait_seconds, kWaitHelp, wait_rules())
          .optional("project", &DestroyAllArgs::project, kProjectHelp);
  return make_tool(
      {.name = "destroy-all",
       .title = "End all rentals",
       .description =
           "Does what destroy does for every machine of ours at once, and reports the total cost. Machines "
           "that others rented on the account are "
           "named and not touched; a machine whose results cannot be brought home is kept and named. With "
           "discard_results the user is asked where the client shows forms; confirm_discard answers instead.",
       .effect = ToolEffect::destroys},
      std::move(args),
      [&workplace](const DestroyAllArgs& a, CallContext& call) { return destroy_all(workplace, a, call); });
}

}  // namespace vastgpu
