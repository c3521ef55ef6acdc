#include "state/sqlite_ledger.h"

#include <cmath>

#include "core/text.h"
#include "state/ledger_open.h"
#include "state/ledger_rows.h"
#include "state/spending.h"

namespace vastgpu {
namespace {

constexpr const char* kMayBill = "status NOT IN ('destroyed', 'refused')";

bool may_still_bill(Status s) { return s != Status::destroyed && s != Status::refused; }

Error no_rental(const std::string& label) {
  return {.code = Code::not_found,
          .what = "the ledger has no rental " + label,
          .next_step = "call list to see what there is"};
}

Result<void> check_amount(Usd worst_case) {
  if (std::isfinite(worst_case.value) && worst_case.value >= 0) return {};
  return fail({.code = Code::invalid_argument,
               .what = text("a worst case of ", worst_case.value, " dollars cannot be charged to a budget"),
               .next_step = "report this"});
}

Result<void> store(Database& db, const Rental& rental) {
  std::string sets;
  const auto kept = [](std::string_view name) { return name == "lease_end" || name == "worst_case"; };
  rows::each_field(rental, [&](const char* name, const auto&) {
    if (kept(name)) return;
    const bool is_instance = std::string_view(name) == "instance";
    sets += text(sets.empty() ? "" : ", ", name, " = ", is_instance ? "coalesce(?, instance)" : "?");
  });
  auto statement = db.prepare("UPDATE rentals SET " + sets + " WHERE label = ?");
  if (!statement) return fail(std::move(statement).error());
  rows::each_field(rental, [&](const char* name, const auto& field) {
    if (!kept(name)) rows::put(*statement, field);
  });
  statement->bind(rental.label);
  if (auto done = statement->run(); !done) return done;
  if (db.changes() == 0) return fail(no_rental(rental.label));
  return {};
}

/// A broken reference can only be the label.
Result<void> about_rental(Result<void> done, const std::string& label) {
  if (!done && done.error().code == Code::not_found) return fail(no_rental(label));
  return done;
}

}  // namespace

Result<std::unique_ptr<SqliteLedger>> SqliteLedger::open(const std::filesystem::path& path,
                                                         std::string actor) {
  return open_ledger_database(path).map([&](Database db) {
    return std::unique_ptr<SqliteLedger>(new SqliteLedger(std::move(db), std::move(actor)));
  });
}

Result<void> SqliteLedger::check() {
  const std::scoped_lock hold(mutex_);
  auto found = db_.ask("PRAGMA quick_check(1)");
  if (!found) return fail(std::move(found).error());
  if (*found == "ok") return {};
  return fail(
      {.code = Code::corrupt, .what = clean_line(*found, 300), .next_step = "keep a copy of the ledger"});
}

Result<void> SqliteLedger::add_quote(const Quote& quote) {
  const std::scoped_lock hold(mutex_);
  return rows::insert(db_, "quotes", quote);
}

Result<std::optional<Quote>> SqliteLedger::quote(const std::string& id) {
  const std::scoped_lock hold(mutex_);
  return rows::select_one<Quote>(db_, "quotes WHERE id = ?", id);
}

Result<std::vector<Quote>> SqliteLedger::quotes(const std::string& project, int limit) {
  const std::scoped_lock hold(mutex_);
  return rows::select<Quote>(db_, "quotes WHERE project = ? ORDER BY created DESC, n DESC LIMIT ?", project,
                             std::max(limit, 0));
}

Result<void> SqliteLedger::open_intent(const Rental& rental, const IntentLimits& limits) {
  if (auto sound = check_amount(rental.worst_case); !sound) return sound;
  const std::scoped_lock hold(mutex_);
  auto change = Transaction::begin(db_);
  if (!change) return fail(std::move(change).error());
  auto user = rows::select_one<Rental>(
      db_, "rentals WHERE quote_id = ? AND quote_id <> '' AND status <> 'refused'", rental.quote_id);
  if (!user) return fail(std::move(user).error());
  if (*user)
    return fail({.code = Code::wrong_state,
                 .what = text("quote ", rental.quote_id, " was already used by rental ", (*user)->label,
                              ", which is ", to_string((*user)->status)),
                 .next_step = "call list to see that rental, or provision for a new quote"});
  Spending wanted{rental.project, rental.label, rental.worst_case, rental.worst_case, rental.created};
  wanted.envelope = rental.envelope, wanted.quote_id = rental.quote_id;
  if (auto fits = check_limits(db_, wanted, limits); !fits) return fits;
  auto noted = rows::insert(db_, "rentals", rental);
  if (!noted && noted.error().code == Code::wrong_state)
    return fail({.code = Code::wrong_state,
                 .what = "the label " + rental.label + " is already taken",
                 .next_step = "choose a new label"});
  if (!noted) return noted;
  return change->commit();
}

Result<void> SqliteLedger::update_rental(const Rental& rental) {
  const std::scoped_lock hold(mutex_);
  return store(db_, rental);
}

Result<Rental> SqliteLedger::change_rental(const std::string& label,
                                           const std::function<Result<void>(Rental&)>& change,
                                           const std::optional<LedgerEvent>& event) {
  const std::scoped_lock hold(mutex_);
  auto transaction = Transaction::begin(db_);
  if (!transaction) return fail(std::move(transaction).error());
  auto rental = rows::select_one<Rental>(db_, "rentals WHERE label = ?", label);
  if (!rental) return fail(std::move(rental).error());
  if (!*rental) return fail(no_rental(label));
  if (auto changed = change(**rental); !changed) return fail(std::move(changed).error());
  (*rental)->label = label;  // the key is not a field to change
  if (auto stored = store(db_, **rental); !stored) return fail(std::move(stored).error());
  if (event)
    if (auto noted = rows::insert(db_, "events", signed_by_us(*event)); !noted)
      return fail(std::move(noted).error());
  auto now = rows::select_one<Rental>(db_, "rentals WHERE label = ?", label);
  if (!now) return fail(std::move(now).error());
  return transaction->commit().map([&] { return **std::move(now); });
}

Result<std::optional<Rental>> SqliteLedger::rental_by_label(const std::string& label) {
  const std::scoped_lock hold(mutex_);
  return rows::select_one<Rental>(db_, "rentals WHERE label = ?", label);
}

Result<std::optional<Rental>> SqliteLedger::rental_by_instance(InstanceId id) {
  const std::scoped_lock hold(mutex_);
  return rows::select_one<Rental>(db_, "rentals WHERE instance = ? ORDER BY created DESC, n DESC", id);
}

Result<std::optional<Rental>> SqliteLedger::rental_by_quote(const std::string& quote_id) {
  const std::scoped_lock hold(mutex_);
  return rows::select_one<Rental>(db_, "rentals WHERE quote_id = ? ORDER BY created DESC, n DESC", quote_id);
}

Result<std::vector<Rental>> SqliteLedger::rentals(bool open_only) {
  const std::scoped_lock hold(mutex_);
  return rows::select<Rental>(
      db_, text("rentals", open_only ? text(" WHERE ", kMayBill) : "", " ORDER BY created DESC, n DESC"));
}

Result<void> SqliteLedger::extend_lease(const std::string& label, TimePoint new_end, Usd new_worst_case,
                                        TimePoint now, const IntentLimits& limits) {
  if (auto sound = check_amount(new_worst_case); !sound) return sound;
  const std::scoped_lock hold(mutex_);
  auto change = Transaction::begin(db_);
  if (!change) return fail(std::move(change).error());
  auto found = rows::select_one<Rental>(db_, "rentals WHERE label = ?", label);
  if (!found) return fail(std::move(found).error());
  if (!*found) return fail(no_rental(label));
  const Rental& rental = **found;
  if (!may_still_bill(rental.status))
    return fail(
        {.code = Code::wrong_state,
         .what = text("rental ", label, " is ", to_string(rental.status), ": its lease cannot be extended"),
         .next_step = "call provision for a new machine"});
  if (new_end < rental.lease_end || new_worst_case < rental.worst_case)
    return fail({.code = Code::wrong_state,
                 .what = text("the lease of ", label, " already runs until ", to_iso8601(rental.lease_end),
                              " for up to ", money(rental.worst_case), "; somebody else extended it"),
                 .next_step = "read the rental again and decide anew"});
  const Usd added = new_worst_case - rental.worst_case;
  const bool of_today = rental.created >= day_of(now);
  Spending wanted{rental.project, label, new_worst_case, of_today ? new_worst_case : added, now, false};
  wanted.envelope = rental.envelope, wanted.quote_id = rental.quote_id;
  if (auto fits = check_limits(db_, wanted, limits); !fits) return fits;
  if (auto noted =
          rows::run(db_, "INSERT INTO extensions (label, at, added) VALUES (?, ?, ?)", label, now, added);
      !noted)
    return noted;
  if (auto moved = rows::run(db_, "UPDATE rentals SET lease_end = ?, worst_case = ? WHERE label = ?", new_end,
                             new_worst_case, label);
      !moved)
    return moved;
  return change->commit();
}

Result<void> SqliteLedger::shorten_lease(const std::string& label, TimePoint new_end) {
  const std::scoped_lock hold(mutex_);
  if (auto moved =
          rows::run(db_, "UPDATE rentals SET lease_end = min(lease_end, ?) WHERE label = ?", new_end, label);
      !moved)
    return moved;
  return db_.changes() == 0 ? Result<void>(fail(no_rental(label))) : Result<void>();
}

Result<void> SqliteLedger::add_envelope(const SpendingEnvelope& envelope) {
  if (auto sound = check_amount(envelope.max_usd); !sound) return sound;
  const std::scoped_lock hold(mutex_);
  return rows::insert(db_, "envelopes", envelope);
}

Result<std::optional<SpendingEnvelope>> SqliteLedger::envelope(const std::string& id) {
  const std::scoped_lock hold(mutex_);
  return rows::select_one<SpendingEnvelope>(db_, "envelopes WHERE id = ?", id);
}

Result<std::vector<SpendingEnvelope>> SqliteLedger::open_envelopes(const std::string& project,
                                                                   TimePoint now) {
  const std::scoped_lock hold(mutex_);
  return rows::select<SpendingEnvelope>(
      db_, "envelopes WHERE project = ? AND until > ? ORDER BY created DESC, n DESC", project, now);
}

Result<EnvelopeUse> SqliteLedger::envelope_use(const std::string& id) {
  const std::scoped_lock hold(mutex_);
  return taken_from_envelope(db_, id, "", "");
}

Result<void> SqliteLedger::note_layer(const LayerReport& report) {
  const std::scoped_lock hold(mutex_);
  return rows::insert(db_, "layers", report,
                      "ON CONFLICT (label, layer) DO UPDATE SET at = excluded.at, detail = excluded.detail");
}

Result<std::vector<LayerReport>> SqliteLedger::layers(const std::string& label) {
  const std::scoped_lock hold(mutex_);
  return rows::select<LayerReport>(db_, "layers WHERE label = ? ORDER BY layer", label);
}

Result<void> SqliteLedger::put_charges(const std::string& label, const std::vector<ChargeRecord>& charges) {
  const std::scoped_lock hold(mutex_);
  auto change = Transaction::begin(db_);
  if (!change) return fail(std::move(change).error());
  if (auto old = rows::run(db_, "DELETE FROM charges WHERE label = ?", label); !old) return old;
  for (const ChargeRecord& charge : charges)
    if (auto noted = about_rental(rows::insert(db_, "charges", charge), label); !noted) return noted;
  return change->commit();
}

Result<std::vector<ChargeRecord>> SqliteLedger::charges(const std::string& label) {
  const std::scoped_lock hold(mutex_);
  return rows::select<ChargeRecord>(db_, "charges WHERE label = ? ORDER BY type", label);
}

Result<void> SqliteLedger::add_machine_boot(const MachineBoot& boot) {
  const std::scoped_lock hold(mutex_);
  return rows::insert(db_, "machine_boots", boot);
}

Result<std::vector<MachineBoot>> SqliteLedger::machine_boots(MachineId machine) {
  const std::scoped_lock hold(mutex_);
  return rows::select<MachineBoot>(db_, "machine_boots WHERE machine = ? ORDER BY at, n", machine);
}

Result<void> SqliteLedger::pin_account(AccountId account) {
  const std::scoped_lock hold(mutex_);
  if (auto noted =
          rows::run(db_, "INSERT INTO pinned (name, value) VALUES ('account', ?) ON CONFLICT DO NOTHING",
                    to_string(account));
      !noted)
    return noted;
  auto pinned = db_.ask("SELECT value FROM pinned WHERE name = 'account'");
  if (!pinned) return fail(std::move(pinned).error());
  if (*pinned == to_string(account)) return {};
  return fail({.code = Code::wrong_state,
               .what = "the API key now belongs to account " + to_string(account) +
                       ", this ledger is of account " + *pinned,
               .next_step = "use the key of account " + *pinned +
                            " again, or take accounts.json out of the state folder so that the other "
                            "account gets a ledger of its own"});
}

Result<void> SqliteLedger::put_job(const Job& job) {
  const std::scoped_lock hold(mutex_);
  return about_rental(
      rows::insert(
          db_, "jobs", job,
          "ON CONFLICT (label, experiment) DO UPDATE SET command = excluded.command, "
          "auto_destroy = excluded.auto_destroy, state = excluded.state, "
          "exit_code = excluded.exit_code, started = excluded.started, ended = excluded.ended, "
          "gpus = excluded.gpus, gpus_needed = excluded.gpus_needed, env_names = excluded.env_names, "
          "env_file = excluded.env_file, note = excluded.note, canary = excluded.canary, "
          "answered = excluded.answered"),
      job.label);
}

Result<void> SqliteLedger::note_job(const Job& job, JobState before) {
  const std::scoped_lock hold(mutex_);
  return rows::run(db_,
                   "UPDATE jobs SET state = ?, exit_code = ?, ended = ?, note = ?, "
                   "answered = max(answered, ?) "
                   "WHERE label = ? AND experiment = ? AND started = ? AND state = ?",
                   job.state, job.exit_code, job.ended, job.note, job.answered, job.label, job.experiment,
                   job.started, before);
}

Result<std::vector<Job>> SqliteLedger::jobs(const std::string& label) {
  const std::scoped_lock hold(mutex_);
  return rows::select<Job>(db_, "jobs WHERE label = ? ORDER BY started DESC, n DESC", label);
}

Result<bool> SqliteLedger::add_run(const PastRun& run) {
  const std::scoped_lock hold(mutex_);
  auto done = about_rental(
      rows::insert(db_, "finished_runs", run, "ON CONFLICT (label, experiment, started) DO NOTHING"),
      run.label);
  if (!done) return fail(std::move(done).error());
  return db_.changes() > 0;
}

Result<std::vector<PastRun>> SqliteLedger::runs(const std::string& project, int limit) {
  const std::scoped_lock hold(mutex_);
  return rows::select<PastRun>(db_, "finished_runs WHERE project = ? ORDER BY started DESC, n DESC LIMIT ?",
                               project, std::max(limit, 0));
}

Result<std::vector<PastRun>> SqliteLedger::runs_of_rental(const std::string& label) {
  const std::scoped_lock hold(mutex_);
  return rows::select<PastRun>(db_, "finished_runs WHERE label = ? ORDER BY started DESC, n DESC", label);
}

Result<void> SqliteLedger::add_receipt(const std::string& label, TimePoint at, const json& receipt) {
  const std::scoped_lock hold(mutex_);
  return about_rental(rows::insert(db_, "receipts", rows::Receipt{label, at, receipt}), label);
}

Result<std::optional<json>> SqliteLedger::last_receipt(const std::string& label) {
  const std::scoped_lock hold(mutex_);
  return rows::select_one<rows::Receipt>(db_, "receipts WHERE label = ? ORDER BY at DESC, n DESC", label)
      .map([](std::optional<rows::Receipt> found) {
        return found ? std::optional<json>(std::move(found->receipt)) : std::nullopt;
      });
}

Result<void> SqliteLedger::add_event(const LedgerEvent& event) {
  const std::scoped_lock hold(mutex_);
  return rows::insert(db_, "events", signed_by_us(event));
}

LedgerEvent SqliteLedger::signed_by_us(LedgerEvent event) const {
  if (event.actor.empty()) event.actor = actor_;
  return event;
}

Result<std::vector<LedgerEvent>> SqliteLedger::events_of_kind(const std::string& kind, TimePoint since) {
  const std::scoped_lock hold(mutex_);
  return rows::select<LedgerEvent>(db_, "events WHERE kind = ? AND at >= ? ORDER BY at, n", kind, since);
}

Result<std::vector<LedgerEvent>> SqliteLedger::events(const std::string& label) {
  const std::scoped_lock hold(mutex_);
  return rows::select<LedgerEvent>(db_, "events WHERE label = ? ORDER BY at, n", label);
}

Result<void> SqliteLedger::add_machine_failure(const MachineFailure& failure) {
  const std::scoped_lock hold(mutex_);
  return rows::insert(db_, "machine_failures", failure);
}

Result<std::vector<MachineFailure>> SqliteLedger::machine_failures(TimePoint since) {
  const std::scoped_lock hold(mutex_);
  return rows::select<MachineFailure>(db_, "machine_failures WHERE at >= ? ORDER BY at, n", since);
}

}  // namespace vastgpu
