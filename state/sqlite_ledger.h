#pragma once
// The ledger in SQLite: one file, write-ahead log, synced at every commit. Thread-safe: one connection behind
// a mutex. Any number of processes may have the same file open. Do not carry an open ledger across fork().

#include <filesystem>
#include <memory>
#include <mutex>

#include "state/ledger.h"
#include "state/sqlite.h"

namespace vastgpu {

class SqliteLedger : public Ledger {
 public:
  /// Opens or creates. A new file is 0600; missing folders are made 0700.
  /// @error corrupt      damaged: nothing was changed, the message says what to keep
  /// @error wrong_state  written by a newer version, or a database of another program
  /// @error unavailable  no right, disk full, or another process has been writing for 10 s; so in every call
  /// `actor`: who writes, for the audit: "serve 4711".
  static Result<std::unique_ptr<SqliteLedger>> open(const std::filesystem::path& path,
                                                    std::string actor = {});

  /// Looks at every page and index.
  /// @error corrupt  with the first trouble found
  Result<void> check();

  Result<void> add_quote(const Quote& quote) override;
  Result<std::optional<Quote>> quote(const std::string& id) override;
  Result<std::vector<Quote>> quotes(const std::string& project, int limit) override;

  Result<void> open_intent(const Rental& rental, const IntentLimits& limits) override;
  Result<void> update_rental(const Rental& rental) override;
  Result<Rental> change_rental(const std::string& label, const std::function<Result<void>(Rental&)>& change,
                               const std::optional<LedgerEvent>& event = std::nullopt) override;
  Result<std::optional<Rental>> rental_by_label(const std::string& label) override;
  Result<std::optional<Rental>> rental_by_instance(InstanceId id) override;
  Result<std::optional<Rental>> rental_by_quote(const std::string& quote_id) override;
  Result<std::vector<Rental>> rentals(bool open_only) override;
  Result<void> extend_lease(const std::string& label, TimePoint new_end, Usd new_worst_case, TimePoint now,
                            const IntentLimits& limits) override;

  Result<void> shorten_lease(const std::string& label, TimePoint new_end) override;

  Result<void> add_envelope(const SpendingEnvelope& envelope) override;
  Result<std::optional<SpendingEnvelope>> envelope(const std::string& id) override;
  Result<std::vector<SpendingEnvelope>> open_envelopes(const std::string& project, TimePoint now) override;
  Result<EnvelopeUse> envelope_use(const std::string& id) override;

  Result<void> note_layer(const LayerReport& report) override;
  Result<std::vector<LayerReport>> layers(const std::string& label) override;
  Result<void> put_charges(const std::string& label, const std::vector<ChargeRecord>& charges) override;
  Result<std::vector<ChargeRecord>> charges(const std::string& label) override;
  Result<void> add_machine_boot(const MachineBoot& boot) override;
  Result<std::vector<MachineBoot>> machine_boots(MachineId machine) override;
  Result<void> pin_account(AccountId account) override;

  Result<void> put_job(const Job& job) override;
  Result<void> note_job(const Job& job, JobState before) override;
  Result<std::vector<Job>> jobs(const std::string& label) override;

  Result<bool> add_run(const PastRun& run) override;
  Result<std::vector<PastRun>> runs(const std::string& project, int limit) override;
  Result<std::vector<PastRun>> runs_of_rental(const std::string& label) override;

  Result<void> add_receipt(const std::string& label, TimePoint at, const json& receipt) override;
  Result<std::optional<json>> last_receipt(const std::string& label) override;

  Result<void> add_event(const LedgerEvent& event) override;
  Result<std::vector<LedgerEvent>> events(const std::string& label) override;
  Result<std::vector<LedgerEvent>> events_of_kind(const std::string& kind, TimePoint since) override;

  Result<void> add_machine_failure(const MachineFailure& failure) override;
  Result<std::vector<MachineFailure>> machine_failures(TimePoint since) override;

 private:
  SqliteLedger(Database db, std::string actor) : actor_(std::move(actor)), db_(std::move(db)) {}

  LedgerEvent signed_by_us(LedgerEvent event) const;

  const std::string actor_;
  std::mutex mutex_;
  Database db_;
};

}  // namespace vastgpu
