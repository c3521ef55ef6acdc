#include "fleet/outbid.h"

#include <algorithm>

#include "core/log.h"
#include "core/text.h"
#include "fleet/boot.h"
#include "fleet/envelope.h"
#include "fleet/gone.h"
#include "fleet/guard.h"
#include "fleet/jobs.h"
#include "fleet/lease.h"
#include "fleet/outbid_history.h"
#include "fleet/pricing.h"
#include "fleet/reach.h"
#include "fleet/record.h"
#include "fleet/rerent.h"

namespace vastgpu {
namespace {

using State = OutbidOutcome::State;

constexpr auto kNoteEvery = std::chrono::minutes(5);  // how far a pause is known to have lasted
constexpr auto kComesBack = std::chrono::minutes(4);  // a container starts and sshd answers within a minute
constexpr auto kHistory = std::chrono::hours(24 * 60);
constexpr int kMostRestarts = 20;  // of one experiment: what ends that often will not finish here
constexpr const char* kRestartEvent = "restart_job";
constexpr const char* kMovedEvent = "moved";
constexpr const char* kGivenUpEvent = "given_up";

class Seeing {
 public:
  Seeing(const Deps& d, Rental& rental, const Instance& row, const Caller& caller)
      : d_(d), rental_(rental), row_(row), caller_(caller) {}

  Result<OutbidOutcome> see_to() {
    const auto lock = lock_rental(d_, rental_.label, caller_);
    if (!lock) return fail(lock.error());
    if (auto read = refresh(d_, rental_); !read) return fail(std::move(read).error());
    if (auto read = read_events(); !read) return fail(std::move(read).error());
    if (rental_.status == Status::destroying && last(kMovedEvent)) return end_moved();
    if (rental_.status != Status::ready && rental_.status != Status::stopped) return nothing();

    auto replacement = replacement_of(d_, rental_.label);
    if (!replacement) return fail(std::move(replacement).error());
    if (*replacement) return move("its move had begun");
    if (is_outbid(row_)) return d_.clock.now() > rental_.lease_end ? lease_over() : outbid();
    const bool up = judge(row_) == BootVerdict::up;
    if (!up) return nothing();
    if (open_pause(events_)) return back();
    // Between two looks it can have lost and won: then it listens elsewhere, and its experiments are gone.
    const bool elsewhere = rental_.status == Status::ready && rental_.ssh && row_.direct &&
                           *rental_.ssh != *row_.direct && !(row_.relay && *rental_.ssh == *row_.relay);
    return elsewhere ? back() : nothing();
  }

 private:
  static OutbidOutcome nothing() { return {}; }

  OutbidOutcome said(State state, std::string did, std::string next_step = {}) const {
    OutbidOutcome out;
    out.state = state;
    out.did = std::move(did);
    out.next_step = std::move(next_step);
    return out;
  }

  Result<void> read_events() {
    auto events = d_.ledger.events(rental_.label);
    if (!events) return fail(std::move(events).error());
    events_ = *std::move(events);
    return {};
  }
  std::optional<TimePoint> last(std::string_view kind) const {
    std::optional<TimePoint> at;
    for (const LedgerEvent& e : events_)
      if (e.kind == kind) at = e.at;
    return at;
  }
  Result<void> note(const char* kind, json detail) {
    LedgerEvent event{d_.clock.now(), kind, rental_.label, std::move(detail)};
    if (auto noted = d_.ledger.add_event(event); !noted) return noted;
    events_.push_back(std::move(event));
    return {};
  }

  /// The price of this very machine now, by one kind of renting. Where it is offered in several parts, ours
  /// is the one that somebody pays most for: the dearest one of the bids.
  Result<std::optional<Offer>> offer_of_machine(RentalKind kind) const {
    OfferQuery q;
    q.machine = rental_.machine;
    q.num_gpus = rental_.num_gpus;
    q.disk = rental_.disk;
    q.kind = kind;
    q.min_reliability = 0;
    q.min_inet_down = {0};
    q.direct_ssh = false;
    q.verified_only = false;
    auto found = d_.market.search(q, caller_.stop);
    if (!found) return fail(std::move(found).error().during("reading the prices of the machine"));
    std::optional<Offer> ours;
    for (const Offer& o : *found)
      if (o.machine == rental_.machine && o.num_gpus == rental_.num_gpus &&
          (!ours || (kind == RentalKind::interruptible) == (o.price > ours->price)))
        ours = o;
    return ours;
  }

