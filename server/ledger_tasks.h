#pragma once
// Tasks of the ten tools, on record in the account's ledger. Any thread.

#include "server/house.h"
#include "server/task_store.h"
#include "state/task_records.h"

namespace vastgpu {

/// Where the ledger of these tasks is.
struct LedgerPlace {
  Clock& clock;
  std::filesystem::path state_folder;
  std::function<std::optional<std::filesystem::path>()> known;  ///< its file; nullopt: there is none yet
  std::function<Result<void>()> make;                           ///< makes it where there is none yet
};
/// `house` must outlive it.
LedgerPlace ledger_of(House& house);

class LedgerTasks : public TaskStore {
 public:
  explicit LedgerTasks(LedgerPlace place) : place_(std::move(place)) {}

  TimePoint now() const override { return place_.clock.now(); }
  /// @error as House::open: the ledger is made where there is none yet
  Result<void> add(const StoredTask& task, TimePoint oldest) override;
  Result<std::optional<StoredTask>> find(const std::string& id) override;
  Result<bool> change(const StoredTask& task) override;
  Result<bool> ask_cancel(const std::string& id) override;
  std::shared_ptr<void> hold(const std::string& id) override;
  std::vector<std::filesystem::path> folders() const override { return {place_.state_folder}; }

 private:
  Result<TaskRecords> records() const;
  LedgerPlace place_;
};

/// How the ten tools' calls become tasks.
TaskWork tools_as_tasks();

}  // namespace vastgpu
