#include "fleet/panic.h"

#include <map>
#include <thread>

#include "core/log.h"
#include "core/text.h"
#include "fleet/adopt.h"
#include "fleet/deadline.h"
#include "fleet/finish.h"
#include "fleet/gone.h"
#include "fleet/lifecycle.h"

namespace vastgpu {
namespace {

using Bill = PassLine::Bill;

constexpr auto kBeforeAgain = std::chrono::seconds(5);  // a destroy that fails is asked again

/// What is gone with a machine whose results did not come home, in words.
std::string loss_of(const Deps& d, const Rental& rental, const std::string& why) {
  if (!rental.ready) return {};  // nobody could ever work on it
  std::vector<std::string> experiments;
  if (auto jobs = d.ledger.jobs(rental.label); jobs)
    for (const Job& j : *jobs) experiments.push_back(j.experiment);
  return (experiments.empty() ? "whatever was on its disk"
                              : "results and logs of " + join(experiments, ", ")) +
         (rental.collected ? " since " + to_iso8601(*rental.collected) + " (what came home before stays)"
                           : ", of which nothing was ever brought home") +
         (why.empty() ? "" : ": " + why);
}

class Panic {
 public:
  Panic(const Deps& d, const PanicRequest& request, std::stop_token stop)
      : d_(d),
        request_(request),
        stop_(std::move(stop)),
        collect_until_(d.clock.now() + request.collect_limit),
        until_(d.clock.now() + request.limit) {}

  PassReport run() {
    for (;;) {
      auto targets = look();
      side_by_side(targets.size(), [&](std::size_t i) { end(*targets[i]); });
      if (settled(targets) || d_.clock.now() >= until_ || stop_.stop_requested()) break;
      if (!d_.clock.sleep_for(kBeforeAgain, stop_)) break;
    }
    PassReport out;
    for (auto& [key, line] : lines_) out.ours.push_back(std::move(line));
    out.others = std::move(others_);
    out.trouble = stop_.stop_requested() ? "stopped before the end" : trouble_;
    return out;
  }

 private:
  struct Target {
    Rental rental;
    PassLine* line;
  };
  using Targets = std::vector<std::unique_ptr<Target>>;

  bool settled(const Targets& targets) const {
    return trouble_.empty() && targets.empty() &&
           std::ranges::all_of(lines_, [](const auto& l) { return l.second.bill == Bill::none; });
  }

  PassLine& line_for(PassLine fresh) {
    const std::string key = fresh.instance ? to_string(*fresh.instance) : fresh.label;
    return lines_.try_emplace(key, std::move(fresh)).first->second;
  }
  void target(Targets& into, const Rental& rental, PassLine fresh) {
    PassLine& line = line_for(std::move(fresh));
    line.label = rental.label;
    line.bill = Bill::bills;
    into.push_back(std::make_unique<Target>(Target{rental, &line}));
  }

