#include "fleet/lease.h"

#include <algorithm>
#include <cmath>

#include "core/log.h"
#include "core/text.h"
#include "fleet/boot.h"
#include "fleet/guard.h"
#include "fleet/host_key.h"
#include "fleet/lifecycle.h"
#include "fleet/reach.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

constexpr double kRounding = 1e-9;

/// Moves the lease in the ledger, within all limits. On disk before anything is sent.
Result<void> move_lease(const Deps& d, Rental& rental, Hours by, const LeaseTerms& terms,
                        ExtendOutcome& out) {
  if (!d.settings.account) return fail(d.settings.account.error());
  const TimePoint end = extended_end(rental, by, d.clock.now());
  auto row = d.market.instance(*rental.instance, {});
  if (!row) return fail(std::move(row).error().during("reading the instance"));
  if (*row && (*row)->end_date && *(*row)->end_date < end)  // the host's own end date limits every lease
    return fail({.code = Code::wrong_state,
                 .what = "the host takes the machine away at " + to_iso8601(*(*row)->end_date) +
                         ", before the new lease would end",
                 .next_step = "extend by less, or collect and rent another machine"});
  if (!std::isfinite(by.count()) || by > Hours(24 * 366))
    return fail({.code = Code::invalid_argument,
                 .what = "that is no number of hours to lease",
                 .next_step = "extend by less"});
  out.added = extension_cost(rental, by);
  const Usd worst = rental.worst_case + out.added;
  if (terms.most && worst.value > terms.most->value + kRounding)
    return fail({.code = Code::over_budget,
                 .what = "it could then cost " + money(worst) + ", and it may grow to " + money(*terms.most) +
                         " without a new yes",
                 .next_step = "ask the user, and call extend"});
  const IntentLimits limits =
      limits_for(d.settings.account->limits, d.settings.settings_file, terms.budget, std::nullopt);
  auto moved = d.ledger.extend_lease(rental.label, end, worst, d.clock.now(), limits).and_then([&] {
    return d.ledger.add_event({d.clock.now(),
                               "extend",
                               rental.label,
                               {{"hours", by.count()},
                                {"added_usd", out.added},
                                {"from", to_unix_seconds(rental.lease_end)},
                                {"to", to_unix_seconds(end)},
                                {"lease_end", to_iso8601(end)},
                                {"why", terms.why}}});
  });
  if (!moved) return moved;
  rental.lease_end = end;
  rental.worst_case = worst;
  return {};
}

}  // namespace

Result<bool> wait_restarted(const Deps& d, Rental& rental, const Caller& caller) {
  if (auto trusted = check_host_key(rental); !trusted) return fail(std::move(trusted).error());
  for (;;) {
    auto row = d.market.instance(*rental.instance, caller.stop);
    if (row && !*row)
      return fail({.code = Code::not_found,
                   .what = "the marketplace does not know the instance any more",
                   .next_step = "call list"});
    if (row && judge(**row) == BootVerdict::up) {
      SshTarget target;
      if ((*row)->direct)
        target.candidates.push_back(*(*row)->direct);  // the port may be another one than before
      if ((*row)->relay) target.candidates.push_back(*(*row)->relay);
      target.pinned_host_key = rental.host_key;
      auto connection = d.ssh.connect(target, caller.stop);
      if (!connection && connection.error().code == Code::corrupt) return fail(std::move(connection).error());
      if (connection)
        if (auto pinned = pin_first_use(d, rental, *connection->shell, caller.stop); !pinned)
          return fail(std::move(pinned).error());
      if (connection && tell_lease(d, rental, *connection->shell, caller.stop)) {
        auto ready = d.ledger.change_rental(
            rental.label, [&](Rental& now) {  // both steps at once: never seen as booting
              now.ssh = connection->endpoint;
              if (now.status == Status::ready) return step(now, Event::checked);
              return step(now, Event::restarted).and_then([&] { return step(now, Event::checked); });
            });
        if (!ready) return fail(std::move(ready).error());
        rental = *std::move(ready);
        return true;
      }
    }
    caller.progress(0.5, "waiting for instance " + to_string(*rental.instance) + " to start again");
    if (d.clock.now() >= caller.until || !d.clock.sleep_for(d.settings.poll_every, caller.stop)) return false;
  }
}

/// Asks the marketplace whether a machine that does not answer was stopped, and notes it. An answer is
/// enough: the row of a machine that runs says so.
Result<bool> notice_stopped(const Deps& d, Rental& rental, std::stop_token stop) {
  auto row = d.market.instance(*rental.instance, std::move(stop));
  if (!row) return fail(std::move(row).error());
  if (!*row || judge(**row) != BootVerdict::stopped) return false;
  return advance(d, rental, Event::seen_stopped).map([] { return true; });
}

