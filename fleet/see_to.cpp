#include "fleet/see_to.h"

#include <algorithm>

#include "core/log.h"
#include "core/text.h"
#include "fleet/boot.h"
#include "fleet/bring_home.h"
#include "fleet/deadline.h"
#include "fleet/gone.h"
#include "fleet/guard.h"
#include "fleet/host_key.h"
#include "fleet/idle.h"
#include "fleet/layers.h"
#include "fleet/lease.h"
#include "fleet/lifecycle.h"
#include "fleet/notice.h"
#include "fleet/outbid.h"
#include "fleet/price_watch.h"
#include "fleet/reach.h"
#include "fleet/record.h"
#include "fleet/renew.h"
#include "fleet/rescue.h"

namespace vastgpu {
namespace {

// The guard looks every 30 s; one that has not stopped its machine by then is dead.
constexpr auto kGuardIsLate = std::chrono::minutes(2);
// A machine that was just started for its results boots, and lives for one grace period.
constexpr auto kRescueTakes = kGuardGrace + std::chrono::minutes(5);
// The guard reads its lease twice a minute, and the clocks of two computers agree to half a minute.
constexpr auto kGuardHoldsAnother = std::chrono::seconds(90);
// A parked machine often runs after a start; one that does not after three never will.
constexpr int kMostStarts = 3;
constexpr auto kNearEnd = std::chrono::minutes(10);
constexpr auto kLookNearEnd = std::chrono::seconds(30);
constexpr auto kCollectEvery = std::chrono::minutes(10);
constexpr auto kCollectInHurry = std::chrono::minutes(3);

// What somebody stopped by hand is about to be changed or looked at.
bool went_wrong(const Job& j) {
  return !j.canary &&
         (j.state == JobState::failed || j.state == JobState::lost || j.state == JobState::stopped);
}

/// After a canary alone the work is still to come.
bool all_over(const std::vector<Job>& jobs) {
  return !std::ranges::all_of(jobs, &Job::canary) &&
         std::ranges::none_of(jobs, [](const Job& j) { return is_open(j.state); });
}

std::string words_of(const std::vector<Job>& jobs) {
  std::vector<std::string> words;
  for (const Job& j : jobs) words.push_back(j.experiment + " is " + to_string(j.state));
  return words.empty() ? "no experiment yet" : join(words, ", ");
}

class Tending {
 public:
  Tending(const Deps& d, const PassTerms& terms, Tended& it)
      : d_(d), terms_(terms), it_(it), rental_(it.rental), line_(it.line) {}

  void run() {
    const bool over = d_.clock.now() > rental_.lease_end;
    if (bid_decides(over)) return;
    if (rental_.status == Status::destroying) {
      end_rental(d_, terms_, it_, "its end was asked for before");
      return;
    }
    if (auto read = read_records(); !read) return failed(line_, read.error());
    if (!rental_.ready) return booting(over);
    if (auto seen = notice_row(); !seen) return failed(line_, seen.error());
    if (rental_.status == Status::stopped) return stopped(over);
    if (money_ends_it()) return;
    if (auto looked = verify_host_key(d_, rental_, terms_.stop); !looked)
      return failed(line_, looked.error());
    warn(host_key_words(rental_));
    running();
  }

 private:
  std::string until() const { return "lease until " + to_iso8601(rental_.lease_end); }
  void warn(const std::string& words) {
    if (!words.empty()) line_.warnings.push_back(words);
  }

  /// Of an interruptible rental: what becomes of a lost bid. False where there is nothing of that kind to do.
  bool bid_decides(bool over) {
    if (!rental_.interruptible || rental_.adopted || !rental_.ready) return false;
    if (!it_.row && rental_.status != Status::destroying) return false;
    auto out = see_to_outbid(d_, rental_, it_.row.value_or(Instance{}), terms_.caller(d_));
    if (!out) {
      failed(line_, out.error());
      return true;
    }
    using State = OutbidOutcome::State;
    if (out->state == State::not_outbid) return false;
    if (out->state == State::given_up && over && rental_.status == Status::stopped) return false;  // rescued
    line_.bill = may_bill(rental_.status) ? PassLine::Bill::bills : PassLine::Bill::none;
    line_.did = out->did;
    line_.next_step = out->next_step;
    return true;
  }

