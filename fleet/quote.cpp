#include "fleet/quote.h"

#include <cmath>

#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/needs.h"
#include "fleet/options_words.h"
#include "fleet/quote_search.h"

namespace vastgpu {
namespace {

constexpr auto kQuoteLives = std::chrono::minutes(10);  // offers are taken within minutes
constexpr auto kFailureRemembered = std::chrono::hours(24 * 14);

/// Without the digits that only arithmetic has.
double rounded(double value, double steps) { return std::round(value * steps) / steps; }
double rounded(Usd amount) { return rounded(amount.value, 1e6); }
double rounded(Hours time) { return rounded(time.count(), 1e4); }

json cost_facts(const CostBreakdown& c) {
  return {{"gpu_usd", rounded(c.gpu)},
          {"disk_usd", rounded(c.disk)},
          {"traffic_usd", rounded(c.traffic)},
          {"boot_usd", rounded(c.boot)},
          {"total_usd", rounded(c.total)}};
}

json machine_facts(const Candidate& c) {
  return {{"offer_id", c.offer.id},
          {"machine_id", c.offer.machine},
          {"gpu", c.offer.gpu_name},
          {"num_gpus", c.offer.num_gpus},
          {"gpu_ram_mb", c.offer.gpu_ram},
          {"usd_per_hour", c.offer.price},
          {"image", c.image}};
}

Quote quote_of(const QuoteRequest& request, const Option& option, TimePoint now) {
  const Candidate& c = option.chosen;
  Quote q;
  q.id = "q-" + random_hex(4);
  q.project = request.project.string();
  q.title = option.title;
  q.offer = c.offer.id;
  q.machine = c.offer.machine;
  q.gpu_name = c.offer.gpu_name;
  q.num_gpus = c.offer.num_gpus;
  q.gpu_ram = c.offer.gpu_ram;
  q.price = c.offer.price;
  q.interruptible = request.interruptible || c.offer.is_bid;
  q.image = c.image;
  q.disk = request.profile.disk;
  q.work = c.work;
  q.lease = c.lease;
  q.estimate = c.estimate.total;
  q.worst_case = option.worst_case;
  q.disk_per_day = disk_cost_per_day(c.offer, request.profile.disk);
  q.created = now;
  q.expires = now + kQuoteLives;
  json alternates = json::array();
  for (const Candidate& a : option.alternates) alternates.push_back(machine_facts(a));
  q.facts = dump({{"alternates", alternates},
                  {"estimate", cost_facts(c.estimate)},
                  {"worst", cost_facts(c.worst)},
                  {"gpu_usd_per_hour", gpu_price(c.offer)},
                  {"flags", c.flags},
                  {"needs", needs_facts(request)}});
  return q;
}

Result<std::set<MachineId>> machines_to_avoid(const Deps& d) {
  return d.ledger.machine_failures(d.clock.now() - kFailureRemembered).map([](const auto& failures) {
    std::set<MachineId> avoid;
    for (const MachineFailure& f : failures) avoid.insert(f.machine);
    return avoid;
  });
}

/// Stores the quote of an option.
Result<QuotedOption> stored(const Deps& d, const QuoteRequest& request, Option option) {
  if (request.budget)  // a stand-in must fit the budget too
    option.worst_case = std::min(option.worst_case, *request.budget);
  std::erase_if(option.alternates, [&](const Candidate& a) { return a.worst.total > option.worst_case; });
  QuotedOption quoted{quote_of(request, option, d.clock.now()), std::move(option)};
  if (auto done = d.ledger.add_quote(quoted.quote); !done) return fail(std::move(done).error());
  return quoted;
}

/// Those within the budget; the others are counted.
std::vector<Candidate> affordable(std::vector<Candidate> candidates, const QuoteRequest& request,
                                  QuoteResult& result) {
  std::vector<Candidate> fits;
  for (Candidate& c : candidates) {
    if (!request.budget || c.worst.total <= *request.budget) {
      fits.push_back(std::move(c));
      continue;
    }
    ++result.dropped["over budget in the worst case"];
    if (!result.cheapest_over_budget || c.worst.total < *result.cheapest_over_budget)
      result.cheapest_over_budget = c.worst.total;
  }
  if (!fits.empty()) result.cheapest_over_budget.reset();
  return fits;
}

/// What on-demand rows say about bids is not what a bid costs, so this is a search of its own.
Result<void> propose_bid(const Deps& d, const QuoteRequest& request, const std::set<MachineId>& avoid,
                         QuoteResult& result, std::stop_token stop) {
  auto bids = search_bids(d, request, std::move(stop));
  if (!bids) {
    if (bids.error().code == Code::cancelled) return fail(std::move(bids).error());
    result.notes.push_back("interruptible prices could not be read: " + bids.error().what);
    return {};
  }
  QuoteResult ignored;
  Screening screening = screen(*bids, request.profile, request.lease, avoid, request.demands);
  const auto fits = affordable(std::move(screening.candidates), request, ignored);
  const Usd cheapest = result.options.front().option.chosen.estimate.total;
  if (fits.empty() || fits.front().estimate.total >= cheapest) return {};
  Option option = make_option("interruptible", fits.front(), fits);
  option.wrong_when =
      "wrong when the result is needed by a fixed time: a pause lasts as long as somebody pays more";
  auto quoted = stored(d, request, std::move(option));
  if (!quoted) return fail(std::move(quoted).error());
  const Candidate& c = quoted->option.chosen;
  Proposal proposal{std::move(*quoted), cheapest - c.estimate.total,
                    interruption_cost(c, request.profile.checkpoints, quoted->quote.disk_per_day)};
  result.proposal = std::move(proposal);
  return {};
}

Result<void> find_relaxations(const Deps& d, const QuoteRequest& request, std::set<MachineId> avoid,
                              QuoteResult& result, const std::stop_token& stop) {
  Tightness t{request.profile, request.demands, request.budget, request.lease, std::move(avoid), {}, {}};
  auto wide = search_widely(d, request, stop);
  if (wide && result.cheapest_over_budget && !request.interruptible) {
    if (auto bids = search_bids(d, request, stop)) t.bids = *std::move(bids);
  }
  if (!wide) {
    if (wide.error().code == Code::cancelled) return fail(std::move(wide).error());
    result.notes.push_back("what else is on offer could not be read: " + wide.error().what);
    return {};
  }
  t.offers = *std::move(wide);
  result.relaxations = relaxations(t);
  return {};
}

}  // namespace

bool suits_interruptible(const TaskProfile& p) {
  return p.hours && (*p.hours < Hours(0.5) || (*p.hours > Hours(4) && p.checkpoints));
}

Result<QuoteResult> make_quotes(const Deps& d, const QuoteRequest& request, std::stop_token stop) {
  auto offers = search_broadly(d, request, stop);
  if (!offers) return fail(std::move(offers).error());
  auto avoid = machines_to_avoid(d);
  if (!avoid) return fail(std::move(avoid).error());
  QuoteResult result;
  if (d.settings.account) result.at_end = d.settings.account->at_lease_end;
  result.offers_seen = offers->size();
  Screening screening = screen(*offers, request.profile, request.lease, *avoid, request.demands);
  result.dropped = std::move(screening.dropped);
  const auto fits = affordable(std::move(screening.candidates), request, result);
  if (fits.empty()) {
    if (auto done = find_relaxations(d, request, *std::move(avoid), result, stop); !done)
      return fail(std::move(done).error());
    return result;
  }
  for (Option& option : choose_three(fits)) {
    auto quoted = stored(d, request, std::move(option));
    if (!quoted) return fail(std::move(quoted).error());
    result.options.push_back(*std::move(quoted));
  }
  const auto& work = request.profile.hours;
  if (request.interruptible && work && *work < Hours(2) && !suits_interruptible(request.profile))
    result.notes.push_back(
        "work under two hours saves little on interruptible machines and may be paused: on demand is "
        "the better choice");
  if (!request.interruptible && suits_interruptible(request.profile))
    if (auto done = propose_bid(d, request, *avoid, result, stop); !done)
      return fail(std::move(done).error());
  return result;
}

Result<Quote> quote_offer(const Deps& d, const QuoteRequest& request, OfferId offer, std::stop_token stop) {
  OfferQuery q;
  q.ask = offer;
  q.disk = request.profile.disk;
  q.kind = request.interruptible ? RentalKind::interruptible : RentalKind::on_demand;
  q.min_reliability = 0;
  q.min_inet_down = {0};
  q.direct_ssh = false;
  q.verified_only = false;
  auto found = d.market.search(q, stop);
  if (!found) return fail(std::move(found).error().during("looking for offer " + to_string(offer)));
  std::erase_if(*found, [&](const Offer& o) { return o.id != offer; });
  if (found->empty())
    return fail({.code = Code::not_found,
                 .what = "offer " + to_string(offer) + " is not listed any more",
                 .next_step = "call provision and pick one of its quotes"});
  const Candidate c = priced(found->front(), request.profile, request.lease);
  if (c.offer.max_duration && *c.offer.max_duration < c.lease)
    return fail({.code = Code::invalid_argument,
                 .what = "lease_hours is " + fixed(c.lease.count(), 2) + ", but the host's offer ends in " +
                         fixed(Hours(*c.offer.max_duration).count(), 2) + " h; expected less than that",
                 .next_step = "pass a shorter lease_hours, or pick another offer"});
  const Quote quote = quote_of(request, {"chosen by offer id", c, {}, c.worst.total, {}}, d.clock.now());
  if (auto stored = d.ledger.add_quote(quote); !stored) return fail(std::move(stored).error());
  return quote;
}

namespace {

/// Cheapest first.
Result<std::vector<Candidate>> others(const Deps& d, const QuoteRequest& request,
                                      const std::set<MachineId>& not_these, std::stop_token stop) {
  auto offers =
      request.interruptible ? search_bids(d, request, std::move(stop)) : search_broadly(d, request, stop);
  if (!offers) return fail(std::move(offers).error().during("looking for another machine"));
  auto avoid = machines_to_avoid(d);
  if (!avoid) return fail(std::move(avoid).error());
  avoid->insert(not_these.begin(), not_these.end());
  QuoteResult ignored;
  return affordable(screen(*offers, request.profile, request.lease, *avoid, request.demands).candidates,
                    request, ignored);
}

}  // namespace

Result<std::optional<Candidate>> find_another(const Deps& d, const QuoteRequest& request,
                                              const std::set<MachineId>& not_these, std::stop_token stop) {
  return others(d, request, not_these, std::move(stop)).map([](const std::vector<Candidate>& fits) {
    return fits.empty() ? std::optional<Candidate>() : std::optional<Candidate>(fits.front());
  });
}

Result<std::optional<Quote>> quote_another(const Deps& d, const QuoteRequest& request,
                                           const std::set<MachineId>& not_these, std::stop_token stop) {
  auto fits = others(d, request, not_these, std::move(stop));
  if (!fits) return fail(std::move(fits).error());
  if (fits->empty()) return std::nullopt;
  auto quoted = stored(d, request, make_option("in place of a lost machine", fits->front(), *fits));
  if (!quoted) return fail(std::move(quoted).error());
  return quoted->quote;
}

json to_facts(const QuotedOption& o) {
  const Candidate& c = o.option.chosen;
  const auto done = c.until_done();
  json facts = machine_facts(c);
  facts["quote_id"] = o.quote.id;
  facts["title"] = o.option.title;
  facts["vram_gib"] = std::round(to_gibibytes(c.offer.gpu_ram).value * 10) / 10;
  facts["estimated_hours"] = c.work ? json(rounded(*c.work)) : json(nullptr);
  facts["start_hours"] = rounded(c.start);
  facts["hours_until_done"] = done ? json(rounded(*done)) : json(nullptr);
  facts["lease_hours"] = c.lease.count();
  facts["estimate"] = cost_facts(c.estimate);
  facts["worst"] = cost_facts(c.worst);
  facts["worst_case_usd"] = o.quote.worst_case;
  facts["disk_usd_per_day_after_lease"] = o.quote.disk_per_day;
  facts["interruptible"] = o.quote.interruptible;
  facts["bid_usd_per_hour"] = o.quote.interruptible ? json(bid_floor(c.offer)) : json(nullptr);
  facts["reliability"] = c.offer.reliability;
  facts["location"] = c.offer.location;
  facts["inet_down_mbps"] = c.offer.inet_down;
  facts["host_ram_gb"] = c.offer.host_ram ? json(std::round(c.offer.host_ram->value)) : json(nullptr);
  facts["host_hours_left"] =
      c.offer.max_duration ? json(rounded(Hours(*c.offer.max_duration))) : json(nullptr);
  facts["flags"] = c.flags;
  facts["wrong_when"] = o.option.wrong_when;
  facts["stand_ins"] = o.option.alternates.size();
  facts["expires_at"] = to_iso8601(o.quote.expires);
  return facts;
}

json to_facts(const Proposal& p) {
  json facts = to_facts(p.quoted);
  facts["saves_usd"] = rounded(p.saves);
  facts["interruption"] = p.interruption;
  return facts;
}

json to_facts(const Relaxation& r) {
  json facts = machine_facts(r.cheapest);
  facts["requirement"] = r.requirement;
  facts["how"] = r.how;
  facts["machines"] = r.machines;
  facts["cheapest_usd"] = rounded(r.cheapest.estimate.total);
  facts["worst_case_usd"] = rounded(r.cheapest.worst.total);
  return facts;
}

}  // namespace vastgpu
