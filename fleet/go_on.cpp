#include "fleet/go_on.h"

#include <algorithm>

#include "core/log.h"
#include "core/text.h"
#include "fleet/gone.h"
#include "fleet/rerent.h"
#include "fleet/tend.h"

namespace vastgpu {
namespace {

using State = RerentOutcome::State;

constexpr auto kWorthGoingOn = std::chrono::hours(24);  // later, nobody waits for it any more
constexpr const char* kStaysEvent = "stays_lost";

/// Work was lost with it, and nobody asked for its end.
Result<bool> lost_work(const Deps& d, const Rental& r, TimePoint now) {
  if (r.status != Status::destroyed || r.envelope.empty() || !r.ready || r.adopted || !r.ended ||
      now - *r.ended > kWorthGoingOn || *r.ended >= r.lease_end)  // what ends at its lease was not lost
    return false;
  auto jobs = d.ledger.jobs(r.label);
  if (!jobs) return fail(std::move(jobs).error());
  if (std::ranges::none_of(*jobs, [](const Job& j) { return !has_ended(j.state); })) return false;
  auto events = d.ledger.events(r.label);
  if (!events) return fail(std::move(events).error());
  if (last_event(*events, kStaysEvent) != nullptr || last_event(*events, "discard") != nullptr) return false;
  return was_asked_for(d, r).map([](bool asked) { return !asked; });
}

}  // namespace

void go_on_elsewhere(const Deps& d, const ReapRequest& request, std::stop_token stop, PassReport& out) {
  auto all = d.ledger.rentals(false);
  if (!all) return out.warnings.push_back(all.error().what);
  for (const Rental& lost : *all) {
    if (!request.project.empty() && lost.project != request.project.string()) continue;
    auto wanted = lost_work(d, lost, d.clock.now());
    if (!wanted) {
      out.warnings.push_back(wanted.error().what);
      continue;
    }
    if (!*wanted) continue;
    PassLine line = line_of(lost, "lost");
    line.bill = PassLine::Bill::none;
    auto other = rerent(d, lost, "its machine is gone", {stop, d.clock.now() + request.patience});
    if (!other) {
      line.did = "its work could not go on elsewhere yet: " + other.error().what;
      line.next_step = other.error().next_step;
    } else if (other->state == State::running) {
      continue;  // that machine has a line of its own
    } else {
      line.did = other->words;
      if (other->state == State::impossible)
        if (auto said = d.ledger.add_event({d.clock.now(), kStaysEvent, lost.label, {{"why", other->words}}});
            !said)
          out.warnings.push_back(said.error().what);
      if (other->rental && other->state != State::impossible) line.bill = PassLine::Bill::bills;
    }
    log_fact("lost label=", lost.label, " ", line.did);
    out.ours.push_back(std::move(line));
  }
}

}  // namespace vastgpu