  Result<void> read_records() {
    auto jobs = d_.ledger.jobs(rental_.label);
    if (!jobs) return fail(std::move(jobs).error());
    auto events = d_.ledger.events(rental_.label);
    if (!events) return fail(std::move(events).error());
    auto reports = d_.ledger.layers(rental_.label);
    if (!reports) return fail(std::move(reports).error());
    jobs_ = *std::move(jobs), events_ = *std::move(events), reports_ = *std::move(reports);
    return {};
  }

  void booting(bool over) {
    if (over) {
      end_rental(d_, terms_, it_, "its lease is over and it never became ready");
      return;
    }
    if (it_.row && seen_in(rental_, *it_.row) == Seen::parked) return unpark();
    if (money_ends_it()) return;
    if (rental_.status == Status::booting) return finish_boot();
    left(line_, text("is ", to_string(rental_.status), ", ", until()),
         "call rent with quote_id " + rental_.quote_id + " to go on waiting, or destroy");
  }

  /// A machine whose caller went away: one look. Where it will not get there it is ended; a stand-in is
  /// rented only by a caller.
  void finish_boot() {
    const std::string quote = rental_.quote_id.substr(0, rental_.quote_id.find('.'));
    const std::string go_on = "call rent with quote_id " + rental_.quote_id + " to go on waiting, or destroy";
    const auto lock = lock_rental(d_, "quote-" + quote, {terms_.stop, d_.clock.now()});
    if (!lock) return left(line_, "is booting, and another call waits for it; " + until(), {});
    auto booted = wait_ready(d_, rental_, {terms_.stop, d_.clock.now()});
    if (!booted) return failed(line_, booted.error());
    if (booted->state == BootOutcome::State::ready)
      return left(line_, "became ready, and nobody waits for it; " + until(), go_on);
    if (booted->state != BootOutcome::State::failed)
      return left(line_, "is booting: " + booted->reason + "; " + until(), go_on);
    if (booted->machine_is_bad)
      if (auto noted = d_.ledger.add_machine_failure({rental_.machine, d_.clock.now(), booted->reason});
          !noted)
        return failed(line_, noted.error());
    if (auto noted = amend(d_, rental_, [&](Rental& now) { now.note = booted->reason; }); !noted)
      return failed(line_, noted.error());
    auto gone = make_gone(d_, rental_, booted->reason, terms_.caller(d_));
    if (!gone) return failed(line_, gone.error());
    if (!*gone)
      return left(line_, "failed to boot (" + booted->reason + "); destroy asked, still listed", {});
    line_.bill = PassLine::Bill::none;
    line_.did = "failed to boot (" + booted->reason + "); destroyed and read back as gone";
    line_.next_step = go_on;
  }

  /// Loaded, and never started: a start helps, unless somebody who waits for it does that.
  void unpark() {
    const std::string destroy = "call destroy with instance_id " + to_string(*rental_.instance);
    const std::string quote = rental_.quote_id.substr(0, rental_.quote_id.find('.'));
    const auto lock = lock_rental(d_, "quote-" + quote, {terms_.stop, d_.clock.now()});
    if (!lock) return left(line_, "is parked; another call waits for it", {});
    const auto starts = std::ranges::count(events_, std::string("start"), &LedgerEvent::kind);
    if (starts >= kMostStarts) {
      warn("it was started three times and stays parked");
      return left(line_, "is parked, " + until(), destroy);
    }
    auto noted = d_.ledger.add_event({d_.clock.now(), "start", rental_.label, {{"why", "parked"}}});
    if (!noted) return failed(line_, noted.error());
    if (auto asked = d_.market.start_instance(*rental_.instance, terms_.stop); !asked)
      return left(line_, "is parked, and could not be started: " + asked.error().what, destroy);
    left(line_, text("was parked and was started (", starts + 1, " of ", kMostStarts, "), ", until()),
         "call rent with quote_id " + rental_.quote_id + " to go on waiting");
  }