  /// Everything that the decision hangs on.
  Result<OutbidSituation> situation() {
    const TimePoint now = d_.clock.now();
    OutbidSituation s;
    s.storage = row_.storage_price;
    s.bid = rental_.bid.value_or(rental_.price - s.storage);
    auto bids = offer_of_machine(RentalKind::interruptible);
    if (!bids) return fail(std::move(bids).error());
    if (*bids) s.floor = bid_floor(**bids);
    auto whole = offer_of_machine(RentalKind::on_demand);
    if (!whole) return fail(std::move(whole).error());
    if (*whole) s.on_demand = (*whole)->price;
    s.lease_left = std::max(Duration{}, rental_.lease_end - now);
    s.grace = kLeaseReserve;

    auto quote = d_.ledger.quote(rental_.quote_id);
    if (!quote) return fail(std::move(quote).error());
    Usd traffic;
    if (*quote)
      if (const auto facts = parse_json((*quote)->facts, "quote facts"); facts && facts->contains("worst"))
        traffic = {read_number((*facts)["worst"], "traffic_usd").value_or(0)};
    const PaidSoFar paid = paid_so_far(rental_, events_, s.storage, traffic, true, now);
    s.paid = paid.at_most;
    s.worst_case = rental_.worst_case;
    if (const auto pause = open_pause(events_)) s.paused = std::max(Duration{}, now - pause->from);
    if (rental_.work) s.work_left = std::max(Hours(0), *rental_.work - paid.ran);

    std::vector<LedgerEvent> past;
    for (const char* kind : {kOutbidEvent, kResumedEvent}) {
      auto some = d_.ledger.events_of_kind(kind, now - kHistory);
      if (!some) return fail(std::move(some).error());
      past.insert(past.end(), some->begin(), some->end());
    }
    std::ranges::stable_sort(past, {}, &LedgerEvent::at);
    if (const auto usual = usual_pause(pauses_of(past))) s.usual_pause = usual->lasts;

    auto jobs = d_.ledger.jobs(rental_.label);
    if (!jobs) return fail(std::move(jobs).error());
    // Work that somebody does there by hand has no job of ours, and nothing says that it is home.
    s.results_home = rental_.collected && !jobs->empty() && std::ranges::all_of(*jobs, [&](const Job& j) {
                       return j.started <= *rental_.collected;
                     });
    if (rental_.envelope.empty()) return s;
    auto envelope = d_.ledger.envelope(rental_.envelope);
    if (!envelope) return fail(std::move(envelope).error());
    auto use = d_.ledger.envelope_use(rental_.envelope);
    if (!use) return fail(std::move(use).error());
    if (*envelope) s.envelope_room = (*envelope)->max_usd - use->usd + rental_.worst_case;
    auto plan = plan_rerent(d_, rental_);
    if (!plan) return fail(std::move(plan).error());
    auto other = look_elsewhere(d_, rental_, *plan, caller_.stop);
    if (!other) return fail(std::move(other).error());
    if (*other) s.elsewhere = {(*other)->price, (*other)->setup};
    return s;
  }

