#include "fleet/launch.h"

#include "core/bound.h"
#include "core/log.h"
#include "core/text.h"
#include "fleet/boot.h"
#include "fleet/gone.h"
#include "fleet/guard.h"
#include "fleet/lifecycle.h"
#include "fleet/pricing.h"
#include "fleet/reach.h"
#include "fleet/reconcile.h"
#include "fleet/record.h"
#include "fleet/renew.h"

namespace vastgpu {
namespace {

using State = LaunchOutcome::State;

// The attempts of one quote: itself, then its stand-ins as "q-1a2b.2", "q-1a2b.3".
std::string attempt_id(const std::string& quote_id, int attempt) {
  return attempt == 1 ? quote_id : quote_id + "." + std::to_string(attempt);
}

// An attempt's own id leads to its quote: there is one lock and one row of stand-ins for all of them.
std::string first_id(const std::string& quote_id) { return quote_id.substr(0, quote_id.find('.')); }

struct Attempt {
  Quote quote;  ///< priced for this attempt's machine
  int number = 1;
  std::optional<Rental> rental;  ///< when it was begun already
};

std::vector<json> stand_ins(const Quote& quote) {
  const auto facts = parse_json(quote.facts, "quote facts");
  if (!facts || !facts->contains("alternates") || !(*facts)["alternates"].is_array()) return {};
  return (*facts)["alternates"].get<std::vector<json>>();
}

/// The quote of attempt n, made from the first quote's n-1st stand-in and stored.
Result<std::optional<Quote>> next_quote(const Deps& d, const Quote& first, int attempt) {
  const auto others = stand_ins(first);
  const auto index = static_cast<std::size_t>(attempt - 2);
  if (index >= others.size()) return std::nullopt;
  auto stored_before = d.ledger.quote(attempt_id(first.id, attempt));  // a call that ended early has made it
  if (!stored_before) return fail(std::move(stored_before).error());
  if (*stored_before) return **std::move(stored_before);
  const json& other = others[index];
  Quote q = first;  // same worst case, lease, image and disk: what was approved
  q.id = attempt_id(first.id, attempt);
  q.offer = {read_integer(other, "offer_id").value_or(0)};
  q.machine = {read_integer(other, "machine_id").value_or(0)};
  q.gpu_name = read_field<std::string>(other, "gpu").value_or(first.gpu_name);
  q.gpu_ram = {read_number(other, "gpu_ram_mb").value_or(first.gpu_ram.value)};
  q.price = {read_number(other, "usd_per_hour").value_or(first.price.value)};
  q.image = read_field<std::string>(other, "image").value_or(first.image);
  if (auto stored = d.ledger.add_quote(q); !stored) return fail(std::move(stored).error());
  return q;
}

/// The newest attempt that was begun, or the first one. An attempt whose offer was gone before anything was
/// sent leaves no rental, so all of them are looked at.
Result<Attempt> current_attempt(const Deps& d, const Quote& first) {
  Attempt current{first, 1, std::nullopt};
  const int attempts = 1 + static_cast<int>(stand_ins(first).size());
  for (int n = 1; n <= attempts; ++n) {
    auto rental = d.ledger.rental_by_quote(attempt_id(first.id, n));
    if (!rental) return fail(std::move(rental).error());
    if (!*rental) continue;
    auto quote = d.ledger.quote(attempt_id(first.id, n));
    if (!quote) return fail(std::move(quote).error());
    current = {quote->value_or(first), n, **rental};
  }
  return current;
}

/// The market as quoted? One look before money moves. Offer ids are short-lived and the same box may be
/// listed under a new one, so the machine is looked up, and what is rentable now comes back.
Result<Offer> check_offer(const Deps& d, const Quote& quote, std::stop_token stop) {
  OfferQuery q;
  q.machine = quote.machine;
  q.num_gpus = quote.num_gpus;
  q.disk = quote.disk;
  q.kind = quote.interruptible ? RentalKind::interruptible : RentalKind::on_demand;
  q.min_reliability = 0;
  q.min_inet_down = {0};
  q.direct_ssh = false;
  q.verified_only = false;
  auto found = d.market.search(q, std::move(stop));
  if (!found) return fail(std::move(found).error().during("looking at offer " + to_string(quote.offer)));
  std::optional<Offer> best;
  for (const Offer& o : *found) {
    if (o.machine != quote.machine || o.num_gpus != quote.num_gpus || o.gpu_name != quote.gpu_name) continue;
    if (!best || o.id == quote.offer || (best->id != quote.offer && o.price < best->price)) best = o;
  }
  if (!best)
    return fail({.code = Code::not_found,
                 .what = "offer " + to_string(quote.offer) + " is no longer rentable",
                 .next_step = "call provision for fresh quotes"});
  if (best->max_duration && *best->max_duration < quote.lease)
    return fail({.code = Code::wrong_state,
                 .what = "the host takes machine " + to_string(quote.machine) + " away in " +
                         hours(Hours(*best->max_duration)) + ", before the lease of " + hours(quote.lease) +
                         " ends",
                 .next_step = "call provision for fresh quotes"});
  if (quote.interruptible)  // the disk comes on top of what has to be bid
    best->price = std::max(best->price, bid_floor(*best) + disk_price(*best));
  if (best->price.value <= quote.price.value * 1.01 + 1e-9) return *best;
  return fail({.code = Code::wrong_state,
               .what = "the price rose from " + money(quote.price) + " to " + money(best->price),
               .next_step = "call provision for fresh quotes"});
}

Result<void> check_money(const Deps& d, const Quote& quote, const LaunchRequest& request,
                         std::stop_token stop) {
  if (request.max_usd && quote.worst_case > *request.max_usd)
    return fail({.code = Code::over_budget,
                 .what = "this rental can cost up to " + at_most(quote.worst_case) +
                         ", the limit of this call is " + money(*request.max_usd),
                 .next_step = "raise max_usd, or pick a cheaper quote"});
  if (request.approved && quote.worst_case > *request.approved)
    return fail({.code = Code::over_budget,
                 .what = "this rental can cost up to " + at_most(quote.worst_case) +
                         ", the user said yes to " + money(*request.approved),
                 .next_step = "ask the user again, with the new number"});
  auto account = d.market.account(std::move(stop));
  if (!account) return fail(std::move(account).error().during("reading the account's credit"));
  if (auto ours = d.ledger.pin_account(account->id); !ours)
    return ours;  // a key may come to mean another one
  // At zero credit the marketplace stops everything and deletes it later: work would be lost.
  if (account->credit < quote.worst_case)
    return fail({.code = Code::over_budget,
                 .what = "the account has " + money(account->credit) +
                         " of credit, the rental can cost up to " + at_most(quote.worst_case) +
                         " (estimated " + money(quote.estimate) + ")",
                 .next_step = "add credit on the marketplace's billing page, or pick a cheaper quote"});
  return {};
}

/// Machines must accept our key from the start: keys are copied at creation. A team account cannot hold one;
/// then the key attached to the instance has to do.
void register_key(const Deps& d, const std::string& public_key, std::stop_token stop) {
  auto keys = d.market.account_keys(stop);
  const auto same = [&](const SshKey& k) {
    const auto a = split(std::string(trim(k.public_key)), ' '), b = split(std::string(trim(public_key)), ' ');
    return a.size() > 1 && b.size() > 1 && a[1] == b[1];  // the comment does not count
  };
  if (keys && std::ranges::any_of(*keys, same)) return;
  if (auto added = d.market.add_account_key(public_key, std::move(stop)); !added)
    log_fact("account-key ", added.error().what);
}

Rental rental_for(const Deps& d, const Attempt& attempt, const std::optional<TimePoint>& lease_end) {
  const Quote& q = attempt.quote;
  Rental r;
  r.label = new_label(q.project);
  r.quote_id = q.id;
  r.project = q.project;
  r.offer = q.offer;
  r.machine = q.machine;
  r.gpu_name = q.gpu_name;
  r.num_gpus = q.num_gpus;
  r.price = q.price;
  r.interruptible = q.interruptible;
  r.image = q.image;
  r.disk = q.disk;
  r.work = q.work;
  r.estimate = q.estimate;
  r.worst_case = q.worst_case;
  r.at_end = d.settings.account->at_lease_end;
  r.created = d.clock.now();
  r.log_mark = random_hex(8);
  r.lease_end = lease_end.value_or(r.created + std::chrono::duration_cast<Duration>(q.lease));
  return r;
}

/// What its lease may be renewed up to; the call's own limit holds for renewals, too.
/// @error as Ledger
Result<Usd> renew_to_of(const Deps& d, const Rental& rental, const LaunchRequest& request) {
  std::optional<SpendingEnvelope> envelope;
  if (!rental.envelope.empty()) {
    auto found = d.ledger.envelope(rental.envelope);
    if (!found) return fail(std::move(found).error());
    envelope = *std::move(found);
  }
  Usd most =
      renewable_to(rental.worst_case, d.settings.account, read_project_settings(rental.project), envelope);
  for (const auto& limit : {request.max_usd, request.approved})
    if (limit) most = std::max(rental.worst_case, std::min(most, *limit));
  return most;
}

/// What the live list shows of it, should this ledger be lost.
std::vector<std::pair<std::string, std::string>> rental_env(const Rental& r, const std::string& owner) {
  const auto end = std::chrono::floor<std::chrono::seconds>(r.lease_end).time_since_epoch().count();
  return {{"VG_LEASE_END", std::to_string(end)},
          {"VG_WORST_USD", fixed(r.worst_case.value, 4)},
          {"VG_AT_END", to_string(r.at_end)},
          {"VG_OWNER", owner}};
}

/// Intent, create, contract id. On success the rental is `booting`. An error of effect none left it
/// `refused`; of effect unknown it stays `renting` and reconcile settles it.
Result<void> create(const Deps& d, Rental& rental, const LaunchRequest& request, std::stop_token stop) {
  const IntentLimits limits =
      limits_for(d.settings.account->limits, d.settings.settings_file, request.budget, request.max_usd);
  // On disk before on the wire: after a crash, the label tells which contract may be ours.
  if (auto noted = d.ledger.open_intent(rental, limits); !noted) return noted;
  if (d.on_intent) d.on_intent();
  auto event = d.ledger.add_event(
      {d.clock.now(),
       "rent",
       rental.label,
       {{"offer_id", rental.offer}, {"usd_per_hour", rental.price}, {"worst_case_usd", rental.worst_case}}});
  if (!event) return event;

  RentRequest ask;
  ask.offer = rental.offer;
  ask.image = rental.image;
  ask.disk = rental.disk;
  ask.label = rental.label;
  ask.onstart =
      onstart_script({d.settings.api_url, rental.lease_end, d.clock.now(), rental.at_end, rental.log_mark});
  ask.env = rental_env(rental, d.settings.owner);
  if (rental.interruptible) ask.bid = rental.bid.value_or(rental.price);
  auto answer = d.market.rent(ask, std::move(stop));
  if (!answer) {
    Error e = std::move(answer).error();
    auto written = e.effect == Effect::none ? advance(d, rental, Event::rent_refused,
                                                      [&](Rental& now) {
                                                        now.note = e.what;
                                                        now.ended = d.clock.now();
                                                      })
                                            : amend(d, rental, [&](Rental& now) { now.note = e.what; });
    if (!written && written.error().code != Code::wrong_state) return written;
    return fail(std::move(e).during("renting offer " + to_string(rental.offer)));
  }
  log_fact("rented label=", rental.label, " instance=", answer->contract.value,
           " offer=", rental.offer.value);
  auto written = advance(d, rental, Event::rent_accepted, [&](Rental& now) {
    now.instance = answer->contract;
    now.instance_key = answer->instance_key;
    now.ended.reset();
  });
  if (written || rental.instance == answer->contract)
    return {};  // reconcile of another call may have been faster
  Error e = std::move(written).error().during("noting the new contract " + to_string(answer->contract));
  e.effect = Effect::happened;
  e.next_step = "it bills: call rent with the same quote_id, its label will be found";
  return fail(std::move(e));
}

/// Whether it counts as refused only because no list showed its label, and not by the marketplace's own word.
Result<bool> was_given_up(const Deps& d, const Rental& rental) {
  if (rental.status != Status::refused) return false;
  return d.ledger.events(rental.label).map([](const std::vector<LedgerEvent>& events) {
    return std::ranges::any_of(events, [](const LedgerEvent& e) { return e.kind == "gone"; });
  });
}

/// A create without an answer: the label decides. True once the contract is known.
Result<bool> settle(const Deps& d, Rental& rental, const Caller& caller) {
  for (;;) {
    if (auto seen = reconcile(d, caller.stop); seen) {
      auto now = d.ledger.rental_by_label(rental.label);
      if (!now) return fail(std::move(now).error());
      if (*now) rental = **now;
      if (rental.instance) return true;
      if (rental.status == Status::refused) return false;
    }
    caller.progress(0, "the answer to the create was lost; looking for label " + rental.label);
    if (d.clock.now() >= caller.until || !d.clock.sleep_for(d.settings.poll_every, caller.stop)) return false;
  }
}

Error taken(const std::vector<std::string>& given_up) {
  return {.code = Code::not_found,
          .what = "no machine of this quote could be rented: " + join(given_up, "; "),
          .next_step = "call provision for fresh quotes; machines that failed will be left out"};
}

}  // namespace

Result<bool> was_begun(const Deps& d, const Quote& quote) {
  Quote first = quote;
  if (quote.id != first_id(quote.id)) {
    auto found = d.ledger.quote(first_id(quote.id));
    if (!found) return fail(std::move(found).error());
    if (!*found) return false;
    first = **std::move(found);
  }
  return current_attempt(d, first).map([](const Attempt& attempt) { return attempt.rental.has_value(); });
}

Result<LaunchOutcome> launch(const Deps& d, const LaunchRequest& asked, const Caller& caller) {
  LaunchRequest request = asked;
  auto first = d.ledger.quote(first_id(request.quote_id));
  if (!first) return fail(std::move(first).error());
  if (!*first)
    return fail({.code = Code::not_found,
                 .what = "there is no quote " + clean_line(request.quote_id, 60),
                 .next_step = "call provision and use a quote_id from its answer"});
  const auto lock = lock_rental(d, "quote-" + (*first)->id, caller);
  if (!lock) return fail(lock.error());
  auto attempt = current_attempt(d, **first);
  if (!attempt) return fail(std::move(attempt).error());

  LaunchOutcome out;
  std::optional<TimePoint> lease_end;
  if (attempt->rental) {  // a stand-in is approved as the first machine was
    // What an extension bought for a machine that failed does not reach the one in its place.
    auto begun = d.ledger.rental_by_quote((*first)->id);
    if (!begun) return fail(std::move(begun).error());
    const TimePoint from = *begun ? (*begun)->created : attempt->rental->created;
    lease_end =
        std::min(attempt->rental->lease_end, from + std::chrono::duration_cast<Duration>((*first)->lease));
    request.envelope = attempt->rental->envelope;
    request.new_envelope.reset();
    request.replaces = attempt->rental->replaces;
    // A yes is to a number, whichever machine it is spent on.
    const Usd yes = std::max(attempt->rental->worst_case, attempt->rental->renew_to);
    request.approved = std::min(request.approved.value_or(yes), yes);
  }
  std::string public_key;
  for (;;) {
    // 1. Go on with what was begun, or begin.
    if (attempt->rental &&
        (attempt->rental->status == Status::refused || attempt->rental->status == Status::destroyed)) {
      if (!attempt->rental->note.empty() || attempt->rental->status == Status::refused)
        out.given_up.push_back(attempt->quote.gpu_name + " (machine " + to_string(attempt->quote.machine) +
                               "): " + attempt->rental->note);
      if (attempt->rental->status == Status::destroyed && attempt->rental->ready)
        return fail({.code = Code::wrong_state,
                     .what = "quote " + request.quote_id + " was used: its instance " +
                             to_string(*attempt->rental->instance) + " is destroyed",
                     .next_step = "call provision for a fresh quote"});
      auto unconfirmed = was_given_up(d, *attempt->rental);
      if (!unconfirmed) return fail(std::move(unconfirmed).error());
      if (*unconfirmed)  // its contract may still appear: another machine now could make two of one quote
        return fail(
            {.code = Code::not_found,
             .what = "the marketplace never confirmed the rental with label " + attempt->rental->label +
                     ", so this quote rents nothing more",
             .next_step = "call list to see that nothing appeared, then provision for a fresh quote"});
      auto asked_for = was_asked_for(d, *attempt->rental);
      if (!asked_for) return fail(std::move(asked_for).error());
      if (*asked_for)  // nobody wants another one in its place
        return fail({.code = Code::wrong_state,
                     .what = "the rental of quote " + first_id(request.quote_id) + " was ended by destroy",
                     .next_step = "call provision for a fresh quote"});
      auto other = next_quote(d, **first, attempt->number + 1);
      if (!other) return fail(std::move(other).error());
      if (!*other) return fail(taken(out.given_up));
      attempt = Attempt{**other, attempt->number + 1, std::nullopt};
    }
    if (!attempt->rental) {
      // A stand-in goes on under the first one's lease: with less than half of it left, nobody would choose
      // it now.
      const bool too_late =
          lease_end ? *lease_end - d.clock.now() < std::chrono::duration_cast<Duration>((*first)->lease / 2)
                    : d.clock.now() > (*first)->expires;
      if (too_late)
        return fail(
            {.code = Code::wrong_state,
             .what = "quote " + (*first)->id +
                     (lease_end ? " has less than half of its lease left (" + join(out.given_up, "; ") + ")"
                                : " expired at " + to_iso8601((*first)->expires)),
             .next_step = "call provision for a fresh quote"});
      // Everything that can be known before money moves.
      if (!d.settings.account) return fail(d.settings.account.error());
      auto key = d.ssh.public_key();
      if (!key) return fail(std::move(key).error().during("before renting"));
      public_key = *key;
      auto seen = reconcile(d, caller.stop);
      if (!seen)
        return fail(std::move(seen).error().during("not renting while it is unknown what is rented already"));
      if (!seen->unsettled.empty())
        return fail(
            {.code = Code::wrong_state,
             .what = "an earlier create (label " + seen->unsettled.front().label + ") is not settled yet",
             .next_step = "wait a few minutes and call list; it will be found or given up"});
      if (auto ok = check_money(d, attempt->quote, request, caller.stop); !ok)
        return fail(std::move(ok).error());
      Rental rental = rental_for(d, *attempt, lease_end);
      rental.replaces = request.replaces;
      if (auto ok = check_offer(d, attempt->quote, caller.stop); !ok) {
        if (ok.error().code != Code::not_found && ok.error().code != Code::wrong_state)
          return fail(std::move(ok).error());
        rental.status = Status::refused;  // noted without an intent, since nothing was or will be sent for it
        rental.note = ok.error().what;
        attempt->rental = rental;
        out.given_up.push_back(ok.error().what);
        auto other = next_quote(d, **first, attempt->number + 1);
        if (!other) return fail(std::move(other).error());
        if (!*other) return fail(std::move(ok).error());
        attempt = Attempt{**other, attempt->number + 1, std::nullopt};
        continue;
      } else {
        rental.offer = ok->id;
        if (rental.interruptible) rental.bid = bid_floor(*ok);
      }
      if (request.new_envelope) {  // not earlier: one for a call that is refused would stay on record
        auto approved = approve_envelope(d, **first, *request.new_envelope);
        if (!approved) return fail(std::move(approved).error());
        request.envelope = approved->id;
        request.new_envelope.reset();
      }
      rental.envelope = request.envelope;
      auto renew_to = renew_to_of(d, rental, request);
      if (!renew_to) return fail(std::move(renew_to).error());
      rental.renew_to = *renew_to;
      register_key(d, public_key, caller.stop);
      caller.progress(0, "renting " + rental.gpu_name + " at " + money(rental.price));
      auto made = create(d, rental, request, caller.stop);
      lease_end = rental.lease_end;
      attempt->rental = rental;
      if (!made) {
        if (made.error().effect == Effect::none && made.error().code == Code::not_found)
          continue;  // next machine
        if (made.error().effect != Effect::unknown) return fail(std::move(made).error());
      } else if (auto attached = d.market.attach_key(*rental.instance, public_key, caller.stop); !attached) {
        log_fact("attach-key label=", rental.label, " ", attached.error().what);  // tried again at login
      }
    }
    Rental& rental = *attempt->rental;

    // 2. A lost answer is settled by label, never by a second create.
    if (rental.status == Status::renting) {
      auto settled = settle(d, rental, caller);
      if (!settled) return fail(std::move(settled).error());
      if (!*settled && rental.status == Status::refused) continue;
      if (!*settled) {
        out.state = State::unsettled;
        out.rental = rental;
        out.doing = "the marketplace did not say whether it rented; looking for label " + rental.label;
        return out;
      }
    }
    if (rental.status == Status::ready || rental.status == Status::stopped) {
      out.state = rental.status == Status::ready ? State::ready : State::booting;
      out.rental = rental;
      out.doing = to_string(rental.status);
      // The call that made it ready may have ended before it wrote the instance file.
      if (out.state == State::ready) out.warning = publish(d, rental, "running");
      return out;
    }

    // 3. Boot. We rented it, so we end it when it fails: nobody else knows that this machine exists.
    if (rental.status == Status::booting) {
      auto booted = wait_ready(d, rental, caller);
      if (!booted) return fail(std::move(booted).error());
      if (booted->state == BootOutcome::State::overtaken) {
        if (rental.status != Status::destroying) continue;
        out.rental = rental;  // not ours to finish: whoever asked for the end reads it back
        out.doing = "its end was asked for";
        return out;
      }
      if (booted->state != BootOutcome::State::failed) {
        out.state = booted->state == BootOutcome::State::ready ? State::ready : State::booting;
        out.rental = rental;
        out.doing = booted->reason;
        out.warning = booted->warning;
        return out;
      }
      if (auto noted = amend(d, rental, [&](Rental& now) { now.note = booted->reason; }); !noted)
        return fail(std::move(noted).error());
      if (booted->machine_is_bad)
        if (auto noted = d.ledger.add_machine_failure({rental.machine, d.clock.now(), booted->reason});
            !noted)
          log_fact("machine-failure ", noted.error().what);
      caller.progress(0.99, "giving up on machine " + to_string(rental.machine) + ": " + booted->reason);
      auto gone = make_gone(d, rental, booted->reason, caller);
      if (!gone) {
        Error e = std::move(gone).error();
        e.effect = Effect::happened;
        e.next_step = "it may still bill: call destroy with instance_id " + to_string(*rental.instance) +
                      " and discard_results true";
        return fail(std::move(e).during("giving up on a machine (" + booted->reason + ")"));
      }
      if (!*gone) {
        out.state = State::booting;
        out.rental = rental;
        out.doing = "waiting until the failed machine is confirmed gone: " + booted->reason;
        return out;
      }
      if (!booted->try_another)
        return fail({.code = Code::invalid_argument,
                     .what = booted->reason + " (image " + rental.image + "); the machine was destroyed",
                     .next_step = "correct the image in CLAUDE.md or pass image to provision"});
      continue;
    }
    if (rental.status == Status::destroying) {  // an earlier call gave up on it
      auto gone = make_gone(d, rental, rental.note.empty() ? "destroy asked for" : rental.note, caller);
      if (!gone) return fail(std::move(gone).error());
      if (!*gone) {
        out.rental = rental;
        out.doing = "waiting until the failed machine is confirmed gone";
        return out;
      }
    }
  }
}

}  // namespace vastgpu
