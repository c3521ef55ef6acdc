// extend: a later end for a rental, within the budget.

#include "core/bound.h"
#include "core/text.h"
#include "fleet/lease.h"
#include "fleet/reach.h"
#include "tools/all_tools.h"
#include "tools/asking.h"
#include "tools/common.h"

namespace vastgpu {
namespace {

struct ExtendArgs {
  InstanceId instance_id;
  double hours = 0;
  std::optional<double> approve_usd;
  double wait_seconds = 45;
};

constexpr const char* kKey = "approve";

/// What the person agreed to: either the answer of this call, or the most that the rental may then cost in
/// all (nothing: as far as the limits allow).
struct Agreed {
  std::optional<Envelope> answer;
  std::optional<Usd> most = {};
};

/// Not asked: when nothing is added, when approve_usd answers, or when the client cannot show a form.
/// @error over_budget  approve_usd does not cover it
Result<Agreed> agreed_to(const Deps& d, const ExtendArgs& a, const Rental& r, const CallContext& call) {
  if (a.hours <= 0) return Agreed{};
  const Said said_so = said(call, kKey);
  if (said_so == Said::yes) {
    const auto most = read_number(call.ask_state, "most_usd");
    if (most) return Agreed{{}, Usd{*most}};
  }
  const Usd added = extension_cost(r, Hours(a.hours)), total = r.worst_case + added;
  if (said_so == Said::nothing && a.approve_usd) {
    if (added.value <= *a.approve_usd + 1e-9) return Agreed{{}, r.worst_case + Usd{*a.approve_usd}};
    return fail({.code = Code::over_budget,
                 .what = text("this adds up to ", at_most(added), ", the user said yes to ",
                              money(Usd{*a.approve_usd})),
                 .next_step = "ask the user for a yes to the higher number, or extend by less"});
  }
  const bool can_move =
      r.status == Status::ready || r.status == Status::booting || r.status == Status::stopped;
  if (said_so == Said::nothing && (!can_ask(call.client) || !can_move)) return Agreed{};

  Envelope e;
  e.facts = rental_facts(r, d.clock.now());
  e.facts["usd_to_add"] = added;
  if (said_so == Said::no) {
    e.outcome = "declined";
    e.summary = text("The user did not agree; the lease of instance ", a.instance_id.value, " still ends at ",
                     to_iso8601(r.lease_end), ".");
    return Agreed{std::move(e)};
  }
  e.outcome = "approval_needed";
  e.summary = text("The lease was not moved: the user has to say yes to up to ", at_most(added),
                   " more first. Ask, then call extend with approve_usd.");
  e.next.push_back({"extend",
                    {{"instance_id", a.instance_id}, {"hours", a.hours}, {"approve_usd", rounded_up(added)}},
                    text("only after the user said yes to up to ", at_most(added), " more")});
  if (said_so == Said::unheard) return Agreed{std::move(e)};
  e.asks.push_back(yes_or_no(
      kKey,
      text("Extend instance ", a.instance_id.value, " (", clean_line(r.gpu_name, 60), ") by ",
           hours(Hours(a.hours)), ", until ", to_iso8601(extended_end(r, Hours(a.hours), d.clock.now())),
           "?\nThis adds up to ", at_most(added), ": it can then cost ", at_most(total), " in all.",
           r.status == Status::stopped ? " It is stopped, and is started again for this." : ""),
      text("Yes, up to ", at_most(added), " more")));
  e.ask_state = {{"most_usd", total}};
  return Agreed{std::move(e)};
}

Result<Envelope> extend_lease(Workplace& workplace, const ExtendArgs& a, CallContext& call) {
  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  auto rental = rental_of(*deps, a.instance_id);
  if (!rental) return fail(std::move(rental).error());
  const ProjectSettings settings = read_project_settings(rental->project);
  if (auto readable = check_budget_readable(settings); !readable) return fail(std::move(readable).error());
  auto agreed = agreed_to(*deps, a, *rental, call);
  if (!agreed) return fail(std::move(agreed).error());
  if (agreed->answer) return *std::move(agreed->answer);
  auto moved =
      extend(*deps, a.instance_id, Hours(a.hours), {.budget = settings.max_budget, .most = agreed->most},
             caller_of(call, deps->clock, a.wait_seconds));
  if (!moved) return fail(std::move(moved).error());
  Envelope e;
  e.outcome = !moved->running ? "starting" : moved->machine_told ? "extended" : "extended_machine_not_told";
  e.summary =
      text("Instance ", a.instance_id.value, " now ends by itself at ", to_iso8601(moved->rental.lease_end),
           " (", end_words(moved->rental.at_end, std::nullopt), "); this adds up to ", at_most(moved->added),
           ", so it can cost ", at_most(moved->rental.worst_case), " in all.",
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
  auto args =
      ArgList<ExtendArgs>{}
          .required("instance_id", &ExtendArgs::instance_id, kInstanceHelp, id_rules())
          .required("hours", &ExtendArgs::hours,
                    "Hours to add to the lease; 0 tells the machine its present end again",
                    {.minimum = 0, .maximum = 720})
          .optional("approve_usd", &ExtendArgs::approve_usd,
                    "The most in US dollars that the user said yes to add: answers the question about "
                    "the price. Never without the user's yes to this number",
                    {.minimum = 0, .maximum = 1e6})
          .optional("wait_seconds", &ExtendArgs::wait_seconds, kWaitHelp, wait_rules());
  return make_tool(
      {.name = "extend",
       .title = "Extend a lease",
       .description = "Moves the time at which a machine ends by itself. Costs up to price x hours more, "
                      "checked against max_budget and the limits of settings.json; say the amount to the "
                      "user first. Where the client shows forms, the user is asked here; approve_usd answers "
                      "instead. The guard on the machine learns the new end at once. A machine that was "
                      "stopped at the end of its lease is started "
                      "again: that is how its results are rescued (hours 0.25, then collect or destroy).",
       .effect = ToolEffect::spends_money},
      std::move(args),
      [&workplace](const ExtendArgs& a, CallContext& call) { return extend_lease(workplace, a, call); });
}

}  // namespace vastgpu
