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
  /// @error corrupt      damaged, or not a ledger: nothing was changed, the message says what to keep
  /// @error wrong_state  written by a newer version
  /// @error unavailable  no right, disk full, or another process has been writing for 10 s; so in every call
  static Result<std::unique_ptr<SqliteLedger>> open(const std::filesystem::path& path);

  Result<void> add_quote(const Quote& quote) override;
  Result<std::optional<Quote>> quote(const std::string& id) override;
  Result<std::vector<Quote>> quotes(const std::string& project, int limit) override;

  Result<void> open_intent(const Rental& rental, const IntentLimits& limits) override;
  Result<void> update_rental(const Rental& rental) override;
  Result<Rental> change_rental(const std::string& label,
                               const std::function<Result<void>(Rental&)>& change) override;
  Result<std::optional<Rental>> rental_by_label(const std::string& label) override;
  Result<std::optional<Rental>> rental_by_instance(InstanceId id) override;
  Result<std::optional<Rental>> rental_by_quote(const std::string& quote_id) override;
  Result<std::vector<Rental>> rentals(bool open_only) override;
  Result<void> extend_lease(const std::string& label, TimePoint new_end, Usd new_worst_case, TimePoint now,
                            const IntentLimits& limits) override;

  Result<void> put_job(const Job& job) override;
  Result<std::vector<Job>> jobs(const std::string& label) override;

  Result<bool> add_run(const PastRun& run) override;
  Result<std::vector<PastRun>> runs(const std::string& project, int limit) override;
  Result<std::vector<PastRun>> runs_of_rental(const std::string& label) override;

  Result<void> add_receipt(const std::string& label, TimePoint at, const json& receipt) override;
  Result<std::optional<json>> last_receipt(const std::string& label) override;

  Result<void> add_event(const LedgerEvent& event) override;
  Result<std::vector<LedgerEvent>> events(const std::string& label) override;

  Result<void> add_machine_failure(const MachineFailure& failure) override;
  Result<std::vector<MachineFailure>> machine_failures(TimePoint since) override;

 private:
  explicit SqliteLedger(Database db) : db_(std::move(db)) {}

  std::mutex mutex_;
  Database db_;
};

}  // namespace vastgpu