  Result<OutbidOutcome> outbid() {
    if (rental_.status == Status::ready)
      if (auto noted = advance(d_, rental_, Event::seen_stopped); !noted)
        return fail(std::move(noted).error());
    // Nobody looked for a while: it may have run meanwhile, and that is billed. What was not seen paused ran.
    if (const auto pause = open_pause(events_); pause && d_.clock.now() - pause->seen_until > 2 * kNoteEvery)
      if (auto noted = note(kResumedEvent, {{"unseen", true}}); !noted) return fail(std::move(noted).error());
    const bool is_new = !open_pause(events_);
    if (is_new) {
      // What it takes to win is asked for first; where that cannot be read, the pause is on record all the
      // same.
      auto bids = offer_of_machine(RentalKind::interruptible);
      const json floor = bids && *bids ? json(bid_floor(**bids)) : json(nullptr);
      if (auto noted = note(kOutbidEvent, {{"bid", rental_.bid ? json(*rental_.bid) : json(nullptr)},
                                           {"floor", floor},
                                           {"gpu", rental_.gpu_name}});
          !noted)
        return fail(std::move(noted).error());
      log_fact("outbid label=", rental_.label);
    } else if (d_.clock.now() - open_pause(events_)->seen_until >= kNoteEvery) {
      if (auto noted = note(kStillOutbidEvent, json::object()); !noted) return fail(std::move(noted).error());
    }
    if (rental_.bid && row_.price - row_.storage_price < *rental_.bid * 0.999)
      return send_bid(*rental_.bid, "the raise was on record, and the marketplace still shows the old bid");
    auto s = situation();
    if (!s) return fail(std::move(s).error());
    OutbidDecision decision = decide_outbid(*s);
    if (decision.action == OutbidAction::raise) {
      auto covered = cover(decision);
      if (!covered) return fail(std::move(covered).error());
      if (covered->empty()) return raise(decision);
      s->floor.reset();  // the limits of the account or the project say no: what is left to do?
      decision = decide_outbid(*s);
      decision.why = *covered + "; " + decision.why;
    }
    switch (decision.action) {
      case OutbidAction::move:
        return move(decision.why);
      case OutbidAction::give_up:
        return give_up(decision.why);
      default:
        return said(State::waiting, "outbid for " + hours(s->paused) + ": " + decision.why);
    }
  }

  /// The worst case grows in the ledger before the bid does. The reason why it may not; empty when it did.
  Result<std::string> cover(const OutbidDecision& decision) {
    if (decision.worst_case <= rental_.worst_case) return std::string();
    if (!d_.settings.account) return fail(d_.settings.account.error());
    auto budget = project_budget(rental_.project);
    if (!budget) return fail(std::move(budget).error());
    const IntentLimits limits =
        limits_for(d_.settings.account->limits, d_.settings.settings_file, *budget, std::nullopt);
    auto grown =
        d_.ledger.extend_lease(rental_.label, rental_.lease_end, decision.worst_case, d_.clock.now(), limits);
    if (!grown && grown.error().code == Code::over_budget) return grown.error().what;
    if (!grown) return fail(std::move(grown).error());
    return refresh(d_, rental_).map([] { return std::string(); });
  }

  Result<OutbidOutcome> raise(const OutbidDecision& decision) {
    // The dearer price counts from now on, whether the marketplace's answer comes or not.
    if (auto noted = note(kBidEvent, {{"bid", decision.bid},
                                      {"bid_before", rental_.bid ? json(*rental_.bid) : json(nullptr)},
                                      {"usd_per_hour", decision.price},
                                      {"usd_per_hour_before", rental_.price},
                                      {"worst_case_usd", rental_.worst_case},
                                      {"why", decision.why}});
        !noted)
      return fail(std::move(noted).error());
    if (auto written = amend(d_, rental_,
                             [&](Rental& now) {
                               now.bid = decision.bid;
                               now.price = decision.price;
                             });
        !written)
      return fail(std::move(written).error());
    return send_bid(decision.bid, decision.why);
  }

  Result<OutbidOutcome> send_bid(UsdPerHour bid, const std::string& why) {
    log_fact("bid label=", rental_.label, " usd_per_hour=", bid.value);
    if (auto changed = d_.market.change_bid(*rental_.instance, bid, caller_.stop); !changed) {
      if (changed.error().code == Code::cancelled) return fail(std::move(changed).error());
      return said(State::waiting,
                  "outbid; raising the bid to " + money(bid) + " failed: " + changed.error().what);
    }
    const TimePoint until = std::min(caller_.until, d_.clock.now() + kComesBack);
    for (;;) {
      auto row = d_.market.instance(*rental_.instance, caller_.stop);
      if (row && *row && judge(**row) == BootVerdict::up) break;
      if (d_.clock.now() >= until || !d_.clock.sleep_for(d_.settings.poll_every, caller_.stop))
        return said(State::raised, "bid raised to " + money(bid) + ": " + why);
    }
    auto out = back();
    if (!out) return out;
    if (out->state != State::resumed) out->state = State::raised;
    out->did = "bid raised to " + money(bid) + " (" + why + "); " + out->did;
    return out;
  }