  /// What the marketplace says of it. That SSH fails is found out by looking, and stays until a look works.
  Result<void> notice_row() {
    if (!it_.row) return {};
    seen_ = seen_in(rental_, *it_.row);
    auto before = last_noticed(d_, rental_);
    if (!before) return fail(std::move(before).error());
    if (seen_ == Seen::running && before->seen == Seen::unreachable) return {};
    const std::string why = clean_line(it_.row->status_msg, 160);
    auto noticed = notice(d_, rental_, seen_, why);
    if (!noticed) return fail(std::move(noticed).error());
    warn(to_words(*noticed, why, d_.clock.now()));
    return {};
  }

  void stopped(bool over) {
    const std::string id = to_string(*rental_.instance);
    const std::string by_hand =
        "call extend with instance_id " + id + " and hours 0.25 to start it for its results, then destroy";
    if (seen_ == Seen::running && !over && !rental_.adopted) return resume(by_hand);
    if (!over || rental_.adopted)
      return left(line_,
                  seen_ == Seen::outbid   ? "outbid; its disk bills and may hold results"
                  : seen_ == Seen::exited ? "exited by itself; its disk bills and may hold results"
                                          : "stopped; its disk bills and may hold results",
                  by_hand);
    if (!may_destroy(rental_, jobs_))
      return left(line_, "stopped at the end of its lease; auto_destroy is off, its disk bills", by_hand);
    rescue(d_, terms_, it_, by_hand);
  }

  /// It runs again without our doing: its guard is told the lease, and it is ours to watch again.
  void resume(const std::string& by_hand) {
    auto up = extend(d_, *rental_.instance, Hours(0), {}, {terms_.stop, d_.clock.now()});
    if (!up) return failed(line_, up.error());
    rental_ = up->rental;
    if (!up->running) return left(line_, "runs again, but it does not answer yet; " + until(), by_hand);
    left(line_, "runs again; its guard was told the lease; " + until(), {});
  }

  /// Price, host and worst case. True when it was ended, or should have been: the line says how.
  bool money_ends_it() {
    if (!it_.row) return false;
    const TimePoint old_until =
        last_report(reports_, kKeeperLayer).value_or(rental_.ready.value_or(rental_.created));
    auto verdict = watch_price(d_, rental_, *it_.row, old_until, terms_.caller(d_));
    if (!verdict) {
      warn("what it still may cost could not be checked: " + verdict.error().what);
      return false;
    }
    warn(verdict->why);
    if (!verdict->end_now) return false;
    // One odd row must not end a run: it is read again, by its id.
    auto again = d_.market.instance(*rental_.instance, terms_.stop);
    if (!again || !*again) {
      warn("that could not be read a second time, so nothing is ended yet");
      return false;
    }
    auto second = watch_price(d_, rental_, **again, old_until, terms_.caller(d_));
    if (!second || !second->end_now) return false;
    const std::string why = verdict->why + ", and nothing sensible is left of its lease";
    const bool wanted = !rental_.ready || may_destroy(rental_, jobs_);
    if (wanted && end_rental(d_, terms_, it_, why, true)) return true;
    if (line_.bill == PassLine::Bill::none) return true;
    if (auto read = refresh(d_, rental_); !read || rental_.status != Status::ready) return true;
    (void)bring_home(d_, rental_, terms_.caller(d_));  // the disk stays: what does not come home is not lost
    stop_rental(d_, terms_, it_, why, why + ": stopped; its disk bills");
    return true;
  }

