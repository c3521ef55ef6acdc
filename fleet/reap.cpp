#include "fleet/reap.h"

#include "analysis/analyse.h"
#include "core/log.h"
#include "core/text.h"
#include "fleet/adopt.h"
#include "fleet/finish.h"
#include "fleet/guard.h"
#include "fleet/jobs.h"
#include "fleet/reach.h"

namespace vastgpu {
namespace {

using Bill = PassLine::Bill;

// The guard looks every 30 s; one that has not stopped its machine by then is dead.
constexpr auto kGuardIsLate = std::chrono::minutes(2);
// A machine that was just started for its results boots, and lives for one grace period.
constexpr auto kRescueTakes = kGuardGrace + std::chrono::minutes(5);
// Longer than a boot from disk takes; the rest of the grace is for the results.
constexpr auto kWakeLimit = std::chrono::minutes(4);
// A job whose heartbeat is younger than three minutes counts as running, also where its machine was stopped.
constexpr auto kHeartbeatsAreOld = std::chrono::minutes(4);
// A list that leaves out a contract older than this hides others, too.
constexpr auto kMayBeInvisible = std::chrono::seconds(60);

struct Found {
  PassLine line;
  std::optional<Rental> rental;
  std::optional<Instance> row;
};

/// When the last event of a kind was written.
Result<std::optional<TimePoint>> last_event(const Deps& d, const Rental& rental, std::string_view kind) {
  return d.ledger.events(rental.label).map([&](const std::vector<LedgerEvent>& events) {
    std::optional<TimePoint> at;
    for (const LedgerEvent& e : events)
      if (e.kind == kind) at = e.at;
    return at;
  });
}

class Reaping {
 public:
  Reaping(const Deps& d, const ReapRequest& request, std::stop_token stop)
      : d_(d), request_(request), stop_(std::move(stop)) {}

  void see_to(Found& f) const {
    Rental& rental = *f.rental;
    PassLine& line = f.line;
    if (rental.status == Status::destroying) return end(f, "its end was asked for before");
    const bool over = d_.clock.now() > rental.lease_end;
    if (!rental.ready) {
      if (over) return end(f, "its lease is over and it never became ready");
      return left(line, text("is ", to_string(rental.status), ", lease until ", to_iso8601(rental.lease_end)),
                  "call rent with quote_id " + rental.quote_id + " to go on waiting, or destroy");
    }
    if (rental.status == Status::stopped) return stopped(f, over);
    running(f);
  }

 private:
  Caller caller() const { return {stop_, d_.clock.now() + request_.patience}; }

  static void left(PassLine& line, std::string did, std::string next_step) {
    line.bill = Bill::bills;
    line.did = std::move(did);
    line.next_step = std::move(next_step);
  }
  static void failed(PassLine& line, const Error& e) {
    line.bill = bill_after(e);
    line.did = e.what;
    line.next_step = e.next_step;
  }

  /// Results home, receipt, destroy, read back.
  void end(Found& f, const std::string& why) const {
    auto done = finish(d_, {*f.rental->instance}, caller());
    if (!done) {
      failed(f.line, done.error());
      f.line.did = why + ", but " + f.line.did;
      return;
    }
    f.rental = done->rental;
    f.line.bill = done->gone ? Bill::none : Bill::bills;
    f.line.did = why + (done->gone ? "; destroyed and read back as gone" : "; destroy asked, still listed");
    if (!done->gone) f.line.next_step = "run vast-gpu reap again";
    f.line.receipt = std::move(done->receipt);
    f.line.cost = std::move(done->cost);
  }

  /// The user's "no" counts wherever it stands: with the experiment, or in the project now.
  static bool may_destroy(const Rental& rental, const std::vector<Job>& jobs) {
    return read_project_settings(rental.project).auto_destroy.value_or(true) &&
           std::ranges::all_of(jobs, &Job::auto_destroy);
  }

