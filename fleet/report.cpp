#include "fleet/report.h"

#include "core/text.h"
#include "fleet/guard.h"

namespace vastgpu {
namespace {
double micro(double usd) { return std::round(usd * 1e6) / 1e6; }
}  // namespace

CostSoFar cost_so_far(const Rental& rental, TimePoint now) {
  TimePoint until = rental.ended.value_or(now);
  // A stopped machine ran until the guard stopped it at the latest; its disk alone is small and in the
  // provider's charges.
  if (rental.status == Status::stopped) until = std::min<TimePoint>(until, rental.lease_end + kGuardGrace);
  if (rental.status == Status::refused || !rental.instance) return {};
  const auto lived = std::chrono::duration_cast<Hours>(until - rental.created);
  return {lived, rental.price * lived};
}

CostReport report(const Deps& d, const Rental& rental, std::stop_token stop) {
  CostReport r;
  r.rental = rental;
  r.ours = cost_so_far(rental, d.clock.now());
  if (!rental.instance) {
    r.charges_note = "nothing was rented";
    return r;
  }
  auto charges = d.market.charges(rental.created - std::chrono::hours(24),
                                  d.clock.now() + std::chrono::hours(24), std::move(stop));
  if (!charges) {
    r.charges_note = "the provider's charges cannot be read: " + charges.error().what;
    return r;
  }
  Usd total;
  for (const Charge& c : *charges) {
    if (c.instance != *rental.instance) continue;
    total += c.amount;
    r.charged_by[clean_line(c.type, 20)] += c.amount;
  }
  if (r.charged_by.empty())
    r.charges_note = "the provider has not posted charges for it yet";
  else
    r.charged = total;
  return r;
}

json to_facts(const CostReport& r) {
  json by = json::object();
  for (const auto& [type, amount] : r.charged_by) by[type] = micro(amount.value);
  return {{"hours", r.ours.since_created.count()},
          {"usd_estimated", micro(r.rental.estimate.value)},
          {"usd_worst_case", micro(r.rental.worst_case.value)},
          {"usd_own_count", micro(r.ours.ours.value)},
          {"usd_charged", r.charged ? json(micro(r.charged->value)) : json(nullptr)},
          {"usd_charged_by", by},
          {"charges_note", r.charges_note}};
}

std::string to_words(const CostReport& r) {
  std::string words =
      "cost: estimated " + money(r.rental.estimate) + ", at most " + money(r.rental.worst_case) + ", ";
  words += r.charged ? "charged " + money(*r.charged) : "our own count " + money(r.ours.ours);
  return words + " for " + hours(r.ours.since_created) + (r.charged ? "" : " (" + r.charges_note + ")");
}

json rental_facts(const Rental& r, TimePoint now) {
  const CostSoFar cost = cost_so_far(r, now);
  return {{"instance_id", r.instance ? json(*r.instance) : json(nullptr)},
          {"label", r.label},
          {"status", to_string(r.status)},
          {"project", r.project},
          {"gpu", r.gpu_name},
          {"num_gpus", r.num_gpus},
          {"usd_per_hour", r.price},
          {"image", r.image},
          {"ssh", r.ssh ? json(to_url(*r.ssh)) : json(nullptr)},
          {"created_at", to_iso8601(r.created)},
          {"lease_ends_at", to_iso8601(r.lease_end)},
          {"usd_so_far", micro(cost.ours.value)},
          {"usd_worst_case", micro(r.worst_case.value)},
          {"interruptible", r.interruptible},
          {"bid_usd_per_hour", r.bid ? json(*r.bid) : json(nullptr)},
          {"envelope_id", r.envelope.empty() ? json(nullptr) : json(r.envelope)},
          {"replaces", r.replaces.empty() ? json(nullptr) : json(r.replaces)},
          {"results_collected_at", r.collected ? json(to_iso8601(*r.collected)) : json(nullptr)}};
}

}  // namespace vastgpu