TimePoint extended_end(const Rental& rental, Hours by, TimePoint now) {
  // Of an adopted one nobody knows how long it was leased: time that is bought counts from now.
  const bool from_now = rental.status == Status::stopped || rental.adopted;
  const TimePoint from = from_now ? std::max(rental.lease_end, now) : rental.lease_end;
  return from + std::chrono::duration_cast<Duration>(by);
}

Usd extension_cost(const Rental& rental, Hours by) {
  return dearest_price(rental) * (by + (rental.status == Status::stopped ? Hours(kGuardGrace) : Hours(0)));
}

Result<ExtendOutcome> extend(const Deps& d, InstanceId id, Hours by, const LeaseTerms& terms,
                             const Caller& caller) {
  auto found = rental_of(d, id);
  if (!found) return fail(std::move(found).error());
  const auto lock = lock_rental(d, found->label, caller);
  if (!lock) return fail(lock.error());
  found = rental_of(d, id);
  if (!found) return fail(std::move(found).error());

  ExtendOutcome out;
  out.rental = *std::move(found);
  Rental& rental = out.rental;
  if (rental.status != Status::ready && rental.status != Status::booting && rental.status != Status::stopped)
    return fail(
        {.code = Code::wrong_state,
         .what = "instance " + to_string(id) + " is " + to_string(rental.status) + ": its lease cannot move",
         .next_step = "call list to see what is running"});
  if (rental.adopted && by <= Hours(0))  // its guard knows better than we do
    return fail(
        {.code = Code::wrong_state,
         .what = "the lease of an adopted machine is not known here, so its guard cannot be told again",
         .next_step = "call extend with the hours it is wanted for, counted from now, or destroy it"});
  if (terms.only_from && rental.lease_end != *terms.only_from)
    return fail({.code = Code::wrong_state,
                 .what = "its lease was moved meanwhile, to " + to_iso8601(rental.lease_end),
                 .next_step = "look again"});
  if (rental.status == Status::ready)
    (void)notice_stopped(d, rental, caller.stop);  // the guard may have been faster
  if (by > Hours(0))
    if (auto moved = move_lease(d, rental, by, terms, out); !moved) return fail(std::move(moved).error());

  if (rental.status == Status::stopped) {
    if (by > Hours(0)) {
      if (auto noted = d.ledger.add_event(
              {d.clock.now(), "start", rental.label, {{"lease_end", to_iso8601(rental.lease_end)}}});
          !noted)
        return fail(std::move(noted).error());
      if (auto started = d.market.start_instance(id, caller.stop); !started) out.note = started.error().what;
    }
    auto up = wait_restarted(d, rental, caller);
    if (!up) return fail(std::move(up).error());
    out.running = out.machine_told = *up;
    if (*up) out.note = publish(d, rental, "running");
    return out;
  }

  auto shell = reach(d, rental, caller.stop);
  auto told = shell ? tell_lease(d, rental, **shell, caller.stop) : Result<void>(fail(shell.error()));
  out.machine_told = told.has_value();
  if (!told)
    out.note = "the guard on the machine still holds the old end (" + told.error().what +
               "): call extend with hours 0 to tell it again";
  if (rental.status == Status::ready) out.note += publish(d, rental, "running");
  return out;
}

Result<bool> shorten(const Deps& d, Rental& rental, TimePoint new_end, const std::string& why,
                     const Caller& caller) {
  const auto lock = lock_rental(d, rental.label, caller);
  if (!lock) return fail(lock.error());
  const TimePoint known = rental.lease_end;
  if (auto read = refresh(d, rental); !read) return fail(std::move(read).error());
  if (rental.lease_end != known || !may_bill(rental.status))
    return fail({.code = Code::wrong_state,
                 .what = "another call moved its lease or ended it meanwhile",
                 .next_step = "look again"});
  if (new_end >= rental.lease_end) return true;
  auto noted = d.ledger
                   .add_event({d.clock.now(),
                               "shorten",
                               rental.label,
                               {{"why", why},
                                {"from", to_unix_seconds(rental.lease_end)},
                                {"to", to_unix_seconds(new_end)},
                                {"lease_end", to_iso8601(new_end)}}})
                   .and_then([&] { return d.ledger.shorten_lease(rental.label, new_end); });
  if (!noted) return fail(std::move(noted).error().during("shortening the lease"));
  log_fact("shorten label=", rental.label, " lease_end=", to_iso8601(new_end), " why=", why);
  if (auto read = refresh(d, rental); !read) return fail(std::move(read).error());
  if (rental.status != Status::ready) return false;
  (void)publish(d, rental, "running");
  auto shell = reach(d, rental, caller.stop);
  return shell && tell_lease(d, rental, **shell, caller.stop).has_value();
}

UsdPerHour dearest_price(const Rental& rental) {
  return std::max(rental.price, rental.seen_price.value_or(rental.price));
}

}  // namespace vastgpu