  /// It runs again: verified, its lease told, its lost experiments started again, and only then on record.
  Result<OutbidOutcome> back() {
    auto up = wait_restarted(d_, rental_, caller_);
    if (!up) return fail(std::move(up).error());
    if (!*up) return said(State::waiting, "it runs again, and does not let us in yet");
    auto restarted = restart_jobs();
    if (!restarted) return fail(std::move(restarted).error());
    if (auto noted = note(kResumedEvent, {{"ssh", rental_.ssh ? json(to_url(*rental_.ssh)) : json(nullptr)},
                                          {"experiments", *restarted}});
        !noted)
      return fail(std::move(noted).error());
    std::string did = "it runs again";
    if (!restarted->empty()) did += "; started again from what is on its disk: " + join(*restarted, ", ");
    if (!left_alone_.empty()) did += "; not started again: " + join(left_alone_, ", ");
    if (const auto warning = publish(d_, rental_, "running"); !warning.empty()) did += "; " + warning;
    return said(State::resumed, did);
  }

  /// A restarted container has its files and none of its processes. Each experiment is started at most once
  /// after each pause.
  Result<std::vector<std::string>> restart_jobs() {
    std::vector<std::string> names;
    auto shell = reach(d_, rental_, caller_.stop);
    if (!shell) return fail(std::move(shell).error());
    auto look = look_at(d_, rental_, **shell, 0, caller_.stop);
    if (!look) return fail(std::move(look).error());
    shell = fail({});  // closed before the next one is opened
    const auto pause = open_pause(events_);
    for (JobLook& j : look->jobs) {
      Job& job = j.job;
      if (j.screen_alive || j.queue_place > 0 || has_ended(job.state)) continue;
      int before = 0;
      bool in_this_pause = false;
      for (const LedgerEvent& e : events_) {
        if (e.kind != kRestartEvent || read_field<std::string>(e.detail, "experiment") != job.experiment)
          continue;
        ++before;
        in_this_pause |= pause && e.at >= pause->from;
      }
      if (in_this_pause && job.state != JobState::starting) continue;
      if (before >= kMostRestarts) {
        left_alone_.push_back(text(job.experiment, " (", before, " times already)"));
        continue;
      }
      if (!in_this_pause) {
        job.state =
            JobState::lost;  // so that the next start is one of its own, also where this one never answered
        if (auto noted = d_.ledger.put_job(job); !noted) return fail(std::move(noted).error());
        if (auto noted = note(kRestartEvent, {{"experiment", job.experiment}, {"time", before + 1}}); !noted)
          return fail(std::move(noted).error());
      }
      auto again = start_job(d_, rental_, same_again(job), caller_);
      if (!again) return fail(std::move(again).error().during("starting " + job.experiment + " again"));
      names.push_back(job.experiment);
    }
    return names;
  }

  Result<OutbidOutcome> move(const std::string& why) {
    auto other = rerent(d_, rental_, "outbid: " + why, caller_);
    if (!other) return fail(std::move(other).error());
    if (other->state == RerentOutcome::State::impossible) return give_up(why + "; " + other->words);
    OutbidOutcome out = said(State::moving, "outbid: " + why + "; " + other->words);
    out.replacement = other->rental;
    // Once another machine bills for its work, this one must not come back and bill beside it.
    if (other->rental && other->rental->instance && row_.intended_status != "stopped")
      if (auto stopped = leave_queue("its work moves to " + other->rental->label); !stopped)
        return fail(std::move(stopped).error());
    if (other->state != RerentOutcome::State::running) return out;
    if (auto noted = note(
            kMovedEvent,
            {{"to", other->rental->label},
             {"results_home", rental_.collected ? json(to_iso8601(*rental_.collected)) : json(nullptr)}});
        !noted)
      return fail(std::move(noted).error());
    auto ended = end_moved();
    if (!ended) return ended;
    ended->did = "outbid: " + why + "; " + other->words + "; " + ended->did;
    return ended;
  }