  /// Everything of ours that is still there, by a new look at the whole account.
  Targets look() {
    Targets found;
    others_.clear();
    trouble_.clear();
    auto seen = reconcile(d_, stop_);
    if (!seen) {
      trouble_ = seen.error().what;
      auto open = d_.ledger.rentals(true);  // money first: these can be ended without a list
      if (!open) {
        trouble_ += "; " + open.error().what;
        return found;
      }
      for (const Rental& r : *open)
        if (r.instance) target(found, r, line_of(r, "ours"));
      return found;
    }
    std::erase_if(lines_, [&](const auto& l) {  // its contract is known by now, or it is over
      return !l.second.instance;
    });
    for (const LiveRow& row : seen->live) {
      if (row.kind == LiveRow::Kind::stranger) {
        others_.push_back(line_of(row));
        others_.back().did = "not ours, not touched";
      } else if (row.rental) {
        target(found, *row.rental, line_of(row));
      } else if (auto rental = adopt_orphan(d_, row.instance, {}, {stop_, until_}); rental) {
        target(found, *rental, line_of(row));
      } else {
        PassLine& line = line_for(line_of(row));
        line.bill = Bill::unknown;
        line.did = rental.error().what;
      }
    }
    for (const Rental& r : seen->unseen) target(found, r, line_of(r, "unseen"));
    for (auto& [key, line] : lines_) {
      const bool here = std::ranges::any_of(found, [&](const auto& t) { return t->line == &line; });
      if (here || line.bill == Bill::none) continue;
      auto now = d_.ledger.rental_by_instance(*line.instance);
      if (!now || !*now || may_bill((*now)->status)) continue;
      line.bill = Bill::none;  // another call was faster
      line.did = "gone, read back by another call";
      line.next_step.clear();
    }
    for (const Rental& r : seen->vanished) {
      PassLine& line = line_for(line_of(r, "vanished"));
      line.bill = Bill::none;
      if (line.did.empty()) line.did = "no longer listed by the marketplace";
      line.cost = report(d_, r, stop_);
    }
    for (const Rental& r : seen->unsettled) {
      PassLine& line = line_for(line_of(r, "unsettled"));
      line.bill = Bill::unknown;
      line.did = "its create got no answer, and its label has not settled it yet";
      line.next_step = "run vast-gpu panic again in a few minutes";
    }
    return found;
  }

  void end(Target& t) const {
    PassLine& line = *t.line;
    std::string why = request_.discard_results ? "discarded as asked" : "";
    if (!request_.discard_results && d_.clock.now() < collect_until_) {
      const Deadline deadline(d_.clock, collect_until_, stop_);
      auto done = finish(d_, {*t.rental.instance, false, true}, {deadline.token(), collect_until_});
      if (done) {
        note(line, *done);
        if (done->gone) return;
      } else {
        why = done.error().what;
      }
    }
    if (stop_.stop_requested()) {  // whoever interrupts us has not given up any result
      line.bill = Bill::unknown;
      if (line.did.empty()) line.did = "interrupted before it was destroyed";
      line.next_step = "run vast-gpu panic again";
      return;
    }
    // Unless its results are at home by now, they are given up here, and named.
    auto handled = was_asked_for(d_, t.rental);
    auto done = finish(d_, {*t.rental.instance, true, true}, {stop_, until_});
    auto given_up = was_asked_for(d_, t.rental);
    if (handled && !*handled && given_up && *given_up && line.lost.empty())
      if (auto now = d_.ledger.rental_by_label(t.rental.label); now && *now)
        line.lost = loss_of(d_, **now, why);
    if (done) return note(line, *done);
    line.bill = Bill::unknown;
    line.did = "destroying failed: " + done.error().what;
    line.next_step = "run vast-gpu panic again";
  }

  static void note(PassLine& line, FinishOutcome& done) {
    line.bill = done.gone ? Bill::none : Bill::bills;
    line.did = done.gone ? "destroyed and read back as gone" : "destroy asked, still listed";
    line.next_step = done.gone ? "" : "run vast-gpu panic again";
    if (done.receipt) line.receipt = std::move(done.receipt);
    line.cost = std::move(done.cost);
  }

  const Deps& d_;
  const PanicRequest& request_;
  std::stop_token stop_;
  TimePoint collect_until_, until_;
  std::map<std::string, PassLine> lines_;  // by instance, else by label; targets point into it
  std::vector<PassLine> others_;
  std::string trouble_;
};

}  // namespace

Result<PassReport> panic_targets(const Deps& d, std::stop_token stop) {
  auto seen = reconcile(d, std::move(stop));
  if (!seen) return fail(std::move(seen).error());
  PassReport out;
  for (const LiveRow& row : seen->live)
    (row.kind == LiveRow::Kind::stranger ? out.others : out.ours).push_back(line_of(row));
  for (const Rental& r : seen->unseen) out.ours.push_back(line_of(r, "unseen"));
  for (const Rental& r : seen->unsettled) out.ours.push_back(line_of(r, "unsettled"));
  return out;
}

PassReport panic(const Deps& d, const PanicRequest& request, std::stop_token stop) {
  return Panic(d, request, std::move(stop)).run();
}

}  // namespace vastgpu