  void running(Found& f) const {
    const Rental& rental = *f.rental;
    const std::string until = "lease until " + to_iso8601(rental.lease_end);
    auto started = last_event(d_, rental, "start");
    if (!started) return failed(f.line, started.error());
    const TimePoint now = d_.clock.now();
    const bool overdue = now > rental.lease_end + kGuardIsLate &&
                         (!*started || now > **started + kRescueTakes) && !rental.adopted;
    std::string seen;
    bool all_over = false, failed_one = false;
    auto shell = reach(d_, rental, stop_);
    auto look = shell ? look_at(d_, rental, **shell, 0, stop_) : Result<MachineLook>(fail(shell.error()));
    std::vector<Job> jobs;
    if (look) {
      for (const JobLook& j : look->jobs) {
        jobs.push_back(j.job);
        seen += (seen.empty() ? "" : ", ") + j.job.experiment + " is " + to_string(j.job.state);
        failed_one |= j.job.state == JobState::failed || j.job.state == JobState::lost;
      }
      all_over = !jobs.empty() && std::ranges::all_of(jobs, [](const Job& j) {
        return j.state != JobState::running && j.state != JobState::starting;
      });
      if (seen.empty()) seen = "no experiment yet";
      if (!look->foreign_screens.empty()) {
        all_over = false;
        seen += ", screen session " + join(look->foreign_screens, ", ") + " of somebody else runs";
      }
    } else {
      seen = "cannot be looked into: " + look.error().what;
    }
    if (!look) {  // perhaps because another call ends it just now: that one is waited for
      auto stored = d_.ledger.rental_by_label(rental.label);
      if (stored && *stored &&
          ((*stored)->status == Status::destroying || (*stored)->status == Status::destroyed))
        return end(f, "another call ended it");
    }
    shell = fail({});  // closed before the next one is opened
    const bool wanted = may_destroy(rental, jobs);
    // Started for its results, by a pass that died: what stopped its experiments was the end of the lease.
    const bool rescued = *started && **started > rental.lease_end && now > rental.lease_end;
    if (all_over && wanted && (!failed_one || overdue || rescued)) return end(f, seen);
    if (overdue) return stop_overdue(f, seen);
    const std::string destroy = "destroy instance_id " + to_string(*rental.instance) + " when done";
    if (all_over && !wanted) return left(f.line, seen + "; auto_destroy is off, " + until, destroy);
    if (all_over) return left(f.line, seen + "; kept to be looked at, " + until, destroy);
    left(f.line, seen + "; " + until, {});
  }

  /// What its guard should have done: the GPU bill ends, the disk stays.
  void stop_overdue(Found& f, const std::string& seen) const {
    const Rental& rental = *f.rental;
    const auto lock = lock_rental(d_, rental.label, caller());
    if (!lock) return failed(f.line, lock.error());
    auto now = d_.ledger.rental_by_label(rental.label);  // somebody may have extended it while we waited
    if (!now) return failed(f.line, now.error());
    if (!*now || (*now)->status != rental.status || (*now)->lease_end != rental.lease_end)
      return left(f.line, "another call works on it", "run vast-gpu reap again");
    auto noted = d_.ledger.add_event({d_.clock.now(), "stop", rental.label, {{"why", "lease over"}}});
    if (!noted) return failed(f.line, noted.error());
    if (auto stopped = d_.market.stop_instance(*rental.instance, stop_); !stopped) {
      failed(f.line, stopped.error());
      f.line.did = "the lease is over, its guard did not stop it, and neither could we: " + f.line.did;
      return;
    }
    left(f.line, "the lease is over and its guard did not stop it: we did (" + seen + "); its disk bills",
         "run vast-gpu reap again to rescue its results");
  }

  void stopped(Found& f, bool over) const {
    const Rental& rental = *f.rental;
    const std::string id = to_string(*rental.instance);
    const std::string by_hand =
        "call extend with instance_id " + id + " and hours 0.25 to start it for its results, then destroy";
    if (!over || rental.adopted) return left(f.line, "stopped; its disk bills and may hold results", by_hand);
    auto jobs = d_.ledger.jobs(rental.label);
    if (!jobs) return failed(f.line, jobs.error());
    if (!may_destroy(rental, *jobs))
      return left(f.line, "stopped at the end of its lease; auto_destroy is off, its disk bills", by_hand);
    rescue(f, by_hand);
  }

  /// A rescue that came to its end without the results is not tried again; one whose process died is.
  Result<void> give_up(const Rental& rental, const std::string& why) const {
    return d_.ledger.add_event(
        {d_.clock.now(), "rescue-failed", rental.label, {{"why", clean_line(why, 300)}}});
  }