  /// What came home goes on elsewhere; what was written after the last receipt is the price of the move,
  /// which the envelope's approval named.
  Result<OutbidOutcome> end_moved() {
    auto gone = make_gone(d_, rental_, std::string(kAskedFor) + ", its work goes on elsewhere", caller_);
    if (!gone) return fail(std::move(gone).error());
    auto other = replacement_of(d_, rental_.label);
    if (!other) return fail(std::move(other).error());
    auto out = said(*gone ? State::moved : State::moving,
                    *gone ? "the old contract is gone" : "the old contract is not confirmed gone yet");
    out.replacement = *std::move(other);
    return out;
  }

  Result<void> leave_queue(const std::string& why) {
    if (auto noted = note("stop", {{"why", why}}); !noted) return noted;
    return d_.market.stop_instance(*rental_.instance, caller_.stop);
  }

  Result<OutbidOutcome> lease_over() {
    if (row_.intended_status != "stopped")  // a queued start has no deadline: it would bill beyond the lease
      if (auto done = leave_queue("lease over while outbid"); !done) return fail(std::move(done).error());
    return said(State::given_up,
                "outbid, and its lease is over: it no longer waits for its bid; its disk bills",
                "call extend with instance_id " + to_string(*rental_.instance) +
                    " and hours 0.25 to rescue its results, or destroy");
  }

  Result<OutbidOutcome> give_up(const std::string& why) {
    const std::string home = rental_.collected
                                 ? "what it wrote until " + to_iso8601(*rental_.collected) + " is at home"
                                 : "nothing of it is at home";
    const auto pause = open_pause(events_);
    if (const auto before = last(kGivenUpEvent); !before || (pause && *before < pause->from))
      if (auto noted = note(kGivenUpEvent, {{"why", why}}); !noted) return fail(std::move(noted).error());
    const std::string kept =
        "outbid: " + why + "; " + home + ", its disk is kept until " + to_iso8601(rental_.lease_end);
    if (row_.intended_status == "stopped")  // it left the queue for a move that came to nothing
      return said(State::given_up, kept + ", and it no longer waits for its bid",
                  "call extend with instance_id " + to_string(*rental_.instance) +
                      " and hours 0.25 to start it again, or destroy");
    return said(State::given_up, kept + ", and it goes on by itself if its bid wins before that",
                "ask the user: a higher bid or another machine needs a new yes (rent with envelope_usd), or "
                "destroy");
  }

  const Deps& d_;
  Rental& rental_;
  const Instance& row_;
  const Caller& caller_;
  std::vector<LedgerEvent> events_;
  std::vector<std::string> left_alone_;
};

}  // namespace

const char* to_string(OutbidOutcome::State s) {
  switch (s) {
    case State::not_outbid:
      return "not_outbid";
    case State::waiting:
      return "waiting";
    case State::raised:
      return "raised";
    case State::resumed:
      return "resumed";
    case State::moving:
      return "moving";
    case State::moved:
      return "moved";
    case State::given_up:
      return "given_up";
  }
  return "not_outbid";
}

bool is_outbid(const Instance& row) {
  return row.is_bid && (row.actual_status == "exited" || row.actual_status == "stopped") &&
         row.intended_status == "running" && row.cur_state != "running";
}

Result<OutbidOutcome> see_to_outbid(const Deps& d, Rental& rental, const Instance& row,
                                    const Caller& caller) {
  if (!rental.interruptible || !rental.instance || !rental.ready || rental.adopted) return OutbidOutcome{};
  return Seeing(d, rental, row, caller).see_to();
}

}  // namespace vastgpu
