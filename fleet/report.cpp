#include "fleet/report.h"

#include <algorithm>

#include "core/text.h"
#include "fleet/arm.h"
#include "fleet/host_key.h"

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

namespace {

struct Posted {
  std::map<std::string, Usd> by;
  std::optional<Hours> gpu_hours;
};

constexpr const char* kGpuHours = "gpu_hours";  // kept as a line of its own: an amount in hours

Posted sum_of(const std::vector<Charge>& charges, InstanceId instance) {
  Posted posted;
  bool all_counted = true;
  for (const Charge& c : charges) {
    if (c.instance != instance) continue;
    posted.by[clean_line(c.type, 20)] += c.amount;
    if (c.type != "gpu") continue;
    all_counted &= c.hours.has_value();
    if (c.hours) posted.gpu_hours = posted.gpu_hours.value_or(Hours(0)) + *c.hours;
  }
  if (!all_counted) posted.gpu_hours.reset();
  return posted;
}

Result<void> keep(const Deps& d, const Rental& rental, const Posted& posted) {
  std::vector<ChargeRecord> records;
  for (const auto& [type, amount] : posted.by) records.push_back({rental.label, type, amount, d.clock.now()});
  if (posted.gpu_hours)
    records.push_back({rental.label, kGpuHours, Usd{posted.gpu_hours->count()}, d.clock.now()});
  return d.ledger.put_charges(rental.label, records);
}

Posted kept(const std::vector<ChargeRecord>& records) {
  Posted posted;
  for (const ChargeRecord& r : records)
    if (r.type == kGpuHours)
      posted.gpu_hours = Hours(r.amount.value);
    else
      posted.by[r.type] = r.amount;
  return posted;
}

ChargedParts parts_of(const Posted& posted) {
  ChargedParts parts;
  parts.gpu_hours = posted.gpu_hours;
  for (const auto& [type, amount] : posted.by)
    (type == "gpu"                    ? parts.gpu
     : type == "disk"                 ? parts.disk
     : type == "bwd" || type == "bwu" ? parts.traffic
                                      : parts.other) += amount;
  return parts;
}

void fill(const Deps& d, CostReport& r, const Posted& posted) {
  r.charged_by = posted.by;
  const ChargedParts parts = parts_of(posted);
  r.charged = parts.total();
  auto quote = d.ledger.quote(r.rental.quote_id);
  if (!quote || !*quote) return;
  std::optional<Hours> worked;
  if (r.rental.ready)
    worked = std::chrono::duration_cast<Hours>(r.rental.ended.value_or(d.clock.now()) - *r.rental.ready);
  r.causes = cost_causes(estimate_parts((*quote)->facts), parts, worked);
}

}  // namespace

CostReport report(const Deps& d, const Rental& rental, std::stop_token stop, Duration fresh) {
  CostReport r;
  r.rental = rental;
  r.ours = cost_so_far(rental, d.clock.now());
  if (!rental.instance) {
    r.charges_note = "nothing was rented";
    return r;
  }
  if (auto known = d.ledger.charges(rental.label);
      known && !known->empty() && d.clock.now() - known->front().read < fresh) {
    fill(d, r, kept(*known));
    r.charges_note = "as the provider said at " + to_iso8601(known->front().read);
    return r;
  }
  auto charges = d.market.charges(rental.created - std::chrono::hours(24),
                                  d.clock.now() + std::chrono::hours(24), std::move(stop));
  const Posted posted = charges ? sum_of(*charges, *rental.instance) : Posted{};
  if (!posted.by.empty()) {
    fill(d, r, posted);
    if (auto noted = keep(d, rental, posted); !noted) r.charges_note = noted.error().what;
    return r;
  }
  r.charges_note = charges ? "the provider has not posted charges for it yet"
                           : "the provider's charges cannot be read: " + charges.error().what;
  if (auto known = d.ledger.charges(rental.label); known && !known->empty()) {
    fill(d, r, kept(*known));
    r.charges_note += "; shown is what it said at " + to_iso8601(known->front().read);
  }
  return r;
}

Result<int> settle_charges(const Deps& d, std::stop_token stop) {
  constexpr auto kPosted = std::chrono::hours(26);  // a UTC day and some time to post it
  constexpr auto kBetween = std::chrono::hours(1);
  const TimePoint now = d.clock.now();
  auto rentals = d.ledger.rentals(false);
  if (!rentals) return fail(std::move(rentals).error());
  std::vector<Rental> due;
  for (const Rental& r : *rentals) {
    if (!r.instance || !r.ended || now - *r.ended > std::chrono::hours(72)) continue;
    auto known = d.ledger.charges(r.label);
    if (!known) return fail(std::move(known).error());
    const TimePoint read = known->empty() ? TimePoint{} : known->front().read;
    if (read < *r.ended + kPosted && now - read > kBetween) due.push_back(r);
  }
  if (due.empty()) return 0;
  const auto first = std::ranges::min_element(due, {}, &Rental::created)->created;
  auto charges =
      d.market.charges(first - std::chrono::hours(24), now + std::chrono::hours(24), std::move(stop));
  if (!charges) return fail(std::move(charges).error());
  int settled = 0;
  for (const Rental& r : due) {
    const Posted posted = sum_of(*charges, *r.instance);
    if (posted.by.empty()) continue;
    if (auto noted = keep(d, r, posted); !noted) return fail(std::move(noted).error());
    ++settled;
  }
  return settled;
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
          {"difference_by_cause", to_facts(r.causes)},
          {"charges_note", r.charges_note}};
}

std::string to_words(const CostReport& r) {
  std::string words =
      "cost: estimated " + money(r.rental.estimate) + ", at most " + money(r.rental.worst_case) + ", ";
  words += r.charged ? "charged " + money(*r.charged) : "our own count " + money(r.ours.ours);
  words +=
      " for " + hours(r.ours.since_created) + (r.charges_note.empty() ? "" : " (" + r.charges_note + ")");
  const std::string causes = to_words(r.causes);
  return causes.empty() ? words : words + "; against the estimate: " + causes;
}

std::string end_words(LeaseEnd at_end, std::optional<Usd> disk_per_day) {
  if (at_end == LeaseEnd::destroy) return "destroyed then, with all that is not home; nothing bills on";
  return "stopped then; the disk alone bills on" +
         (disk_per_day ? ", " + money(*disk_per_day) + " a day" : std::string()) + " until destroyed";
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
          {"host_key", host_key_facts(r)},
          {"created_at", to_iso8601(r.created)},
          {"lease_ends_at", to_iso8601(r.lease_end)},
          {"at_lease_end", to_string(r.at_end)},
          {"unguarded", is_unguarded(r)},
          {"usd_so_far", micro(cost.ours.value)},
          {"usd_worst_case", micro(r.worst_case.value)},
          {"usd_renewable_to", micro(std::max(r.worst_case, r.renew_to).value)},
          {"interruptible", r.interruptible},
          {"bid_usd_per_hour", r.bid ? json(*r.bid) : json(nullptr)},
          {"envelope_id", r.envelope.empty() ? json(nullptr) : json(r.envelope)},
          {"replaces", r.replaces.empty() ? json(nullptr) : json(r.replaces)},
          {"results_collected_at", r.collected ? json(to_iso8601(*r.collected)) : json(nullptr)}};
}

}  // namespace vastgpu