  void running() {
    const TimePoint now = d_.clock.now();
    const LedgerEvent* started = last_event(events_, "start");
    const bool overdue = now > rental_.lease_end + kGuardIsLate &&
                         (!started || now > started->at + kRescueTakes) && !rental_.adopted;
    const bool reachable = seen_ == Seen::running;
    const bool ends_now =
        all_over(jobs_) && may_destroy(rental_, jobs_) && std::ranges::none_of(jobs_, went_wrong);
    const bool due = ends_now || overdue || terms_.collect_now ||
                     look_is_due(now, last_report(reports_, kLookMark), rental_.lease_end, terms_.look_every);
    if (!overdue && (!due || !reachable)) {
      warn(idle_words(rental_, now));
      return left(line_,
                  (reachable ? "" : std::string(to_string(seen_)) + "; ") + words_of(jobs_) + "; " + until(),
                  {});
    }
    look(overdue);
  }

  void look(bool overdue) {
    auto shell = reach(d_, rental_, terms_.stop);
    auto look =
        shell ? look_at(d_, rental_, **shell, 0, terms_.stop) : Result<MachineLook>(fail(shell.error()));
    if (!look) return not_reached(overdue, look.error());
    jobs_.clear();
    for (const JobLook& j : look->jobs) jobs_.push_back(j.job);
    std::string seen = words_of(jobs_);
    if (!look->foreign_screens.empty())
      seen += ", screen session " + join(look->foreign_screens, ", ") + " of somebody else runs";
    if (!look->strange_waiters.empty())
      seen += ", " + join(look->strange_waiters, ", ") + " waits in its queue and is not in this ledger";
    for (const TheirQueue& queue : look->theirs.queues)
      if (queue.open()) seen += ", " + to_words(queue);
    if (auto noted = note(*look, **shell); !noted) return failed(line_, noted.error());

    const bool over = all_over(jobs_) && !look->others_work();
    const bool failed_one = std::ranges::any_of(jobs_, went_wrong);
    const bool wanted = may_destroy(rental_, jobs_);
    // Started for its results, by a pass that died: what stopped its experiments was the end of the lease.
    const LedgerEvent* started = last_event(events_, "start");
    const bool rescued = started && started->at > rental_.lease_end && d_.clock.now() > rental_.lease_end;
    if (over && wanted && (!failed_one || overdue || rescued)) {
      shell = fail({});  // closed before the next one is opened
      end_rental(d_, terms_, it_, seen);
      return;
    }
    if (overdue) return stop_overdue(seen);
    const std::string destroy = "destroy instance_id " + to_string(*rental_.instance) + " when done";
    if (over)
      return left(line_, seen + (wanted ? "; kept to be looked at, " : "; auto_destroy is off, ") + until(),
                  destroy);
    keep_going(seen, *look, **shell);
  }

  /// What a look showed, on record: of the guard, of SSH, and of whether anything moves there.
  Result<void> note(const MachineLook& look, Shell& shell) {
    if (auto noted = notice(d_, rental_, Seen::running, ""); !noted) return fail(std::move(noted).error());
    if (auto noted = note_look(d_, rental_, look); !noted) return noted;
    // A lease that moved while the machine could not be reached.
    if (look.guard_end && !rental_.adopted &&
        std::chrono::abs(*look.guard_end - rental_.lease_end) > kGuardHoldsAnother)
      if (auto told = tell_lease(d_, rental_, shell, terms_.stop); !told)
        warn("its guard holds another lease end and could not be told: " + told.error().what);
    const bool busy = look.others_work() ||
                      std::ranges::any_of(look.jobs, [](const JobLook& j) { return is_open(j.job.state); });
    auto still = busy ? Result<Stillness>(Stillness{}) : feel(shell, terms_.stop);
    if (!still) return {};  // nothing is known about it: neither idle nor not
    const auto since = idle_since(rental_.idle_since, busy, *still, d_.clock.now());
    if (since.has_value() != rental_.idle_since.has_value())
      if (auto noted = amend(d_, rental_, [&](Rental& r) { r.idle_since = since; }); !noted) return noted;
    warn(idle_words(rental_, d_.clock.now()));
    return {};
  }

