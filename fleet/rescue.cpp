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

/// A rescue that came to its end without the results is not tried again; one whose process died is.
Result<void> give_up(const Deps& d, const Rental& rental, const std::string& why) {
  return d.ledger.add_event({d.clock.now(), "rescue-failed", rental.label, {{"why", clean_line(why, 300)}}});
}

enum class Woken { no, now, by_one_that_died };

/// Under the rental's lock: whether it may be started now, and the start. `no`: the line says why.
Woken wake(const Deps& d, const PassTerms& terms, Tended& it, const std::string& by_hand) {
  const Rental& rental = it.rental;
  const auto stays = [&](std::string did, std::string next_step) {
    left(it.line, std::move(did), std::move(next_step));
    return Woken::no;
  };
  const auto fails = [&](const Error& e) {
    failed(it.line, e);
    return Woken::no;
  };
  const auto lock = lock_rental(d, rental.label, terms.caller(d));
  if (!lock) return fails(lock.error());
  auto now = d.ledger.rental_by_label(rental.label);
  if (!now) return fails(now.error());
  if (!*now || (*now)->status != Status::stopped || (*now)->lease_end != rental.lease_end)
    return stays("another call works on it", "run vast-gpu reap again");
  auto events = d.ledger.events(rental.label);
  if (!events) return fails(events.error());
  const auto since_end = [&](std::string_view kind) {
    return std::ranges::count_if(
        *events, [&](const LedgerEvent& e) { return e.kind == kind && e.at > rental.lease_end; });
  };
  if (since_end("rescue-failed") > 0) return stays("stopped; starting it for its results was tried", by_hand);
  const auto starts = static_cast<int>(since_end("start"));  // of rescues that died, each counted in full
  if (starts > 0 && it.row && it.row->intended_status == "running") return Woken::by_one_that_died;
  TimePoint from = rental.lease_end;
  for (const char* kind : {"stop", "start"})
    if (const LedgerEvent* last = last_event(*events, kind)) from = std::max(from, last->at);
  from += kHeartbeatsAreOld;
  if (d.clock.now() < from)
    return stays("stopped at the end of its lease",
                 "run vast-gpu reap from " + to_iso8601(from) + " on: it starts it for its results");
  const UsdPerHour storage = it.row ? it.row->storage_price : rental.price;
  // Our own count first: the provider is asked only where that leaves room, not by every pass.
  const TimePoint at = d.clock.now();
  if (!rescue_fits(rental, std::nullopt, storage, at, starts) ||
      !rescue_fits(rental, report(d, rental, terms.stop).charged, storage, at, starts))
    return stays("stopped; starting it for its results would cost more than the " + money(rental.worst_case) +
                     " that were shown",
                 by_hand);
  if (auto noted = d.ledger.add_event({d.clock.now(), "start", rental.label, {{"why", "rescue"}}}); !noted)
    return fails(noted.error());
  log_fact("rescue label=", rental.label);
  if (auto asked = d.market.start_instance(*rental.instance, terms.stop); !asked) {
    (void)give_up(d, rental, asked.error().what);
    (void)d.market.stop_instance(*rental.instance, {});  // a start that waits in a queue has no deadline
    return stays("stopped, and could not be started: " + asked.error().what, by_hand);
  }
  return Woken::now;
}

}  // namespace

void rescue(const Deps& d, const PassTerms& terms, Tended& it, const std::string& by_hand) {
  // Held to the end, and free when its process dies: then the next pass goes on with what was begun.
  const auto rescuing = lock_rental(d, "rescue-" + it.rental.label, {terms.stop, d.clock.now()});
  if (!rescuing) return left(it.line, "another call rescues it", "run vast-gpu reap again");
  const Woken woken = wake(d, terms, it, by_hand);
  if (woken == Woken::no) return;
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
  if (woken == Woken::now)
    if (auto noted = give_up(d, it.rental, it.line.did); !noted) log_fact("rescue ", noted.error().what);
  if (auto back = d.market.stop_instance(id, {}); !back) {
    it.line.bill = PassLine::Bill::unknown;
    it.line.did += "; stopping it again failed: " + back.error().what;
  } else {
    it.line.did += "; stopped again";
  }
}

bool rescue_fits(const Rental& rental, std::optional<Usd> charged, UsdPerHour storage, TimePoint now,
                 int starts_before) {
  const auto in_hours = [](Duration d) { return std::chrono::duration_cast<Hours>(d); };
  const UsdPerHour price = dearest_price(rental);
  const Usd own = price * (in_hours(rental.lease_end - rental.created) +
                           Hours(kGuardGrace) * static_cast<double>(starts_before)) +
                  storage * in_hours(std::max(Duration{}, now - rental.lease_end));
  const Usd spent = std::max(own, charged.value_or(Usd{}));  // the provider may post late
  return spent + price * Hours(kGuardGrace) <= rental.worst_case;
}

}  // namespace vastgpu
