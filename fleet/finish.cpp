#include "fleet/finish.h"

#include <cmath>

#include "core/log.h"
#include "core/text.h"
#include "fleet/boot.h"
#include "fleet/bring_home.h"
#include "fleet/gone.h"
#include "fleet/guard.h"
#include "fleet/jobs.h"
#include "fleet/lifecycle.h"
#include "fleet/reach.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

/// Asks the marketplace whether a machine that does not answer was stopped, and notes it. An answer is
/// enough: the row of a machine that runs says so.
Result<bool> notice_stopped(const Deps& d, Rental& rental, std::stop_token stop) {
  auto row = d.market.instance(*rental.instance, std::move(stop));
  if (!row) return fail(std::move(row).error());
  if (!*row || judge(**row) != BootVerdict::stopped) return false;
  return advance(d, rental, Event::seen_stopped).map([] { return true; });
}

/// Results home or the user's word: one of them, or the machine stays.
Result<std::optional<Receipt>> secure_results(const Deps& d, Rental& rental, const FinishRequest& request,
                                              const Caller& caller) {
  if (request.discard_results) return std::nullopt;
  if (!rental.ready) return std::nullopt;  // nobody could ever work on it
  const auto refuse = [&](Code code, std::string what, const std::string& next) {
    return fail({.code = code, .what = std::move(what), .next_step = next});
  };
  const std::string lose = "or call destroy with discard_results true to lose what is there";
  const auto stopped = [&] {
    return refuse(Code::wrong_state,
                  "nothing was destroyed: the machine is stopped, and its results are on its disk",
                  "call extend with hours 0.25 to start it again, then destroy, " + lose);
  };
  if (rental.status == Status::stopped) return stopped();
  auto shell = reach(d, rental, caller.stop);
  if (!shell) {
    if (auto found = notice_stopped(d, rental, caller.stop); found && *found) return stopped();
    return refuse(Code::wrong_state,
                  "nothing was destroyed: results cannot be brought home (" + shell.error().what + ")",
                  "try again when the machine answers, " + lose);
  }
  auto look = look_at(d, rental, **shell, 0, caller.stop);
  if (!look)
    return refuse(Code::wrong_state, "nothing was destroyed: " + look.error().what, "call again, " + lose);
  const std::string keep =
      "wait for it (monitor), or pass stop_running true to stop it and keep what it wrote so far";
  if (!request.stop_running && !look->foreign_screens.empty())
    return refuse(Code::wrong_state,
                  "nothing was destroyed: screen session " + join(look->foreign_screens, ", ") +
                      ", which somebody else started, is still running",
                  keep);
  bool stopped_one = false;
  for (const JobLook& job : look->jobs) {
    if (job.job.state != JobState::running) continue;
    stopped_one = true;
    if (!request.stop_running)
      return refuse(Code::wrong_state,
                    "nothing was destroyed: experiment " + job.job.experiment + " is still running", keep);
    if (auto ended = stop_job(**shell, job.job.experiment, caller.stop); !ended)
      return refuse(Code::wrong_state, "nothing was destroyed: " + ended.error().what, "call again, " + lose);
  }
  if (!look->foreign_screens.empty())
    if (auto ended = stop_screens(**shell, caller.stop); !ended)
      return refuse(Code::wrong_state, "nothing was destroyed: " + ended.error().what, "call again, " + lose);
  if (stopped_one) (void)look_at(d, rental, **shell, 0, caller.stop);  // what they taught until then
  auto receipt = bring_home(d, rental, **shell, caller);
  if (!receipt)
    return refuse(Code::wrong_state, "nothing was destroyed: " + receipt.error().what,
                  "call destroy again, " + lose);
  if (!receipt->complete)
    return refuse(Code::wrong_state,
                  "nothing was destroyed: some results are not home (" + join(receipt->problems, "; ") + ")",
                  "look at the files named, call destroy again, " + lose);
  return *std::move(receipt);
}

}  // namespace

