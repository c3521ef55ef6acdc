#include "tools/rent_consent.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/bound.h"
#include "core/text.h"
#include "fleet/launch.h"
#include "fleet/learn.h"
#include "fleet/renew.h"

namespace vastgpu {
namespace {

constexpr const char* kKey = "approve";
constexpr auto kTimeToChoose = std::chrono::minutes(5);  // a fresher quote could be over before the answer
constexpr auto kOneSearch = std::chrono::minutes(2);     // quotes of one provision are stored together
constexpr double kRounding = 1e-9;

std::string machine_words(const Quote& q) {
  return text(q.num_gpus > 1 ? text(q.num_gpus, " x ") : std::string(), clean_line(q.gpu_name, 60),
              q.interruptible ? " (interruptible)" : "");
}

/// To what a yes to this quote lets it grow, renewals included.
Usd most_of(const Deps& d, const Quote& q, const RentWish& wish, const ProjectSettings& settings) {
  std::optional<SpendingEnvelope> envelope;
  if (wish.envelope) envelope = SpendingEnvelope{.id = {}, .project = {}, .max_usd = wish.envelope->usd};
  const Usd most = std::max(q.worst_case, renewable_to(q.worst_case, d.settings.account, settings, envelope));
  return wish.max_usd ? std::min(most, std::max(q.worst_case, Usd{*wish.max_usd})) : most;
}

/// What the user's number has to cover, with the envelope that is approved along with it.
Usd least_yes(const Quote& q, const RentWish& wish) {
  return wish.envelope ? std::max(q.worst_case, wish.envelope->usd) : q.worst_case;
}

std::string price_words(const Deps& d, const Quote& q, const RentWish& wish,
                        const ProjectSettings& settings) {
  return text(money(q.price), ", estimated total ", money(q.estimate),
              q.work ? text(" for ", hours(*q.work), " of work") : std::string(" for its whole lease"),
              ", at most ", at_most(q.worst_case),
              renewal_words(q.worst_case, most_of(d, q, wish, settings), settings.max_budget));
}

/// "at most $1.20, renewed at most $5.00, its envelope at most $9.00": all that a yes allows.
std::string bound_words(const Deps& d, const Quote& q, const RentWish& wish,
                        const ProjectSettings& settings) {
  const Usd most = most_of(d, q, wish, settings);
  return text("at most ", at_most(q.worst_case),
              most > q.worst_case ? text(", renewed at most ", at_most(most)) : std::string(),
              wish.envelope ? text(", its envelope at most ", at_most(wish.envelope->usd)) : std::string());
}

std::string end_of(const Deps& d, const Quote& q) {
  const TimePoint end = d.clock.now() + std::chrono::duration_cast<Duration>(q.lease);
  const LeaseEnd at_end = d.settings.account ? d.settings.account->at_lease_end : LeaseEnd::stop;
  return text("It ends by itself after ", hours(q.lease), ", about ", to_iso8601(end), " (",
              end_words(at_end, q.disk_per_day), ").");
}

std::string envelope_words(const RentWish& wish) {
  if (!wish.envelope) return {};
  return text(" With it an envelope is approved: up to ", wish.envelope->rentals,
              " rentals, which replace one that is lost, for at most ", at_most(wish.envelope->usd),
              " in all, begun until ", to_iso8601(wish.envelope->until), " without asking again.");
}

/// The call that was asked for, with the yes to all that it allows.
json arguments_for(const Deps& d, const Quote& q, const RentWish& wish, const ProjectSettings& settings) {
  json arguments{{"quote_id", q.id},
                 {"project", q.project},
                 {"approve_usd", rounded_up(std::max(most_of(d, q, wish, settings), least_yes(q, wish)))}};
  if (wish.max_usd) arguments["max_usd"] = *wish.max_usd;
  if (wish.envelope_id) arguments["envelope_id"] = *wish.envelope_id;
  if (!wish.envelope) return arguments;
  arguments["envelope_usd"] = wish.envelope->usd;
  arguments["envelope_rentals"] = wish.envelope->rentals;
  if (wish.envelope_until) arguments["envelope_until"] = *wish.envelope_until;
  return arguments;
}

json quote_facts(const Deps& d, const Quote& q, const RentWish& wish, const ProjectSettings& settings) {
  return {{"quote_id", q.id},
          {"title", q.title},
          {"gpu", q.gpu_name},
          {"num_gpus", q.num_gpus},
          {"usd_per_hour", q.price},
          {"usd_estimate", q.estimate},
          {"usd_worst_case", q.worst_case},
          {"usd_renewable_to", most_of(d, q, wish, settings)},
          {"lease_hours", q.lease.count()},
          {"expires_at", to_iso8601(q.expires)}};
}

/// Nothing was rented: nobody has said yes.
Envelope not_rented(const Deps& d, const std::vector<Quote>& quotes, const RentWish& wish,
                    const ProjectSettings& settings) {
  Envelope e;
  e.facts["options"] = json::array();
  for (const Quote& q : quotes) {
    e.facts["options"].push_back(quote_facts(d, q, wish, settings));
    e.details += text("- ", q.title, ": ", machine_words(q), ", ", price_words(d, q, wish, settings), ". ",
                      end_of(d, q), " quote_id ", q.id, "\n");
  }
  return e;
}

Envelope needs_approval(const Deps& d, const std::vector<Quote>& quotes, const RentWish& wish,
                        const ProjectSettings& settings) {
  Envelope e = not_rented(d, quotes, wish, settings);
  e.outcome = "approval_needed";
  e.summary = quotes.size() == 1
                  ? text("Nothing was rented: the user has to say yes to ", machine_words(quotes.front()),
                         " for ", bound_words(d, quotes.front(), wish, settings),
                         ", first. Ask, then call rent with approve_usd.")
                  : text("Nothing was rented: the user has to choose one of ", quotes.size(),
                         " quotes first. Ask, then call rent with its quote_id and approve_usd.");
  for (const Quote& q : quotes)
    e.next.push_back(
        {"rent", arguments_for(d, q, wish, settings),
         text("only after the user said yes to ", bound_words(d, q, wish, settings), ", for this one")});
  return e;
}

/// What bills for one of these quotes: another process may have rented it while the question was open.
Result<std::optional<Rental>> held_of(const Deps& d, const std::vector<Quote>& quotes) {
  auto open = d.ledger.rentals(true);
  if (!open) return fail(std::move(open).error());
  for (const Rental& r : *open)
    for (const Quote& q : quotes)
      if (r.quote_id == q.id || r.quote_id.starts_with(q.id + ".")) return r;  // ".2": a stand-in
  return std::nullopt;
}

std::string held_words(const Rental& r) {
  return text(
      "But another call rented quote ", r.quote_id, " meanwhile: ",
      r.instance ? text("instance ", r.instance->value, " bills.") : text("label ", r.label, " may bill."));
}

Result<Envelope> declined(const Deps& d, const std::vector<Quote>& quotes, const RentWish& wish,
                          const ProjectSettings& settings) {
  auto held = held_of(d, quotes);
  if (!held) return fail(std::move(held).error());
  Envelope e = not_rented(d, quotes, wish, settings);
  e.outcome = "declined";
  if (*held) {
    const Rental& r = **held;
    e.summary = "The user did not agree, and this call rented nothing. " + held_words(r);
    if (r.instance)
      e.next.push_back({"destroy", {{"instance_id", *r.instance}}, "end it, where the user wants none"});
    return e;
  }
  e.summary = "The user did not agree; nothing was rented and nothing is held.";
  e.next.push_back({"provision", json::object(), "other machines, where the user wants some"});
  return e;
}

json state_of(const Deps& d, const std::vector<Quote>& quotes, const RentWish& wish,
              const ProjectSettings& settings) {
  json bounds = json::object();
  for (const Quote& q : quotes) bounds[q.id] = most_of(d, q, wish, settings);
  return {{"bounds", std::move(bounds)}};
}

/// The quotes that this call's question was about.
Result<std::vector<Quote>> asked_about(const Deps& d, const CallContext& call) {
  std::vector<Quote> quotes;
  const json bounds = read_field<json>(call.ask_state, "bounds").value_or(json::object());
  for (const auto& [id, bound] : bounds.items()) {
    auto quote = d.ledger.quote(id);
    if (!quote) return fail(std::move(quote).error());
    if (*quote) quotes.push_back(**std::move(quote));
  }
  return quotes;
}

/// Launch refuses it whatever the person says, and says why better.
bool refused_anyway(const Deps& d, const Quote& q, const RentWish& wish, const ProjectSettings& settings) {
  if (d.clock.now() > q.expires || !d.settings.account) return true;
  std::optional<Usd> own;
  if (wish.max_usd) own = Usd{*wish.max_usd};
  const IntentLimits limits =
      limits_for(d.settings.account->limits, d.settings.settings_file, settings.max_budget, own);
  return std::ranges::any_of(
      std::array{own, settings.max_budget, limits.account.per_rental},
      [&](const auto& limit) { return limit && q.worst_case.value > limit->value + 1e-6; });
}

/// A rental that was begun keeps what it began with. The same call again, its answer lost, is no new wish.
Result<void> check_came_with(const Deps& d, const Quote& quote, const RentWish& wish) {
  if (!wish.envelope) return {};
  auto before = d.ledger.envelope(envelope_id_of(quote.id));
  if (!before) return fail(std::move(before).error());
  if (*before) return check_envelope(d, quote, *wish.envelope);
  return fail({.code = Code::wrong_state,
               .what = "quote " + quote.id +
                       " was rented before without an envelope, and envelope_usd only "
                       "goes with the call that begins a rental; no envelope was approved",
               .next_step = "leave envelope_usd out to go on with this rental"});
}

}  // namespace

Result<RentConsent> consent_to(const Deps& d, const Quote& quote, const RentWish& wish,
                               const ProjectSettings& settings, const CallContext& call) {
  const Said said_so = said(call, kKey);
  if (said_so == Said::no) {
    auto quotes = asked_about(d, call);
    if (!quotes) return fail(std::move(quotes).error());
    return declined(d, *quotes, wish, settings).map([](Envelope e) { return RentConsent{std::move(e)}; });
  }
  auto begun = was_begun(d, quote);  // also by another process, while the question was open
  if (!begun) return fail(std::move(begun).error());
  if (*begun) {
    if (auto same = check_came_with(d, quote, wish); !same) return fail(std::move(same).error());
    return RentConsent{};
  }
  if (wish.envelope)
    if (auto possible = check_envelope(d, quote, *wish.envelope); !possible)
      return fail(std::move(possible).error());
  if (said_so == Said::unheard) {
    auto quotes = asked_about(d, call);
    if (!quotes) return fail(std::move(quotes).error());
    auto held = held_of(d, *quotes);
    if (!held) return fail(std::move(held).error());
    Envelope e = needs_approval(d, *quotes, wish, settings);
    if (*held) e.summary += " " + held_words(**held);
    return RentConsent{std::move(e)};
  }
  const bool refused = refused_anyway(d, quote, wish, settings);
  const auto go_on = [&](std::optional<Usd> approved) {
    return RentConsent{{}, approved, refused ? std::nullopt : wish.envelope};
  };
  if (said_so == Said::yes) {
    const json bounds = read_field<json>(call.ask_state, "bounds").value_or(json::object());
    const auto bound = read_number(bounds, quote.id.c_str());
    if (!bound)
      return fail({.code = Code::invalid_argument,
                   .what = "the user was not asked about quote " + clean_line(quote.id, 60),
                   .next_step = "call rent again"});
    return go_on(Usd{*bound});
  }

  if (wish.approve_usd) {
    if (least_yes(quote, wish).value <= *wish.approve_usd + kRounding) return go_on(Usd{*wish.approve_usd});
    return fail({.code = Code::over_budget,
                 .what = text("this rental can cost up to ", at_most(quote.worst_case),
                              wish.envelope ? ", its envelope up to " + at_most(wish.envelope->usd) : "",
                              ", the user said yes to ", money(Usd{*wish.approve_usd})),
                 .next_step = "ask the user for a yes to the higher number, or pick a cheaper quote"});
  }
  if (wish.envelope_id || refused || !can_ask(call.client)) return go_on({});
  Envelope e = needs_approval(d, {quote}, wish, settings);
  e.asks.push_back(yes_or_no(
      kKey,
      text("Rent ", machine_words(quote), " for ",
           clean_line(std::filesystem::path(quote.project).filename().string(), 60), "?\n",
           price_words(d, quote, wish, settings), ". ", end_of(d, quote), envelope_words(wish),
           " It bills from the moment it is rented. The price holds until ", to_iso8601(quote.expires), "."),
      text("Yes, rent it: ", bound_words(d, quote, wish, settings))));
  e.ask_state = state_of(d, {quote}, wish, settings);
  return RentConsent{std::move(e)};
}

Envelope ask_which(const Deps& d, const std::vector<Quote>& quotes, const RentWish& wish,
                   const ProjectSettings& settings) {
  Envelope e = needs_approval(d, quotes, wish, settings);
  e.outcome = "choice_needed";
  std::vector<Choice> choices;
  std::string message =
      text("Which machine should be rented for ",
           clean_line(std::filesystem::path(quotes.front().project).filename().string(), 60),
           "? The one that you pick is rented, and bills from then on.");
  for (const Quote& q : quotes) {
    message += text("\n- ", q.title, ": ", machine_words(q), ", ", price_words(d, q, wish, settings), ". ",
                    end_of(d, q));
    choices.push_back({q.id, text(q.title, ": ", machine_words(q), ", ~", money(q.estimate), ", ",
                                  bound_words(d, q, wish, settings))});
  }
  e.asks.push_back(one_of(kKey, message + envelope_words(wish), "Machine", choices));
  e.ask_state = state_of(d, quotes, wish, settings);
  return e;
}

std::string quote_asked_about(const CallContext& call) {
  if (std::string one = picked(call, kKey); !one.empty()) return one;
  const json bounds = read_field<json>(call.ask_state, "bounds").value_or(json::object());
  return bounds.empty() ? std::string() : bounds.begin().key();
}

Result<std::string> quote_under_way(const Deps& d, const std::string& project) {
  auto open = d.ledger.rentals(true);
  if (!open) return fail(std::move(open).error());
  for (const Rental& r : *open)
    if (r.project == project && !r.quote_id.empty() &&
        (r.status == Status::renting || r.status == Status::booting))
      return r.quote_id;
  return std::string();
}

Result<std::vector<Quote>> quotes_to_choose_from(const Deps& d, const std::filesystem::path& project,
                                                 const ProjectSettings& settings, std::stop_token stop) {
  static const std::set<std::string> kTitles{"cheapest", "best value", "fastest", "next fastest"};
  auto stored = d.ledger.quotes(project.string(), 20);
  if (!stored) return fail(std::move(stored).error());
  std::vector<Quote> fresh;
  std::set<std::string> titles;
  for (const Quote& q : *stored) {
    if (!kTitles.contains(q.title) || q.expires - d.clock.now() < kTimeToChoose) continue;
    if (!fresh.empty() && fresh.front().created - q.created > kOneSearch) break;
    if (!titles.insert(q.title).second) break;  // of an earlier search
    auto begun = was_begun(d, q);
    if (!begun) return fail(std::move(begun).error());
    if (!*begun) fresh.insert(fresh.begin(), q);
  }
  if (!fresh.empty()) return fresh;

  TaskRequest request;
  request.image = settings.image;
  if (auto runs = past_runs(d, project)) request.past_runs = *std::move(runs);
  const QuoteRequest quoting{project, analyse(project, request), settings.max_budget, false, {}};
  auto found = make_quotes(d, quoting, std::move(stop));
  if (!found) return fail(std::move(found).error());
  for (const QuotedOption& o : found->options) fresh.push_back(o.quote);
  if (fresh.empty())
    return fail({.code = Code::not_found,
                 .what = "no machine fits this project's work and budget right now",
                 .next_step = "call provision: it says what giving up one requirement would bring"});
  return fresh;
}

}  // namespace vastgpu
