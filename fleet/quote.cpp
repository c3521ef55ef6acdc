#include "fleet/quote.h"

#include "core/text.h"
#include "fleet/guard.h"

namespace vastgpu {
namespace {

constexpr auto kQuoteLives = std::chrono::minutes(10);  // offers are taken within minutes
constexpr auto kFailureRemembered = std::chrono::hours(24 * 14);

json cost_facts(const CostBreakdown& c) {
  return {{"gpu_usd", c.gpu}, {"disk_usd", c.disk}, {"traffic_usd", c.traffic}, {"total_usd", c.total}};
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

OfferQuery base_query(const QuoteRequest& r) {
  OfferQuery q;
  q.kind = r.interruptible ? RentalKind::interruptible : RentalKind::on_demand;
  q.disk = r.profile.disk;  // the disk is part of the price: search with what will be rented
  q.num_gpus = r.profile.gpus;
  q.min_gpu_ram = to_megabytes(r.profile.vram) * 0.97;
  q.min_cuda = r.profile.min_cuda;
  return q;
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
  q.interruptible = request.interruptible;
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
                  {"flags", c.flags}});
  return q;
}

Result<std::set<MachineId>> machines_to_avoid(const Deps& d) {
  return d.ledger.machine_failures(d.clock.now() - kFailureRemembered).map([](const auto& failures) {
    std::set<MachineId> avoid;
    for (const MachineFailure& f : failures) avoid.insert(f.machine);
    return avoid;
  });
}

}  // namespace

Result<QuoteResult> make_quotes(const Deps& d, const QuoteRequest& request, std::stop_token stop) {
  // Three views of one market, since each search is cut at its limit: cheap, good value, fast.
  std::vector<Offer> offers;
  struct View {
    const char* order;
    bool descending;
  };
  for (const View view :
       {View{"dph_total", false}, View{"dlperf_per_dphtotal", true}, View{"dlperf", true}}) {
    OfferQuery q = base_query(request);
    q.order_by = view.order;
    q.descending = view.descending;
    auto found = d.market.search(q, stop);
    if (!found) return fail(std::move(found).error().during("searching offers"));
    const bool whole = found->size() < static_cast<std::size_t>(q.limit);
    offers.insert(offers.end(), std::make_move_iterator(found->begin()),
                  std::make_move_iterator(found->end()));
    if (whole) break;  // the first view already showed everything
  }

  auto avoid = machines_to_avoid(d);
  if (!avoid) return fail(std::move(avoid).error());
  Screening screening = screen(offers, request.profile, request.lease, *avoid);
  QuoteResult result;
  result.offers_seen = offers.size();
  result.dropped = std::move(screening.dropped);
  std::vector<Candidate> affordable;
  for (Candidate& c : screening.candidates) {
    if (!request.budget || c.worst.total <= *request.budget) {
      affordable.push_back(std::move(c));
      continue;
    }
    ++result.dropped["over budget in the worst case"];
    if (!result.cheapest_over_budget || c.worst.total < *result.cheapest_over_budget)
      result.cheapest_over_budget = c.worst.total;
  }
  if (!affordable.empty()) result.cheapest_over_budget.reset();

  for (Option& option : choose_three(affordable)) {
    if (request.budget)  // a stand-in must fit the budget too
      option.worst_case = std::min(option.worst_case, *request.budget);
    std::erase_if(option.alternates, [&](const Candidate& a) { return a.worst.total > option.worst_case; });
    QuotedOption quoted{quote_of(request, option, d.clock.now()), std::move(option)};
    if (auto stored = d.ledger.add_quote(quoted.quote); !stored) return fail(std::move(stored).error());
    result.options.push_back(std::move(quoted));
  }
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
  Candidate c;
  c.offer = found->front();
  c.work = request.profile.hours;
  c.lease = request.lease.value_or(lease_for(c.work));
  c.image = request.profile.image;
  c.estimate = cost_of(c.offer, c.work.value_or(c.lease), {});
  c.worst = cost_of(c.offer, c.lease + Hours(kGuardGrace), {});
  const Quote quote = quote_of(request, {"chosen by offer id", c, {}, c.worst.total, {}}, d.clock.now());
  if (auto stored = d.ledger.add_quote(quote); !stored) return fail(std::move(stored).error());
  return quote;
}

json to_facts(const QuotedOption& o) {
  const Candidate& c = o.option.chosen;
  json facts = machine_facts(c);
  facts["quote_id"] = o.quote.id;
  facts["title"] = o.option.title;
  facts["vram_gib"] = std::round(to_gibibytes(c.offer.gpu_ram).value * 10) / 10;
  facts["estimated_hours"] = c.work ? json(c.work->count()) : json(nullptr);
  facts["lease_hours"] = c.lease.count();
  facts["estimate"] = cost_facts(c.estimate);
  facts["worst_case_usd"] = o.quote.worst_case;
  facts["disk_usd_per_day_after_lease"] = o.quote.disk_per_day;
  facts["reliability"] = c.offer.reliability;
  facts["location"] = c.offer.location;
  facts["inet_down_mbps"] = c.offer.inet_down;
  facts["flags"] = c.flags;
  facts["wrong_when"] = o.option.wrong_when;
  facts["stand_ins"] = o.option.alternates.size();
  facts["expires_at"] = to_iso8601(o.quote.expires);
  return facts;
}

}  // namespace vastgpu
