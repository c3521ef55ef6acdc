#pragma once
// Tasks of the ten tools, on record in the account's ledger. Any thread.

#include <sys/types.h>

#include <mutex>
#include <utility>

#include "server/house.h"
#include "server/task_store.h"
#include "state/task_records.h"

namespace vastgpu {

/// Where the ledger of these tasks is.
struct LedgerPlace {
  Clock& clock;
  std::filesystem::path state_folder;
  std::function<std::optional<std::filesystem::path>()> known;  ///< its file; nullopt: there is none yet
  std::function<Result<void>(std::stop_token)> make;            ///< makes it where there is none yet
};
/// `house` must outlive it.
LedgerPlace ledger_of(House& house);

class LedgerTasks : public TaskStore {
 public:
  explicit LedgerTasks(LedgerPlace place) : place_(std::move(place)) {}

  TimePoint now() const override { return place_.clock.now(); }
  /// @error as House::open: the ledger is made where there is none yet
  Result<void> add(const StoredTask& task, TimePoint oldest, std::stop_token stop) override;
  Result<std::optional<StoredTask>> find(const std::string& id) override;
  Result<bool> change(const StoredTask& task) override;
  Result<bool> ask_cancel(const std::string& id) override;
  /// Those of this tool that are not over, whoever works on them.
  Result<std::vector<StoredTask>> working(const std::string& tool);
  std::shared_ptr<void> hold(const std::string& id) override;
  std::vector<std::filesystem::path> folders() const override { return {place_.state_folder}; }

 private:
  template <class T>
  Result<T> with_records(const std::function<Result<T>(TaskRecords&)>& use);

  LedgerPlace place_;
  std::mutex mutex_;  // guards those below
  /// Kept open: each opening and closing would wake whoever watches the folder, who would look again.
  std::optional<TaskRecords> records_;
  std::pair<dev_t, ino_t> file_{};  ///< which file they are of
};

/// How the ten tools' calls become tasks.
TaskWork tools_as_tasks();

}  // namespace vastgpu
