// rent: a quote becomes a machine that answers, within its worst case.

#include "core/bound.h"
#include "core/text.h"
#include "fleet/envelope.h"
#include "fleet/launch.h"
#include "fleet/quote.h"
#include "fleet/renew.h"
#include "tools/all_tools.h"
#include "tools/common.h"
#include "tools/rent_consent.h"

namespace vastgpu {
namespace {

constexpr int kUsualRentals = 3;  // of an envelope

struct RentArgs {
  std::optional<std::string> quote_id, project;
  std::optional<OfferId> offer_id;
  std::optional<double> approve_usd, max_usd, lease_hours, envelope_usd;
  std::optional<int> envelope_rentals;
  std::optional<std::string> envelope_until, envelope_id;
  double wait_seconds = 45;
};

Result<std::string> quote_for_offer(const Deps& d, const RentArgs& a, const ProjectSettings& settings,
                                    const std::filesystem::path& project, std::stop_token stop) {
  auto open =
      d.ledger.rentals(true);  // asked for before, and the answer was lost on its way: the same rental
  if (!open) return fail(std::move(open).error());
  for (const Rental& r : *open)
    if (r.offer == *a.offer_id && r.project == project.string()) return r.quote_id;
  TaskRequest request;
  request.image = settings.image;
  QuoteRequest quoting{project, analyse(project, request), settings.max_budget, false, {}};
  if (a.lease_hours) quoting.lease = Hours(*a.lease_hours);
  return quote_offer(d, quoting, *a.offer_id, std::move(stop)).map([](const Quote& q) { return q.id; });
}

/// @error invalid_argument  arguments that do not go together, or are no time
Result<RentWish> wish_of(const Deps& d, const RentArgs& a) {
  if (!a.envelope_usd && (a.envelope_rentals || a.envelope_until))
    return fail({.code = Code::invalid_argument,
                 .what = "envelope_rentals and envelope_until belong to envelope_usd, which is missing",
                 .next_step = "pass envelope_usd: what all rentals of the envelope together may cost"});
  if (a.envelope_usd && a.envelope_id)
    return fail(
        {.code = Code::invalid_argument,
         .what = "envelope_usd approves a new envelope, envelope_id draws on one that exists: not both",
         .next_step = "leave one of them out"});
  RentWish wish{a.approve_usd, a.max_usd, {}, a.envelope_until, a.envelope_id};
  if (!a.envelope_usd) return wish;
  const TimePoint now = d.clock.now();
  auto until = parse_until(a.envelope_until.value_or("+24h"), now, local_offset(now));
  if (!until) return fail(std::move(until).error());
  wish.envelope = EnvelopeWish{Usd{*a.envelope_usd}, a.envelope_rentals.value_or(kUsualRentals), *until};
  return wish;
}

/// That the envelope which was named exists and is of the quote's project.
/// @error invalid_argument, not_found
Result<void> check_draws_on(const Deps& d, const std::string& envelope_id, const Quote& quote) {
  auto room = room_of(d, envelope_id);
  if (!room) return fail(std::move(room).error());
  if (room->envelope.project == quote.project) return {};
  return fail({.code = Code::invalid_argument,
               .what = "envelope_id " + room->envelope.id + " was approved for project " +
                       clean_line(room->envelope.project, 200),
               .next_step = "approve one for this project with envelope_usd"});
}

/// The quote that this call is about: named, asked about, or made; empty: the person has to choose.
Result<std::string> quote_meant(const Deps& d, const RentArgs& a, const ProjectSettings& settings,
                                const std::filesystem::path& project, const CallContext& call) {
  if (a.quote_id) return *a.quote_id;
  if (std::string asked = quote_asked_about(call); !asked.empty()) return asked;
  if (a.offer_id) return quote_for_offer(d, a, settings, project, call.stop);
  return quote_under_way(d, project.string());
}

/// Puts the envelope of a rental into the answer.
void show_envelope(const Deps& d, const Rental& rental, Envelope& e) {
  e.facts["envelope"] = nullptr;
  if (rental.envelope.empty()) return;
  const auto room = room_of(d, rental.envelope);
  if (!room) return;
  e.facts["envelope"] = to_facts(*room);
  e.details += "- " + to_words(*room) +
               ": a machine that is lost or outbid is replaced within it, from what "
               "last came home, without asking\n";
}

Result<Envelope> rent(Workplace& workplace, const RentArgs& a, CallContext& call) {
  auto project = workplace.project(a.project);
  if (!project) return fail(std::move(project).error());
  auto deps = workplace.open(call.stop);
  if (!deps) return fail(std::move(deps).error());
  auto wish = wish_of(*deps, a);
  if (!wish) return fail(std::move(wish).error());
  // It is the quote's own project that rents, and whose budget counts, wherever its answer arrives.
  if (const std::string named = a.quote_id ? *a.quote_id : quote_asked_about(call); !named.empty()) {
    auto quote = deps->ledger.quote(named);
    if (!quote) return fail(std::move(quote).error());
    if (*quote) project = std::filesystem::path((*quote)->project);
  }
  const ProjectSettings settings = read_project_settings(*project);
  if (auto readable = check_budget_readable(settings); !readable) return fail(std::move(readable).error());
  auto quote_id = quote_meant(*deps, a, settings, *project, call);
  if (!quote_id) return fail(std::move(quote_id).error());
  if (quote_id->empty()) {
    call.progress(0, "looking for machines to choose from");
    auto quotes = quotes_to_choose_from(*deps, *project, settings, call.stop);
    if (!quotes) return fail(std::move(quotes).error());
    return ask_which(*deps, *quotes, *wish, settings);
  }

  LaunchRequest request{*quote_id, settings.max_budget, std::nullopt};
  if (a.max_usd) request.max_usd = Usd{*a.max_usd};
  auto quote = deps->ledger.quote(*quote_id);
  if (!quote) return fail(std::move(quote).error());
  if (*quote) {  // launch says so where there is none
    if (a.envelope_id)
      if (auto found = check_draws_on(*deps, *a.envelope_id, **quote); !found)
        return fail(std::move(found).error());
    auto consent = consent_to(*deps, **quote, *wish, settings, call);
    if (!consent) return fail(std::move(consent).error());
    if (consent->answer) return *std::move(consent->answer);
    request.approved = consent->approved;
    request.new_envelope = consent->envelope;
    if (a.envelope_id) request.envelope = *a.envelope_id;
  }
  auto launched = launch(*deps, request, caller_of(call, deps->clock, a.wait_seconds));
  if (!launched) return fail(std::move(launched).error());

  const Rental& r = launched->rental;
  Envelope e;
  e.facts = rental_facts(r, deps->clock.now());
  e.facts["quote_id"] = *quote_id;
  e.facts["doing"] = launched->doing;
  e.facts["machines_given_up"] = launched->given_up;
  e.facts["warnings"] = launched->warning.empty() ? json::array() : json::array({launched->warning});
  for (const std::string& failed : launched->given_up)
    e.details += "- gave up (destroyed, confirmed gone): " + clean_line(failed, 300) + "\n";
  if (!launched->warning.empty()) e.details += "- warning: " + launched->warning + "\n";
  std::optional<Usd> disk_per_day;
  if (const auto rented = deps->ledger.quote(r.quote_id); rented && *rented)
    disk_per_day = (*rented)->disk_per_day;
  e.facts["disk_usd_per_day_after_lease"] = disk_per_day ? json(*disk_per_day) : json(nullptr);
  show_envelope(*deps, r, e);
  const json again{{"quote_id", *quote_id}, {"project", project->string()}};
  switch (launched->state) {
    case LaunchOutcome::State::ready:
      e.outcome = "ready";
      e.summary =
          text("Instance ", r.instance->value, " is ready: ", r.num_gpus, " x ", r.gpu_name, " at ",
               money(r.price), ", estimated total ", money(r.estimate), ", at most ", at_most(r.worst_case),
               renewal_words(r.worst_case, r.renew_to, settings.max_budget), "; it ends by itself at ",
               to_iso8601(r.lease_end), " (", end_words(r.at_end, disk_per_day),
               "). A shell on it: "
               "vast-gpu ssh ",
               r.instance->value);
      e.next.push_back(
          {"setup", {{"instance_id", *r.instance}}, "send the code and install the dependencies"});
      break;
    case LaunchOutcome::State::booting:
      if (r.status == Status::stopped) {  // it worked once: its disk may hold results
        e.outcome = "stopped";
        e.summary =
            text("Instance ", r.instance->value, " of this quote is stopped; its disk is kept and bills.");
        e.next.push_back({"extend",
                          {{"instance_id", *r.instance}, {"hours", 0.25}},
                          "start it again to rescue its results, then destroy"});
        break;
      }
      e.outcome = "booting";
      e.summary = text("Instance ", r.instance ? to_string(*r.instance) : "(not known yet)",
                       " is not ready yet: ", launched->doing, ". It costs at most ", at_most(r.worst_case),
                       renewal_words(r.worst_case, r.renew_to, settings.max_budget), ".");
      e.next.push_back({"rent", again, "go on waiting; this never rents a second time"});
      if (r.instance)
        e.next.push_back(
            {"destroy", {{"instance_id", *r.instance}, {"discard_results", true}}, "give it up"});
      break;
    case LaunchOutcome::State::unsettled:
      e.outcome = "unsettled";
      e.summary = "It is not known yet whether a machine was rented: " + launched->doing + ".";
      e.next.push_back({"rent", again, "look again; this never rents a second time"});
      break;
  }
  return e;
}

}  // namespace

Tool rent_tool(Workplace& workplace) {
  auto args =
      ArgList<RentArgs>{}
          .optional("quote_id", &RentArgs::quote_id, "Quote from provision, e.g. q-1a2b3c4d",
                    {.max_length = 64})
          .optional("offer_id", &RentArgs::offer_id, "Instead of a quote: an offer id the user named",
                    id_rules())
          .optional("lease_hours", &RentArgs::lease_hours,
                    "With offer_id: hours until the machine ends by itself (default 4)",
                    {.minimum = 0.25, .maximum = 720})
          .optional("approve_usd", &RentArgs::approve_usd,
                    "The most in US dollars that the user said yes to for this rental, renewals and a new "
                    "envelope included: answers the question about the price. Refused when the rental can "
                    "cost more or envelope_usd is more. Never without the user's yes to this number",
                    {.minimum = 0, .maximum = 1e6})
          .optional("max_usd", &RentArgs::max_usd,
                    "Refuse when the rental could cost more than this many US dollars",
                    {.minimum = 0, .maximum = 1e6})
          .optional("envelope_usd", &RentArgs::envelope_usd,
                    "Approve an envelope with this rental: US dollars that it and those that replace "
                    "it may cost together. Only with the user's yes to this number, and with the call that "
                    "begins the rental",
                    {.minimum = 0.01, .maximum = 1e6})
          .optional("envelope_rentals", &RentArgs::envelope_rentals,
                    "With envelope_usd: how many rentals, this one included (default 3)",
                    {.minimum = 1, .maximum = kMostEnvelopeRentals})
          .optional("envelope_until", &RentArgs::envelope_until,
                    "With envelope_usd: until when new ones may start: 18:00 (local time), "
                    "2026-10-02T18:00:00Z, or +6h (default +24h)",
                    {.max_length = 40})
          .optional("envelope_id", &RentArgs::envelope_id,
                    "Draw on an envelope that was approved before, e.g. e-1a2b3c4d", {.max_length = 64})
          .optional("wait_seconds", &RentArgs::wait_seconds, kWaitHelp, wait_rules())
          .optional("project", &RentArgs::project, kProjectHelp);
  return make_tool(
      {.name = "rent",
       .title = "Rent a machine",
       .description =
           "Rents the machine of a quote and waits until SSH answers and the GPU is "
           "the one that was sold. Starts billing at once; show the "
           "total price and have the user's yes before calling. Where the client shows forms, the "
           "user is asked for the price here, and with neither quote_id nor offer_id chooses among "
           "the options; approve_usd answers instead. `declined` is final; after "
           "`approval_needed` or `choice_needed` ask the user, then pass quote_id and approve_usd. "
           "Checks max_budget of "
           "CLAUDE.md, the limits of settings.json (per rental, day, all that is open, "
           "number of machines) and the account's credit against the most it "
           "can cost. A machine that fails to boot is destroyed, confirmed gone, and "
           "the quote's next stand-in is tried within the same "
           "limit. An envelope, approved once with the user's yes, lets a machine that is "
           "lost or outbid be replaced without asking again. Booting takes 3-15 minutes: while "
           "the outcome is `booting`, call "
           "again with the same quote_id.",
       .effect = ToolEffect::spends_money},
      std::move(args),
      [&workplace](const RentArgs& a, CallContext& call) { return rent(workplace, a, call); });
}

}  // namespace vastgpu