  /// False when it was not started; the line says why. `starts`: of rescues that died, each counted in full.
  bool start_for_rescue(Found& f, const Rental& rental, int starts, const std::string& by_hand) const {
    const auto stays = [&](std::string did, std::string next_step) {
      left(f.line, std::move(did), std::move(next_step));
      return false;
    };
    TimePoint from = rental.lease_end;
    for (const char* kind : {"stop", "start"}) {
      auto last = last_event(d_, rental, kind);
      if (!last) {
        failed(f.line, last.error());
        return false;
      }
      from = std::max(from, last->value_or(TimePoint{}));
    }
    from += kHeartbeatsAreOld;
    if (d_.clock.now() < from)
      return stays("stopped at the end of its lease",
                   "run vast-gpu reap from " + to_iso8601(from) + " on: it starts it for its results");
    const UsdPerHour storage = f.row ? f.row->storage_price : rental.price;
    if (!rescue_fits(rental, report(d_, rental, stop_).charged, storage, d_.clock.now(), starts))
      return stays("stopped; starting it for its results would cost more than the " +
                       money(rental.worst_case) + " that were shown",
                   by_hand);
    auto noted = d_.ledger.add_event({d_.clock.now(), "start", rental.label, {{"why", "rescue"}}});
    if (!noted) {
      failed(f.line, noted.error());
      return false;
    }
    log_fact("rescue label=", rental.label);
    auto asked = d_.market.start_instance(*rental.instance, stop_);
    if (asked) return true;
    (void)give_up(rental, asked.error().what);
    (void)d_.market.stop_instance(*rental.instance, {});  // a start that waits in a queue has no deadline
    return stays("stopped, and could not be started: " + asked.error().what, by_hand);
  }

  void rescue(Found& f, const std::string& by_hand) const {
    const Rental rental = *f.rental;
    // Held to the end, and free when its process dies: then the next pass goes on with what was begun.
    const auto rescuing = lock_rental(d_, "rescue-" + rental.label, {stop_, d_.clock.now()});
    if (!rescuing) return left(f.line, "another call rescues it", "run vast-gpu reap again");
    bool begun = false;  // by a pass that died: what is left of that start is used first
    {
      const auto lock = lock_rental(d_, rental.label, caller());
      if (!lock) return failed(f.line, lock.error());
      auto now = d_.ledger.rental_by_label(rental.label);
      if (!now) return failed(f.line, now.error());
      if (!*now || (*now)->status != Status::stopped || (*now)->lease_end != rental.lease_end)
        return left(f.line, "another call works on it", "run vast-gpu reap again");
      auto events = d_.ledger.events(rental.label);
      if (!events) return failed(f.line, events.error());
      const auto since_end = [&](std::string_view kind) {
        return std::ranges::count_if(
            *events, [&](const LedgerEvent& e) { return e.kind == kind && e.at > rental.lease_end; });
      };
      if (since_end("rescue-failed") > 0)
        return left(f.line, "stopped; starting it for its results was tried", by_hand);
      const auto starts = static_cast<int>(since_end("start"));
      begun = starts > 0 && f.row && f.row->intended_status == "running";
      if (!begun && !start_for_rescue(f, rental, starts, by_hand)) return;
    }
    const TimePoint wake = d_.clock.now() + kWakeLimit;
    auto up = extend(d_, *rental.instance, Hours(0), std::nullopt, {stop_, wake});
    if (up && up->running) {
      f.rental = up->rental;
      end(f, "its lease was over; started once for its results");
      if (f.line.bill != Bill::bills || f.rental->status == Status::destroying) return;
    } else {
      left(f.line, "started for its results, but it does not answer" + (up ? "" : ": " + up.error().what),
           by_hand);
    }
    if (!begun)
      if (auto noted = give_up(rental, f.line.did); !noted) log_fact("rescue ", noted.error().what);
    if (auto back = d_.market.stop_instance(*rental.instance, {}); !back) {
      f.line.bill = Bill::unknown;
      f.line.did += "; stopping it again failed: " + back.error().what;
    } else {
      f.line.did += "; stopped again";
    }
  }