  /// Something runs on, or nothing ran yet: renew, and bring home what there is.
  void keep_going(std::string did, const MachineLook& look, Shell& shell) {
    const auto host_ends = it_.row ? it_.row->end_date : std::nullopt;
    auto renewed = renew(d_, rental_, look, host_ends, terms_.caller(d_));
    if (!renewed) return failed(line_, renewed.error());
    if (renewed->done)
      did += "; " + renewed->words;
    else
      warn(renewed->words);
    if (const std::string home = bring_some_home(shell); !home.empty()) did += "; " + home;
    left(line_, did + "; " + until(), {});
  }

  /// While an experiment runs. A file that grows meanwhile is no trouble: the next time gets it.
  std::string bring_some_home(Shell& shell) {
    const auto at_work = std::ranges::find(jobs_, JobState::running, &Job::state);
    if (at_work == jobs_.end()) return {};
    const TimePoint now = d_.clock.now();
    const bool hurry = terms_.collect_now || rental_.lease_end - now < kLeaseNearlyOver;
    const TimePoint since = std::max({last_report(reports_, kCollectMark).value_or(TimePoint{}),
                                      rental_.collected.value_or(TimePoint{}), at_work->started});
    if (!collect_is_due(now, since, hurry)) return {};
    const auto lock = lock_rental(d_, rental_.label, {terms_.stop, now});
    if (!lock) return {};  // another call collects, or ends it
    if (auto read = refresh(d_, rental_); !read || rental_.status != Status::ready) return {};
    const Deadline deadline(d_.clock, now + kCollectInHurry, terms_.stop);
    auto receipt = bring_home(d_, rental_, shell, {deadline.token(), terms_.caller(d_).until});
    std::string words;
    if (receipt) {
      words = text(receipt->files.size(), " files are home so far, ", receipt->fetched, " of them new");
    } else {
      words = "results could not be brought home: " + receipt.error().what;
      warn(words);
    }
    (void)d_.ledger.note_layer({rental_.label, kCollectMark, now, clean_line(words, 200)});
    return receipt ? words : std::string();
  }

  void not_reached(bool overdue, const Error& why) {
    auto stored = d_.ledger.rental_by_label(rental_.label);  // perhaps another call ends it just now
    if (stored && *stored &&
        ((*stored)->status == Status::destroying || (*stored)->status == Status::destroyed)) {
      end_rental(d_, terms_, it_, "another call ended it");
      return;
    }
    const std::string seen = "cannot be looked into: " + why.what;
    if (seen_ == Seen::running) {
      auto noticed = notice(d_, rental_, Seen::unreachable, why.what);
      if (!noticed) return failed(line_, noticed.error());
      warn(to_words(*noticed, "", d_.clock.now()));
      (void)note_not_reached(d_, rental_);
    }
    if (overdue) return stop_overdue(seen);
    left(line_, seen + "; " + until(), {});
  }

  /// What its guard should have done: the GPU bill ends, the disk stays.
  void stop_overdue(const std::string& seen) {
    stop_rental(d_, terms_, it_, "lease over",
                "the lease is over and its guard did not stop it: we did (" + seen + "); its disk bills");
  }

  const Deps& d_;
  const PassTerms& terms_;
  Tended& it_;
  Rental& rental_;
  PassLine& line_;
  Seen seen_ = Seen::running;
  std::vector<Job> jobs_;
  std::vector<LedgerEvent> events_;
  std::vector<LayerReport> reports_;
};

}  // namespace

bool look_is_due(TimePoint now, std::optional<TimePoint> looked, TimePoint lease_end, Duration every) {
  if (!looked) return true;
  const Duration age = now - *looked;
  return age >= every || (lease_end - now < kNearEnd && age >= kLookNearEnd);
}

bool collect_is_due(TimePoint now, TimePoint since, bool hurry) {
  return now - since >= (hurry ? Duration(kCollectInHurry) : Duration(kCollectEvery));
}

void see_to(const Deps& d, const PassTerms& terms, Tended& it) { Tending(d, terms, it).run(); }

}  // namespace vastgpu
