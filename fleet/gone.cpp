#include "fleet/gone.h"

#include "core/log.h"
#include "fleet/lifecycle.h"
#include "fleet/reach.h"
#include "fleet/record.h"

namespace vastgpu {
namespace {

// Two absences in a row: contracts linger for up to a minute and have been seen to come back once.
constexpr int kAbsencesNeeded = 2;
constexpr auto kBetweenLooks = std::chrono::seconds(4);

}  // namespace

Result<bool> absent(const Deps& d, InstanceId id, std::stop_token stop) {
  auto list = d.market.instances(std::move(stop));
  if (!list) return fail(std::move(list).error().during("reading back whether it is gone"));
  return std::ranges::none_of(*list, [&](const Instance& i) { return i.id == id; });
}

Result<bool> was_asked_for(const Deps& d, const Rental& rental) {
  return d.ledger.events(rental.label).map([](const std::vector<LedgerEvent>& events) {
    return std::ranges::any_of(events, [](const LedgerEvent& e) {
      return e.kind == "destroy" &&
             read_field<std::string>(e.detail, "why").value_or("").starts_with(kAskedFor);
    });
  });
}

Result<void> note_gone(const Deps& d, Rental& rental, const std::string& how) {
  // First: once the ledger has it, nobody looks at this rental again, and a file that still said "running"
  // would say so for ever.
  publish(d, rental, "destroyed");
  auto stored = d.ledger.change_rental(
      rental.label,
      [&](Rental& now) -> Result<void> {
        if (now.instance != rental.instance)  // its create was answered while we looked at an older list
          return fail({.code = Code::wrong_state,
                       .what = "rental " + rental.label + " has a contract after all",
                       .next_step = "call list"});
        now.ended = d.clock.now();
        return step(now, Event::seen_gone);
      },
      // With it: without this event a create that was only given up would pass for one that was refused.
      LedgerEvent{d.clock.now(), "gone", rental.label, {{"how", how}}});
  if (!stored) {
    (void)refresh(d, rental);
    return fail(std::move(stored).error());
  }
  rental = *std::move(stored);
  log_fact("gone label=", rental.label, " how=", how);
  return {};
}

Result<bool> make_gone(const Deps& d, Rental& rental, const std::string& why, const Caller& caller) {
  if (rental.status == Status::destroyed || rental.status == Status::refused) return true;
  const bool asked_before = rental.status == Status::destroying;
  // Both or neither: the event says that its results were dealt with, and a rental that is `destroying`
  // cannot be started again for them.
  auto noted = advance(
      d, rental, Event::destroy_asked, {},
      LedgerEvent{d.clock.now(),
                  "destroy",
                  rental.label,
                  {{"why", why}, {"instance_id", rental.instance ? json(*rental.instance) : json(nullptr)}}});
  if (!noted && (rental.status == Status::destroyed || rental.status == Status::refused))
    return true;  // another call was faster
  if (!noted) return fail(std::move(noted).error().during("recording the destroy"));
  if (!rental.instance) return false;  // its create is not settled: reconcile finds the label

  bool must_ask = true;
  if (asked_before)
    if (auto gone = absent(d, *rental.instance, caller.stop); gone && *gone) must_ask = false;
  if (must_ask)
    if (auto destroyed = d.market.destroy(*rental.instance, caller.stop); !destroyed) {
      Error e = std::move(destroyed).error().during("destroying instance " + to_string(*rental.instance));
      if (e.next_step.empty()) e.next_step = "call destroy again: it may still bill";
      return fail(std::move(e));
    }
  for (int absences = 0, looks = 0;; ++looks) {
    auto gone = absent(d, *rental.instance, caller.stop);
    if (!gone) return fail(std::move(gone).error());
    absences = *gone ? absences + 1 : 0;
    if (absences == kAbsencesNeeded) break;
    if (!*gone && looks > 0 && looks % 5 == 0) {  // still listed: say it again, asking twice is harmless
      if (auto again = d.market.destroy(*rental.instance, caller.stop); !again)
        log_fact("destroy-again label=", rental.label, " failed: ", again.error().what);
    }
    if (d.clock.now() >= caller.until && absences == 0) return false;
    if (!d.clock.sleep_for(kBetweenLooks, caller.stop)) return false;
  }
  if (auto written = note_gone(d, rental, why); !written && rental.status != Status::destroyed)
    return fail(std::move(written).error());
  return true;
}

}  // namespace vastgpu