  const Deps& d_;
  const ReapRequest& request_;
  std::stop_token stop_;
};

/// Everything of ours that may bill, and the others by name.
std::vector<Found> sort_out(const Deps& d, const ReapRequest& request, const Reconciled& seen,
                            const std::stop_token& stop, PassReport& out) {
  std::vector<Found> todo;
  const auto in_scope = [&](const Rental& r) {
    return request.project.empty() || r.project == request.project.string();
  };
  const auto other = [&](PassLine line, std::string why) {
    line.did = std::move(why);
    out.others.push_back(std::move(line));
  };
  const std::string ours_here = "vg-" + plain_name(request.project.filename().string()).substr(0, 32) + "-";
  for (const LiveRow& row : seen.live) {
    PassLine line = line_of(row);
    if (row.kind == LiveRow::Kind::stranger) {
      other(std::move(line), "not ours, not touched");
    } else if (row.rental) {
      Rental rental = *row.rental;
      const bool homeless = is_homeless(d, rental);
      if (homeless && !request.project.empty() && row.instance.label.starts_with(ours_here))
        if (auto given = give_project(d, rental, request.project); !given)
          log_fact("adopted label=", rental.label, " ", given.error().what);
      if (in_scope(rental))
        todo.push_back({std::move(line), rental, row.instance});
      else
        other(std::move(line), homeless ? "carries our label, of an unknown project; not touched"
                                        : "of project " + rental.project + ", not touched");
    } else {
      auto rental = adopt_orphan(d, row.instance, request.project, {stop, d.clock.now() + request.patience});
      if (rental) {
        line.label = rental->label;
        todo.push_back({std::move(line), *std::move(rental), row.instance});
      } else {
        line.bill = PassLine::Bill::unknown;
        line.did = rental.error().what;
        out.ours.push_back(std::move(line));
      }
    }
  }
  for (const Rental& r : seen.unseen) {
    if (!in_scope(r)) continue;
    PassLine line = line_of(r, "unseen");
    if (r.status == Status::destroying) {
      todo.push_back({std::move(line), r, std::nullopt});
      continue;
    }
    const bool young = d.clock.now() - r.created <= kMayBeInvisible;
    line.bill = young ? PassLine::Bill::bills : PassLine::Bill::unknown;
    line.did = young ? "too new to be listed" : "exists when asked for by id, but the list leaves it out";
    line.next_step = "run vast-gpu reap again";
    out.ours.push_back(std::move(line));
  }
  for (const Rental& r : seen.unsettled) {
    if (!in_scope(r)) continue;
    PassLine line = line_of(r, "unsettled");
    line.did = "its create got no answer; its label settles it within minutes";
    line.next_step = "run vast-gpu reap again";
    out.ours.push_back(std::move(line));
  }
  for (const Rental& r : seen.vanished) {
    if (!in_scope(r)) continue;
    PassLine line = line_of(r, "vanished");
    line.bill = PassLine::Bill::none;
    line.did =
        r.instance ? "no longer listed by the marketplace" : "never rented: its label appeared nowhere";
    if (r.ready && !r.collected) line.lost = "results and logs that were on it";
    line.cost = report(d, r, stop);
    out.ours.push_back(std::move(line));
  }
  return todo;
}

}  // namespace

bool rescue_fits(const Rental& rental, std::optional<Usd> charged, UsdPerHour storage, TimePoint now,
                 int starts_before) {
  const auto in_hours = [](Duration d) { return std::chrono::duration_cast<Hours>(d); };
  const Usd own = rental.price * (in_hours(rental.lease_end - rental.created) +
                                  Hours(kGuardGrace) * static_cast<double>(starts_before)) +
                  storage * in_hours(std::max(Duration{}, now - rental.lease_end));
  const Usd spent = std::max(own, charged.value_or(Usd{}));  // the provider may post late
  return spent + rental.price * Hours(kGuardGrace) <= rental.worst_case;
}

PassReport reap(const Deps& d, const ReapRequest& request, std::stop_token stop) {
  PassReport out;
  auto seen = reconcile(d, stop);
  if (!seen) {
    out.trouble = seen.error().what + (seen.error().next_step.empty() ? "" : "; " + seen.error().next_step);
    return out;
  }
  auto todo = sort_out(d, request, *seen, stop, out);
  const Reaping reaping(d, request, stop);
  side_by_side(todo.size(), [&](std::size_t i) {
    reaping.see_to(todo[i]);
    if (todo[i].line.cost) return;
    todo[i].line.cost.emplace();  // what goes on is counted by ourselves: the provider posts late
    todo[i].line.cost->rental = *todo[i].rental;
    todo[i].line.cost->ours = cost_so_far(*todo[i].rental, d.clock.now());
    todo[i].line.cost->charges_note = "so far";
  });
  for (Found& f : todo) out.ours.push_back(std::move(f.line));
  if (stop.stop_requested()) out.trouble = "stopped before the end";
  return out;
}

}  // namespace vastgpu
