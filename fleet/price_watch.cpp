#include "fleet/price_watch.h"

#include <algorithm>
#include <cmath>

#include "core/log.h"
#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/lease.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

constexpr double kDrift = 0.01;  // as between quote and rent

Hours in_hours(Duration d) { return std::chrono::duration_cast<Hours>(d); }

/// The guard looks every 30 s and a stop takes some seconds; moments in the ledger are cut to seconds.
constexpr auto kRounding = std::chrono::seconds(2);

/// A lease that moved.
struct Move {
  TimePoint at, from, to;
  Usd added;
  bool longer = false;
};

bool differs(UsdPerHour seen, UsdPerHour from) {
  return std::abs(seen.value - from.value) > from.value * kDrift + 1e-6;
}

}  // namespace

Agreement agreement_of(const Rental& rental, const std::vector<LedgerEvent>& events) {
  Agreement agreement;
  agreement.prices.push_back({rental.created, rental.price});
  std::vector<Move> moves;
  for (const LedgerEvent& e : events) {
    const auto from = read_field<double>(e.detail, "from");
    const auto to = read_field<double>(e.detail, "to");
    if (e.kind == "price") {
      const auto price = read_field<double>(e.detail, "usd_per_hour");
      if (price && from) agreement.prices.push_back({from_unix_seconds(*from), UsdPerHour{*price}});
    } else if ((e.kind == "extend" || e.kind == "shorten") && from && to) {
      const Usd added{read_field<double>(e.detail, "added_usd").value_or(0)};
      moves.push_back({e.at, from_unix_seconds(*from), from_unix_seconds(*to), added, e.kind == "extend"});
    }
  }
  Usd added;
  Duration moved{};
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const Move& m = moves[i];
    const TimePoint then = i + 1 < moves.size() ? moves[i + 1].from : rental.lease_end;
    // It is noted before it is done: one that a crash cut short left the lease where it was.
    if (!m.longer && std::chrono::abs(then - m.to) > std::chrono::seconds(1)) continue;
    moved += m.to - m.from;
    if (!m.longer) continue;
    added += m.added;
    agreement.paused += std::max(Duration{}, m.at - m.from);
  }
  const Duration first_lease = rental.lease_end - moved - rental.created;
  const Usd first_worst = rental.worst_case - added;
  const Usd timed = rental.price * in_hours(first_lease + kLeaseReserve);
  agreement.other = Usd{std::max(0.0, (first_worst - timed).value)};
  return agreement;
}

Usd spent_on(const Agreement& agreement, const Rental& rental, TimePoint now) {
  Usd sum;
  const auto& steps = agreement.prices;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const TimePoint from = std::max(steps[i].from, rental.created);
    const TimePoint until = i + 1 < steps.size() ? std::min(steps[i + 1].from, now) : now;
    if (until > from) sum += steps[i].price * in_hours(until - from);
  }
  return Usd{std::max(0.0, (sum - rental.price * in_hours(agreement.paused)).value)};
}

TimePoint affordable_end(const Agreement& agreement, const Rental& rental, TimePoint now) {
  const UsdPerHour price = agreement.prices.back().price;
  if (!(price.value > 0)) return rental.lease_end;
  const Usd rest = rental.worst_case - agreement.other - spent_on(agreement, rental, now);
  const Hours pays_for(std::clamp(rest / Usd{price.value}, -1e5, 1e5));
  return now + std::chrono::duration_cast<Duration>(pays_for) - kLeaseReserve - kRounding;
}

Result<PriceVerdict> watch_price(const Deps& d, Rental& rental, const Instance& row, TimePoint old_until,
                                 const Caller& caller) {
  PriceVerdict verdict;
  // The lease of an adopted machine is a guess of ours, and what a bid costs changes only by ourselves.
  if (rental.adopted) return verdict;
  auto events = d.ledger.events(rental.label);
  if (!events) return fail(std::move(events).error());
  Agreement agreement = agreement_of(rental, *events);
  const TimePoint now = d.clock.now();
  TimePoint end = rental.lease_end;
  std::vector<std::string> why;

  if (!rental.interruptible && row.price.value > 0) {
    const UsdPerHour last = agreement.prices.back().price;
    if (differs(row.price, last)) {
      // A rise counts from when the old price was last seen, a fall from now: never too little.
      const TimePoint from =
          row.price > last ? std::clamp(old_until, std::min(agreement.prices.back().from, now), now) : now;
      auto noted =
          d.ledger
              .add_event({now,
                          "price",
                          rental.label,
                          {{"usd_per_hour", row.price},
                           {"was_usd_per_hour", last},
                           {"from", to_unix_seconds(from)}}})
              .and_then([&] { return amend(d, rental, [&](Rental& r) { r.seen_price = row.price; }); });
      if (!noted) return fail(std::move(noted).error().during("noting the new price"));
      log_fact("price label=", rental.label, " usd_per_hour=", row.price.value, " was=", last.value);
      agreement.prices.push_back({from, row.price});
    }
    if (differs(agreement.prices.back().price, rental.price) &&
        agreement.prices.back().price > rental.price) {
      why.push_back("its price rose from " + money(rental.price) + " to " +
                    money(agreement.prices.back().price));
      if (const TimePoint pays = affordable_end(agreement, rental, now); pays < end) {
        end = pays;
        why.push_back("so that it still costs at most " + money(rental.worst_case));
      }
    }
  }
  if (row.end_date && *row.end_date - kBeforeHostEnds < end) {
    end = *row.end_date - kBeforeHostEnds;
    why.push_back("the host takes it away at " + to_iso8601(*row.end_date));
  }
  verdict.why = join(why, ", ");
  if (end >= rental.lease_end) return verdict;
  if (end - now < kShortestLease) {
    verdict.end_now = true;
    return verdict;
  }
  auto told = shorten(d, rental, end, verdict.why, caller);
  if (!told) return fail(std::move(told).error());
  verdict.why += ": its lease was shortened to " + to_iso8601(rental.lease_end);
  if (!*told) verdict.why += " (its guard could not be told yet)";
  return verdict;
}

}  // namespace vastgpu
