// extend: a later end for a rental, within the budget.

#include "core/text.h"
#include "fleet/lease.h"
#include "fleet/reach.h"
#include "tools/all_tools.h"
#include "tools/common.h"

namespace vastgpu {
namespace {

struct ExtendArgs {
  InstanceId instance_id;
  double hours = 0;
  double wait_seconds = 45;
};

Result<Envelope> extend_lease(Workplace& workplace, const ExtendArgs& a, CallContext& call) {
  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  auto rental = rental_of(*deps, a.instance_id);
  if (!rental) return fail(std::move(rental).error());
  const ProjectSettings settings = read_project_settings(rental->project);
  if (auto readable = check_budget_readable(settings); !readable) return fail(std::move(readable).error());
  auto moved = extend(*deps, a.instance_id, Hours(a.hours), {.budget = settings.max_budget},
                      caller_of(call, deps->clock, a.wait_seconds));
  if (!moved) return fail(std::move(moved).error());
  Envelope e;
  e.outcome = !moved->running ? "starting" : moved->machine_told ? "extended" : "extended_machine_not_told";
  e.summary =
      text("Instance ", a.instance_id.value, " now ends by itself at ", to_iso8601(moved->rental.lease_end),
           " (", end_words(moved->rental.at_end, std::nullopt), "); this adds up to ", money(moved->added),
           ", so it can cost ", money(moved->rental.worst_case), " in all.",
           moved->running ? "" : " It was stopped and does not answer yet.",
           moved->note.empty() ? "" : " " + moved->note);
  e.facts = rental_facts(moved->rental, deps->clock.now());
  e.facts["usd_added"] = moved->added;
  e.facts["machine_told"] = moved->machine_told;
  e.facts["note"] = moved->note;
  if (!moved->machine_told)
    e.next.push_back(
        {"extend",
         {{"instance_id", a.instance_id}, {"hours", 0}},
         moved->running ? "tell the guard on the machine again" : "go on waiting until it answers"});
  return e;
}

}  // namespace

Tool extend_tool(Workplace& workplace) {
  auto args = ArgList<ExtendArgs>{}
                  .required("instance_id", &ExtendArgs::instance_id, kInstanceHelp, id_rules())
                  .required("hours", &ExtendArgs::hours,
                            "Hours to add to the lease; 0 tells the machine its present end again",
                            {.minimum = 0, .maximum = 720})
                  .optional("wait_seconds", &ExtendArgs::wait_seconds, kWaitHelp, wait_rules());
  return make_tool(
      {.name = "extend",
       .title = "Extend a lease",
       .description = "Moves the time at which a machine ends by itself. Costs up to price x hours more, "
                      "checked against max_budget and the limits of settings.json; say the amount to the "
                      "user first. The guard on the machine learns the new end at once. A machine that was "
                      "stopped at the end of its lease is started "
                      "again: that is how its results are rescued (hours 0.25, then collect or destroy).",
       .effect = ToolEffect::spends_money},
      std::move(args),
      [&workplace](const ExtendArgs& a, CallContext& call) { return extend_lease(workplace, a, call); });
}

}  // namespace vastgpu
