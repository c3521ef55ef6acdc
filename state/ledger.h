#pragma once
// Our private record: quotes, rentals, jobs and what they taught, receipts, events, machines remembered.
// Crash-safe; shared by any number of processes. `SqliteLedger` is the real one and is used in tests too.
// Thread-safe. Every write is on disk when it returns.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/past_run.h"
#include "core/rental.h"

namespace vastgpu {

/// What happened, for the audit: every call that spends or destroys, before it leaves.
struct LedgerEvent {
  TimePoint at{};
  std::string kind;   ///< "rent", "destroy", "extend", "gone", ...
  std::string label;  ///< rental, may be empty
  json detail = json::object();
  std::string actor =
      {};  ///< who asked: "serve 4711", "keeper 4712", "reap 4713"; filled in by the ledger when empty
};

/// A machine that failed us.
struct MachineFailure {
  MachineId machine;
  TimePoint at{};
  std::string reason;
};

struct EnvelopeUse {
  int rentals = 0;
  Usd usd;
};

class Ledger {
 public:
  virtual ~Ledger() = default;

  virtual Result<void> add_quote(const Quote& quote) = 0;
  virtual Result<std::optional<Quote>> quote(const std::string& id) = 0;
  /// Newest first.
  virtual Result<std::vector<Quote>> quotes(const std::string& project, int limit) = 0;

  /// The intent, on disk before the request leaves. In one transaction: the quote must not have been used,
  /// and this rental's worst case must fit every limit, and its envelope, beside those of the rentals that
  /// are there (the rules are in state/spending.h); its day is that of `rental.created`. A quote whose
  /// rentals were all refused is not used; an empty quote_id never is.
  /// @error over_budget  the numbers are in the message, and how to raise the limit
  /// @error wrong_state  the quote was used: its rental's label is in the message; or the label was used
  virtual Result<void> open_intent(const Rental& rental, const IntentLimits& limits) = 0;

  /// Replaces the fields of an existing rental, except that a writer with an older copy cannot undo what
  /// costs money: lease_end and worst_case stay (only extend_lease moves them), and a known instance is not
  /// forgotten.
  /// @error not_found
  virtual Result<void> update_rental(const Rental& rental) = 0;

  /// Reads a rental, lets `change` alter it and writes it, in one transaction over all processes; gives what
  /// is now stored. An error from `change` leaves it as it was. `change` must not call the ledger. The rules
  /// of update_rental hold. `event` is written in the same transaction: with the change or not at all.
  /// @error not_found
  virtual Result<Rental> change_rental(const std::string& label,
                                       const std::function<Result<void>(Rental&)>& change,
                                       const std::optional<LedgerEvent>& event = std::nullopt) = 0;
  virtual Result<std::optional<Rental>> rental_by_label(const std::string& label) = 0;
  virtual Result<std::optional<Rental>> rental_by_instance(InstanceId id) = 0;
  virtual Result<std::optional<Rental>> rental_by_quote(const std::string& quote_id) = 0;  ///< the newest
  /// Newest first; `open_only`: those that may still bill (not destroyed, not refused).
  virtual Result<std::vector<Rental>> rentals(bool open_only) = 0;

  /// The lease moves and the worst case grows, within the same limits, in one transaction. `new_worst_case`
  /// is the total; `now` is the day that the growth counts for, where the rental is older.
  /// @error over_budget  as open_intent
  /// @error wrong_state  the rental is over, or its lease already reaches or costs more: somebody else
  /// extended it
  /// @error not_found
  virtual Result<void> extend_lease(const std::string& label, TimePoint new_end, Usd new_worst_case,
                                    TimePoint now, const IntentLimits& limits) = 0;

  /// The lease ends earlier; the worst case stays what was shown. A later end than the present one changes
  /// nothing.
  /// @error not_found
  virtual Result<void> shorten_lease(const std::string& label, TimePoint new_end) = 0;

  virtual Result<void> add_envelope(const SpendingEnvelope& envelope) = 0;
  virtual Result<std::optional<SpendingEnvelope>> envelope(const std::string& id) = 0;
  /// Of a project and not over at `now`, newest first.
  virtual Result<std::vector<SpendingEnvelope>> open_envelopes(const std::string& project, TimePoint now) = 0;
  /// What its rentals have taken: refused ones nothing, ended ones what they can have cost until then.
  virtual Result<EnvelopeUse> envelope_use(const std::string& id) = 0;

  /// Replaces what that layer said before.
  virtual Result<void> note_layer(const LayerReport& report) = 0;
  /// Of a rental; of the account with an empty label.
  virtual Result<std::vector<LayerReport>> layers(const std::string& label) = 0;

  /// Replaces what was read before.
  /// @error not_found  no rental has that label
  virtual Result<void> put_charges(const std::string& label, const std::vector<ChargeRecord>& charges) = 0;
  virtual Result<std::vector<ChargeRecord>> charges(const std::string& label) = 0;

  virtual Result<void> add_machine_boot(const MachineBoot& boot) = 0;
  virtual Result<std::vector<MachineBoot>> machine_boots(MachineId machine) = 0;  ///< oldest first

  /// Remembers the account at first use.
  /// @error wrong_state  this ledger is of another account: both ids are in the message
  virtual Result<void> pin_account(AccountId account) = 0;

  /// @error not_found  no rental has that label; also of add_receipt
  virtual Result<void> put_job(const Job& job) = 0;  ///< insert or replace by (label, experiment)
  /// What a look found: state, exit code, end and note, and that somebody was told where `job.answered`. Only
  /// where the job still stands as it was read, with this `started` and in state `before`: looks take no
  /// lock, and must not undo a start or a stop.
  virtual Result<void> note_job(const Job& job, JobState before) = 0;
  virtual Result<std::vector<Job>> jobs(const std::string& label) = 0;  ///< newest first

  /// Writes what a job taught, once per (label, experiment, started) over all processes: true when this call
  /// wrote it, false when it was there. What is there stays as it is.
  /// @error not_found  no rental has that label
  virtual Result<bool> add_run(const PastRun& run) = 0;
  /// Newest first.
  virtual Result<std::vector<PastRun>> runs(const std::string& project, int limit) = 0;
  virtual Result<std::vector<PastRun>> runs_of_rental(const std::string& label) = 0;

  virtual Result<void> add_receipt(const std::string& label, TimePoint at, const json& receipt) = 0;
  virtual Result<std::optional<json>> last_receipt(const std::string& label) = 0;

  virtual Result<void> add_event(const LedgerEvent& event) = 0;
  virtual Result<std::vector<LedgerEvent>> events(const std::string& label) = 0;  ///< oldest first
  /// Of all rentals, of one kind ("outbid"), oldest first.
  virtual Result<std::vector<LedgerEvent>> events_of_kind(const std::string& kind, TimePoint since) = 0;

  virtual Result<void> add_machine_failure(const MachineFailure& failure) = 0;
  virtual Result<std::vector<MachineFailure>> machine_failures(TimePoint since) = 0;  ///< oldest first
};

}  // namespace vastgpu
