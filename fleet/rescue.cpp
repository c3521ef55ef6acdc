#include "fleet/rescue.h"

#include <algorithm>

#include "core/log.h"
#include "core/text.h"
#include "fleet/guard.h"
#include "fleet/lease.h"
#include "fleet/reach.h"

namespace vastgpu {
namespace {

// Longer than a boot from disk takes; the rest of the grace is for the results.
constexpr auto kWakeLimit = std::chrono::minutes(4);
// A job whose heartbeat is younger than three minutes counts as running, also where its machine was stopped.
constexpr auto kHeartbeatsAreOld = std::chrono::minutes(4);

/// Under the rental's lock: whether it may be started now, and the start. False when the line says why not.
bool wake(const Deps& d, const PassTerms& terms, Tended& it, const std::string& by_hand) {
  const Rental& rental = it.rental;
  const auto stays = [&](std::string did, std::string next_step) {
    left(it.line, std::move(did), std::move(next_step));
    return false;
  };
  const auto fails = [&](const Error& e) {
    failed(it.line, e);
    return false;
  };
  const auto lock = lock_rental(d, rental.label, terms.caller(d));
  if (!lock) return fails(lock.error());
  auto now = d.ledger.rental_by_label(rental.label);
  if (!now) return fails(now.error());
  if (!*now || (*now)->status != Status::stopped || (*now)->lease_end != rental.lease_end)
    return stays("another call works on it", "run vast-gpu reap again");
  auto events = d.ledger.events(rental.label);
  if (!events) return fails(events.error());
  if (const LedgerEvent* before = last_event(*events, "start"); before && before->at > rental.lease_end)
    return stays("stopped; starting it for its results was tried at " + to_iso8601(before->at), by_hand);
  const LedgerEvent* by_us = last_event(*events, "stop");
  const TimePoint from = std::max(rental.lease_end, by_us ? by_us->at : TimePoint{}) + kHeartbeatsAreOld;
  if (d.clock.now() < from)
    return stays("stopped at the end of its lease",
                 "run vast-gpu reap from " + to_iso8601(from) + " on: it starts it for its results");
  const UsdPerHour storage = it.row ? it.row->storage_price : rental.price;
  // Our own count first: the provider is asked only where that leaves room, not by every pass.
  const TimePoint at = d.clock.now();
  if (!rescue_fits(rental, std::nullopt, storage, at) ||
      !rescue_fits(rental, report(d, rental, terms.stop).charged, storage, at))
    return stays("stopped; starting it for its results would cost more than the " + money(rental.worst_case) +
                     " that were shown",
                 by_hand);
  if (auto noted = d.ledger.add_event({d.clock.now(), "start", rental.label, {{"why", "rescue"}}}); !noted)
    return fails(noted.error());
  log_fact("rescue label=", rental.label);
  if (auto asked = d.market.start_instance(*rental.instance, terms.stop); !asked) {
    (void)d.market.stop_instance(*rental.instance, {});  // a start that waits in a queue has no deadline
    return stays("stopped, and could not be started: " + asked.error().what, by_hand);
  }
  return true;
}

}  // namespace

void rescue(const Deps& d, const PassTerms& terms, Tended& it, const std::string& by_hand) {
  if (!wake(d, terms, it, by_hand)) return;
  const InstanceId id = *it.rental.instance;
  auto up = extend(d, id, Hours(0), {}, {terms.stop, d.clock.now() + kWakeLimit});
  if (up && up->running) {
    it.rental = up->rental;
    end_rental(d, terms, it, "its lease was over; started once for its results");
    if (it.line.bill != PassLine::Bill::bills || it.rental.status == Status::destroying) return;
  } else {
    left(it.line, "started for its results, but it does not answer" + (up ? "" : ": " + up.error().what),
         by_hand);
  }
  if (auto back = d.market.stop_instance(id, {}); !back) {
    it.line.bill = PassLine::Bill::unknown;
    it.line.did += "; stopping it again failed: " + back.error().what;
  } else {
    it.line.did += "; stopped again";
  }
}

bool rescue_fits(const Rental& rental, std::optional<Usd> charged, UsdPerHour storage, TimePoint now) {
  const auto in_hours = [](Duration d) { return std::chrono::duration_cast<Hours>(d); };
  const UsdPerHour price = dearest_price(rental);
  const Usd own = price * in_hours(rental.lease_end - rental.created) +
                  storage * in_hours(std::max(Duration{}, now - rental.lease_end));
  const Usd spent = std::max(own, charged.value_or(Usd{}));  // the provider may post late
  return spent + price * Hours(kGuardGrace) <= rental.worst_case;
}

}  // namespace vastgpu
