#include "fleet/finish.h"

#include <algorithm>
#include <functional>

#include "core/log.h"
#include "core/text.h"
#include "fleet/bring_home.h"
#include "fleet/gone.h"
#include "fleet/jobs.h"
#include "fleet/lease.h"
#include "fleet/lifecycle.h"
#include "fleet/reach.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

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
  // The end of the lease ended their work, too.
  if (!request.stop_running && d.clock.now() <= rental.lease_end)
    for (const TheirQueue& queue : look->theirs.queues)
      if (queue.open())
        return refuse(Code::wrong_state, "nothing was destroyed: " + to_words(queue) + ": it is not over",
                      keep);
  bool stopped_one = false;
  for (const std::string& name : look->strange_waiters) {
    if (!request.stop_running)
      return refuse(
          Code::wrong_state,
          "nothing was destroyed: " + name + " waits in the queue of the machine, and is not in this ledger",
          keep);
    if (auto ended = stop_job(**shell, name, caller.stop); !ended)
      return refuse(Code::wrong_state, "nothing was destroyed: " + ended.error().what, "call again, " + lose);
  }
  // Those that wait go first: a GPU that becomes free would start them.
  std::ranges::stable_sort(look->jobs, std::greater{}, &JobLook::queue_place);
  for (const JobLook& job : look->jobs) {
    const bool waits = job.job.state == JobState::queued;
    if (job.job.state != JobState::running && !waits) continue;
    stopped_one = true;
    if (!request.stop_running)
      return refuse(Code::wrong_state,
                    "nothing was destroyed: experiment " + job.job.experiment +
                        (waits ? " still waits in the queue of the machine" : " is still running"),
                    keep);
    if (auto ended = stop_job(**shell, job.job.experiment, caller.stop); !ended)
      return refuse(Code::wrong_state, "nothing was destroyed: " + ended.error().what, "call again, " + lose);
  }
  if (!look->foreign_screens.empty())
    if (auto ended = stop_screens(**shell, caller.stop); !ended)
      return refuse(Code::wrong_state, "nothing was destroyed: " + ended.error().what, "call again, " + lose);
  if (stopped_one) (void)look_at(d, rental, **shell, 0, caller.stop);  // what they taught until then
  auto receipt = bring_home(d, rental, **shell, caller, {.last = true, .load_test = true});
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

}  // namespace vastgpu
