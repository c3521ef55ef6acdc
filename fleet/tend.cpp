#include "fleet/tend.h"

#include <algorithm>

#include "analysis/analyse.h"
#include "fleet/deadline.h"
#include "fleet/finish.h"
#include "fleet/reach.h"

namespace vastgpu {

void left(PassLine& line, std::string did, std::string next_step) {
  line.bill = PassLine::Bill::bills;
  line.did = std::move(did);
  line.next_step = std::move(next_step);
}

void failed(PassLine& line, const Error& e) {
  line.bill = bill_after(e);
  line.did = e.what;
  line.next_step = e.next_step;
}

bool end_rental(const Deps& d, const PassTerms& terms, Tended& it, const std::string& why,
                bool stop_running) {
  const TimePoint until = terms.transfer_limit ? d.clock.now() + *terms.transfer_limit
                                               : d.clock.now() + std::chrono::hours(24 * 365);
  const Deadline deadline(d.clock, until, terms.stop);
  auto done =
      finish(d, {*it.rental.instance, false, stop_running}, {deadline.token(), terms.caller(d).until});
  if (!done) {
    failed(it.line, done.error());
    it.line.did = why + ", but " + it.line.did;
    return false;
  }
  it.rental = done->rental;
  it.line.bill = done->gone ? PassLine::Bill::none : PassLine::Bill::bills;
  it.line.did = why + (done->gone ? "; destroyed and read back as gone" : "; destroy asked, still listed");
  if (!done->gone) it.line.next_step = "run vast-gpu reap again";
  it.line.receipt = std::move(done->receipt);
  it.line.cost = std::move(done->cost);
  return done->gone;
}

void stop_rental(const Deps& d, const PassTerms& terms, Tended& it, const std::string& why,
                 const std::string& said) {
  const Rental& rental = it.rental;
  const auto lock = lock_rental(d, rental.label, terms.caller(d));
  if (!lock) return failed(it.line, lock.error());
  auto now = d.ledger.rental_by_label(rental.label);  // somebody may have extended it while we waited
  if (!now) return failed(it.line, now.error());
  if (!*now || (*now)->status != rental.status || (*now)->lease_end != rental.lease_end)
    return left(it.line, "another call works on it", "run vast-gpu reap again");
  auto noted = d.ledger.add_event({d.clock.now(), "stop", rental.label, {{"why", why}}});
  if (!noted) return failed(it.line, noted.error());
  if (auto stopped = d.market.stop_instance(*rental.instance, terms.stop); !stopped) {
    failed(it.line, stopped.error());
    it.line.did = why + ", and it could not be stopped: " + it.line.did;
    return;
  }
  left(it.line, said, "run vast-gpu reap again to rescue its results");
}

bool may_destroy(const Rental& rental, const std::vector<Job>& jobs) {
  return read_project_settings(rental.project).auto_destroy.value_or(true) &&
         std::ranges::all_of(jobs, [](const Job& j) { return j.canary || j.auto_destroy; });
}

const LedgerEvent* last_event(const std::vector<LedgerEvent>& events, std::string_view kind) {
  for (std::size_t i = events.size(); i > 0; --i)
    if (events[i - 1].kind == kind) return &events[i - 1];
  return nullptr;
}

}  // namespace vastgpu