Result<FinishOutcome> finish(const Deps& d, const FinishRequest& request, const Caller& caller) {
  auto found = rental_of(d, request.instance);
  if (!found) return fail(std::move(found).error());
  // Where results are given up there is nothing to wait for: a long transfer must not keep a machine billing.
  const auto lock =
      lock_rental(d, found->label, request.discard_results ? Caller{caller.stop, d.clock.now()} : caller);
  if (!lock && !(request.discard_results && lock.error().code == Code::unavailable))
    return fail(lock.error());
  found = rental_of(d, request.instance);  // another call may have worked on it while we waited
  if (!found) return fail(std::move(found).error());

  FinishOutcome out;
  out.rental = *std::move(found);
  Rental& rental = out.rental;
  if (rental.status == Status::destroyed) {  // contracts have come back: look before saying that it is gone
    auto gone = absent(d, request.instance, caller.stop);
    if (!gone) return fail(std::move(gone).error());
    if (!*gone)
      if (auto back = advance(d, rental, Event::seen_again, [](Rental& now) { now.ended.reset(); }); !back)
        return fail(std::move(back).error());
  }
  auto handled = was_asked_for(d, rental);  // then its results were dealt with before
  if (!handled) return fail(std::move(handled).error());
  if (rental.status != Status::destroyed && !*handled) {
    auto receipt = secure_results(d, rental, request, caller);
    if (!receipt) return fail(std::move(receipt).error());
    out.receipt = *std::move(receipt);
    if (request.discard_results)
      if (auto noted = d.ledger.add_event({d.clock.now(), "discard", rental.label, {{"by", "user"}}}); !noted)
        return fail(std::move(noted).error());
  }
  caller.progress(0.9, "destroying and reading back");
  const std::string why = std::string(kAskedFor) + (request.discard_results ? ", results discarded" : "");
  auto gone = make_gone(d, rental, why, caller);
  if (!gone) return fail(std::move(gone).error());
  out.gone = *gone;
  auto events = d.ledger.events(rental.label);
  out.discarded =
      events && std::ranges::any_of(*events, [](const LedgerEvent& e) { return e.kind == "discard"; });
  out.cost = report(d, rental, caller.stop);
  return out;
}

namespace {

/// Moves the lease in the ledger, within all limits. On disk before anything is sent.
Result<void> move_lease(const Deps& d, Rental& rental, Hours by, std::optional<Usd> budget,
                        ExtendOutcome& out) {
  if (!d.settings.account) return fail(d.settings.account.error());
  const bool stopped = rental.status == Status::stopped;
  const TimePoint from = stopped ? std::max(rental.lease_end, d.clock.now()) : rental.lease_end;
  const TimePoint end = from + std::chrono::duration_cast<Duration>(by);
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
  out.added = rental.price * (by + (stopped ? Hours(kGuardGrace) : Hours(0)));
  const Usd worst = rental.worst_case + out.added;
  const IntentLimits limits =
      limits_for(d.settings.account->limits, d.settings.settings_file, budget, std::nullopt);
  auto moved = d.ledger.extend_lease(rental.label, end, worst, d.clock.now(), limits).and_then([&] {
    return d.ledger.add_event(
        {d.clock.now(),
         "extend",
         rental.label,
         {{"hours", by.count()}, {"added_usd", out.added}, {"lease_end", to_iso8601(end)}}});
  });
  if (!moved) return moved;
  rental.lease_end = end;
  rental.worst_case = worst;
  return {};
}

}  // namespace

Result<bool> wait_restarted(const Deps& d, Rental& rental, const Caller& caller) {
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

Result<ExtendOutcome> extend(const Deps& d, InstanceId id, Hours by, std::optional<Usd> budget,
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
  if (rental.status == Status::ready)
    (void)notice_stopped(d, rental, caller.stop);  // the guard may have been faster
  if (by > Hours(0))
    if (auto moved = move_lease(d, rental, by, budget, out); !moved) return fail(std::move(moved).error());

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

}  // namespace vastgpu
