#include "fleet/rerent.h"

#include <algorithm>

#include "core/log.h"
#include "core/text.h"
#include "fleet/bring_home.h"
#include "fleet/envelope.h"
#include "fleet/gone.h"
#include "fleet/guard.h"
#include "fleet/jobs.h"
#include "fleet/launch.h"
#include "fleet/needs.h"
#include "fleet/outbid_history.h"
#include "fleet/reach.h"
#include "fleet/record.h"
#include "fleet/setup.h"
#include "remote/globs.h"

namespace vastgpu {
namespace {

using State = RerentOutcome::State;

constexpr const char* kRerentEvent = "rerent";         ///< of the lost rental: quote_id, before it is rented
constexpr const char* kSentBackEvent = "sent_back";    ///< of the new rental: its results are on it
constexpr const char* kTakenOverEvent = "taken_over";  ///< of the lost rental: the work goes on
constexpr std::size_t kMostQuotes = 6;  // for one lost rental: the envelope's number of rentals binds before
constexpr Hours kSetupTakes{0.25};
constexpr std::size_t kMostPatterns = 2000;  // each is held against each file: beyond it all of results/ goes

/// Weights first: a run that finds its checkpoint can begin while the rest is small.
const std::vector<std::string> kCheckpoints{"*.pt",         "*.pth",        "*.ckpt", "*.safetensors",
                                            "*.bin",        "*.npz",        "*.tar",  "*.h5",
                                            "*checkpoint*", "checkpoint*/", "*ckpt*/"};

std::vector<LedgerEvent> of_kind(const std::vector<LedgerEvent>& events, std::string_view kind) {
  std::vector<LedgerEvent> found;
  for (const LedgerEvent& e : events)
    if (e.kind == kind) found.push_back(e);
  return found;
}

/// The machines that this chain of rentals had, and all that replaced it.
Result<std::set<MachineId>> machines_of_chain(const Deps& d, const Rental& lost) {
  auto all = d.ledger.rentals(false);
  if (!all) return fail(std::move(all).error());
  std::set<MachineId> machines{lost.machine};
  std::string before = lost.replaces;
  for (const Rental& r : *all) {  // newest first, so that one walk follows the chain back
    if (r.label == before) machines.insert(r.machine), before = r.replaces;
    if (r.replaces == lost.label) machines.insert(r.machine);
  }
  return machines;
}

/// The request of the first quote for what is left to do.
Result<QuoteRequest> request_for(const Deps& d, const Rental& lost, Usd room) {
  auto quote = d.ledger.quote(lost.quote_id);
  if (!quote) return fail(std::move(quote).error());
  if (!*quote)
    return fail({.code = Code::not_found,
                 .what = "the quote " + lost.quote_id + " of the lost rental is not in the ledger",
                 .next_step = "call provision for a fresh quote"});
  QuoteRequest request = needs_of(**quote);
  request.budget = room;
  auto events = d.ledger.events(lost.label);
  if (!events) return fail(std::move(events).error());
  const TimePoint end = lost.ended.value_or(d.clock.now());
  const Hours ran = paid_so_far(lost, *events, {}, {}, true, end).ran;
  auto& work = request.profile.hours;
  if (work && lost.work && request.profile.checkpoints && lost.collected) {
    const double left = std::clamp(1 - ran / *lost.work, 0.1, 1.0);  // never nothing: the estimate may be low
    work = *work * left;
  }
  if (!work) request.lease = std::max(Hours(1), Hours(lost.lease_end - end) + Hours(0.5));
  return request;
}

RerentOutcome impossible(std::string words) { return {State::impossible, std::move(words), std::nullopt}; }

/// The cheapest machine of the same kind, else one on demand: `quote` searches one kind.
template <class T, class Search>
Result<std::optional<T>> of_either_kind(QuoteRequest request, const Search& search) {
  auto found = search(request);
  if (!found || *found || !request.interruptible) return found;
  request.interruptible = false;
  return search(request);
}

/// A quote for another machine, on record before anything is rented; or why there is none.
Result<RerentOutcome> quote_other(const Deps& d, const Rental& lost, std::size_t tried,
                                  const std::string& why, const Caller& caller, std::string& quote_id) {
  auto plan = plan_rerent(d, lost);
  if (!plan) return fail(std::move(plan).error());
  if (!plan->against.empty()) return impossible(plan->against);
  if (tried >= kMostQuotes)
    return impossible(text(kMostQuotes, " quotes for another machine came to nothing"));
  auto request = request_for(d, lost, plan->room);
  if (!request) return fail(std::move(request).error());
  auto machines = machines_of_chain(d, lost);
  if (!machines) return fail(std::move(machines).error());
  caller.progress(0, "looking for another machine for up to " + money(plan->room));
  auto quote = of_either_kind<Quote>(
      *request, [&](const QuoteRequest& r) { return quote_another(d, r, *machines, caller.stop); });
  if (!quote) return fail(std::move(quote).error());
  if (!*quote)
    return impossible("no other machine fits the " + money(plan->room) + " that its envelope has left");
  auto noted = d.ledger.add_event({d.clock.now(),
                                   kRerentEvent,
                                   lost.label,
                                   {{"quote_id", (*quote)->id},
                                    {"envelope", lost.envelope},
                                    {"worst_case_usd", (*quote)->worst_case},
                                    {"why", why}}});
  if (!noted) return fail(std::move(noted).error());
  quote_id = (*quote)->id;
  return RerentOutcome{State::renting, "quoted", std::nullopt};
}

/// Quoted, and rented or going on being rented. What was begun before is gone on with: the same quote never
/// rents twice, and its stand-ins come before a new quote.
Result<RerentOutcome> rent_other(const Deps& d, const Rental& lost, const std::string& why,
                                 const Caller& caller) {
  auto budget = project_budget(lost.project);
  if (!budget) return fail(std::move(budget).error());
  auto events = d.ledger.events(lost.label);
  if (!events) return fail(std::move(events).error());
  auto begun = replacement_of(d, lost.label);
  if (!begun) return fail(std::move(begun).error());
  if (*begun) {
    auto unwanted = was_asked_for(d, **begun);
    if (!unwanted) return fail(std::move(unwanted).error());
    if (*unwanted) return impossible("the machine in its place was ended by destroy");
  }
  const auto tries = of_kind(*events, kRerentEvent);
  std::string quote_id;
  if (!tries.empty()) quote_id = read_field<std::string>(tries.back().detail, "quote_id").value_or("");
  for (bool fresh = false;; fresh = true) {
    if (quote_id.empty()) {
      auto quoted = quote_other(d, lost, tries.size(), why, caller, quote_id);
      if (!quoted || quoted->state == State::impossible) return quoted;
      fresh = true;
    }
    LaunchRequest request{quote_id, *budget, std::nullopt, lost.envelope, lost.label};
    auto launched = launch(d, request, caller);
    if (launched) {
      RerentOutcome out{State::renting, launched->doing, launched->rental};
      if (launched->state == LaunchOutcome::State::ready) out.state = State::preparing;
      return out;
    }
    const Error e = std::move(launched).error();
    if (e.effect != Effect::none) return fail(Error(e).during("renting another machine"));
    auto quote = d.ledger.quote(quote_id);
    if (!quote) return fail(std::move(quote).error());
    const bool used_up = e.code == Code::not_found || !*quote || (*quote)->expires < d.clock.now();
    if (fresh || e.code == Code::over_budget || !used_up) {
      if (e.code == Code::over_budget || e.code == Code::not_found) return impossible(e.what);
      return fail(Error(e).during("renting another machine"));
    }
    quote_id.clear();  // an earlier quote came to nothing: every machine of it, or its time
  }
}

/// Paths that came home by the last receipt of the chain, as patterns that match just them, by the folder
/// below results/ where they are: "" or the own one of a rental whose names were taken.
Result<std::map<std::string, std::vector<std::string>>> came_home(const Deps& d, const Rental& lost) {
  std::map<std::string, std::vector<std::string>> patterns;
  std::map<std::string, KnownFile> files;
  std::string label = lost.label;
  for (int back = 0; back < kMostEnvelopeRentals && files.empty() && !label.empty(); ++back) {
    auto receipt = d.ledger.last_receipt(label);
    if (!receipt) return fail(std::move(receipt).error());
    if (*receipt) files = known_files(**receipt, std::string(kRemoteProject) + "/results");
    auto rental = d.ledger.rental_by_label(label);
    if (!rental) return fail(std::move(rental).error());
    label = *rental ? (*rental)->replaces : "";
  }
  for (const auto& [path, known] : files) {
    const bool apart = known.home.ends_with("/" + path);
    auto& list = patterns[apart ? known.home.substr(0, known.home.size() - path.size()) : ""];
    if (files.size() > kMostPatterns) {
      list = {"*"};
      continue;
    }
    std::string pattern = "/";
    for (const char c : path) {
      if (c == '*' || c == '?' || c == '[' || c == '\\') pattern += '\\';
      pattern += c;
    }
    list.push_back(pattern);
  }
  return patterns;
}

/// What came home travels to the new machine, once, and never over what is written there later.
Result<void> send_back(const Deps& d, const Rental& lost, const Rental& fresh, Shell& shell,
                       const Caller& caller) {
  auto events = d.ledger.events(fresh.label);
  if (!events) return fail(std::move(events).error());
  if (!of_kind(*events, kSentBackEvent).empty()) return {};
  auto home_paths = came_home(d, lost);
  if (!home_paths) return fail(std::move(home_paths).error());
  std::size_t files = 0;
  for (auto& [folder, patterns] : *home_paths) {
    SyncRules rules;
    rules.include = std::move(patterns);
    rules.max_file = rules.max_total = 2'000'000'000'000;  // the disk is the limit, and checkpoints are large
    std::error_code ignored;
    const auto home = home_folders(lost).results / folder;
    if (!std::filesystem::is_directory(home, ignored)) continue;
    std::size_t sent_here = 0;
    SyncRules first = rules;  // a pattern of the first turn is a file of the receipt that looks like weights
    first.include.clear();
    const Globs weights(kCheckpoints);
    for (const std::string& path : rules.include)
      if (weights.matches_file(std::string_view(path).substr(1))) first.include.push_back(path);
    for (const SyncRules* turn : {&first, &rules}) {
      if (turn->include.empty()) continue;
      auto sent =
          shell.sync_up(home, std::string(kRemoteProject) + "/results", *turn, caller.progress, caller.stop);
      if (!sent) return fail(std::move(sent).error().during("sending results back to the machine"));
      sent_here = sent->files;
      if (!sent->stayed.named.empty())
        log_fact("sent-back label=", fresh.label, " left-out=", sent->stayed.named.size());
    }
    files += sent_here;
  }
  return d.ledger.add_event(
      {d.clock.now(), kSentBackEvent, fresh.label, {{"files", files}, {"of", lost.label}}});
}

/// The experiments that had not ended, under their names, with their commands. `left_behind`: why some were
/// not started.
Result<std::vector<std::string>> start_again(const Deps& d, const Rental& lost, const Rental& fresh,
                                             std::vector<std::string>& left_behind, const Caller& caller) {
  auto jobs = d.ledger.jobs(lost.label);
  if (!jobs) return fail(std::move(jobs).error());
  auto there = d.ledger.jobs(fresh.label);
  if (!there) return fail(std::move(there).error());
  std::vector<std::string> names;
  for (Job& job : *jobs) {
    if (has_ended(job.state)) continue;
    const auto started = std::ranges::find(*there, job.experiment, &Job::experiment);
    if (started == there->end() || started->state == JobState::starting) {
      auto request = elsewhere(job, fresh);
      if (!request) {
        left_behind.push_back(request.error().what);
        continue;
      }
      auto again = start_job(d, fresh, *request, caller);
      if (!again) return fail(std::move(again).error().during("starting " + job.experiment + " again"));
    }
    names.push_back(job.experiment);
    if (job.state == JobState::lost) continue;
    job.state = JobState::lost;
    job.ended = d.clock.now();
    if (auto noted = d.ledger.put_job(job); !noted) return fail(std::move(noted).error());
  }
  if (!names.empty()) {
    const InstanceFile file(fresh.project, d.settings.state_folder / "locks");
    if (auto noted = file.set_experiment(*fresh.instance, names.front()); !noted)
      log_fact("instance-file ", noted.error().what);
  }
  return names;
}

/// From a machine that answers to work that runs.
Result<RerentOutcome> prepare(const Deps& d, const Rental& lost, Rental fresh, const Caller& caller) {
  const auto lock = lock_rental(d, fresh.label, caller);
  if (!lock) return fail(lock.error());
  if (auto read = refresh(d, fresh); !read) return fail(std::move(read).error());
  if (fresh.status != Status::ready)
    return RerentOutcome{State::preparing, std::string("the other machine is ") + to_string(fresh.status),
                         fresh};
  if (!fresh.setup_done) {
    auto request = noted_upload(d, lost.label);
    if (!request) return fail(std::move(request).error());
    auto done = set_up(d, fresh, *request, caller);
    if (!done) return fail(std::move(done).error().during("setting up the other machine"));
    if (done->state == SetupOutcome::State::failed)
      return RerentOutcome{
          State::preparing,
          "installing " + done->packages + " failed on the other machine: " + clean_line(done->log_tail, 200),
          fresh};
    if (done->state != SetupOutcome::State::ready)
      return RerentOutcome{State::preparing,
                           done->state == SetupOutcome::State::sending ? "sending " + done->size
                                                                       : "installing " + done->packages,
                           fresh};
  }
  auto shell = reach(d, fresh, caller.stop);
  if (!shell) return fail(std::move(shell).error());
  if (auto sent = send_back(d, lost, fresh, **shell, caller); !sent) return fail(std::move(sent).error());
  std::vector<std::string> left_behind;
  auto names = start_again(d, lost, fresh, left_behind, caller);
  if (!names) return fail(std::move(names).error());
  auto noted = d.ledger.add_event(
      {d.clock.now(), kTakenOverEvent, lost.label, {{"by", fresh.label}, {"experiments", *names}}});
  if (!noted) return fail(std::move(noted).error());
  return RerentOutcome{State::running,
                       (names->empty() ? std::string("nothing was left to run; ")
                                       : "experiment " + join(*names, ", ") + " runs again on ") +
                           "instance " + to_string(*fresh.instance) + ", a " + fresh.gpu_name + " at " +
                           money(fresh.price) + (left_behind.empty() ? "" : "; " + join(left_behind, "; ")),
                       fresh};
}

}  // namespace

Result<std::optional<Rental>> replacement_of(const Deps& d, const std::string& label) {
  return d.ledger.rentals(false).map([&](const std::vector<Rental>& all) -> std::optional<Rental> {
    for (const Rental& r : all)  // newest first
      if (r.replaces == label && r.status != Status::refused) return r;
    return std::nullopt;
  });
}

Result<RerentPlan> plan_rerent(const Deps& d, const Rental& lost) {
  RerentPlan plan;
  plan.envelope = lost.envelope;
  if (lost.envelope.empty()) {
    plan.against = "no envelope was approved, so another machine needs the user's yes";
    return plan;
  }
  auto room = room_of(d, lost.envelope);
  if (!room) return fail(std::move(room).error());
  plan.against = room->spent;
  plan.room = room->usd;
  return plan;
}

Result<std::optional<OtherMachine>> look_elsewhere(const Deps& d, const Rental& lost, const RerentPlan& plan,
                                                   std::stop_token stop) {
  if (!plan.against.empty()) return std::nullopt;
  auto request = request_for(d, lost, plan.room);
  if (!request) return fail(std::move(request).error());
  auto machines = machines_of_chain(d, lost);
  if (!machines) return fail(std::move(machines).error());
  auto found = of_either_kind<Candidate>(
      *request, [&](const QuoteRequest& r) { return find_another(d, r, *machines, stop); });
  if (!found) return fail(std::move(found).error());
  if (!*found) return std::nullopt;
  return OtherMachine{(*found)->offer.price, (*found)->worst.total, (*found)->start + kSetupTakes};
}

Result<RerentOutcome> rerent(const Deps& d, const Rental& lost, const std::string& why,
                             const Caller& caller) {
  if (!lost.ready || lost.adopted)
    return fail({.code = Code::wrong_state,
                 .what = "rental " + lost.label + " never became ready, so no work was lost with it",
                 .next_step = "call rent again with quote_id " + lost.quote_id});
  const auto lock = lock_rental(d, "rerent-" + lost.label, caller);
  if (!lock) return fail(lock.error());
  auto fresh = replacement_of(d, lost.label);
  if (!fresh) return fail(std::move(fresh).error());
  auto events = d.ledger.events(lost.label);
  if (!events) return fail(std::move(events).error());
  if (const auto done = of_kind(*events, kTakenOverEvent); *fresh && !done.empty())
    if (read_field<std::string>(done.back().detail, "by") ==
        (*fresh)->label)  // what it lost later is its own story
      return RerentOutcome{State::running, "its work went on on instance " + to_string(*(*fresh)->instance),
                           **fresh};
  const bool begun = *fresh && (*fresh)->ready;
  if (begun && !may_bill((*fresh)->status))
    return RerentOutcome{State::impossible, "the machine in its place is over, too", **fresh};
  auto asked_for = was_asked_for(d, lost);
  if (!asked_for) return fail(std::move(asked_for).error());
  if (*asked_for && !*fresh)
    return fail({.code = Code::wrong_state,
                 .what = "rental " + lost.label + " was ended by destroy: nothing is rented in its place",
                 .next_step = "call provision for a fresh quote"});
  if (!begun || (*fresh)->status == Status::booting) {
    auto rented = rent_other(d, lost, why, caller);
    if (!rented || rented->state != State::preparing) return rented;
    fresh = rented->rental;
  }
  return prepare(d, lost, **fresh, caller);
}

}  // namespace vastgpu
