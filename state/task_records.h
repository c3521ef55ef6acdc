#pragma once
// Calls that go on after their request was answered, beside everything else in the ledger's file. A
// connection of its own: one thread at a time per object, any number of objects and processes.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "state/sqlite.h"
#include "state/stored_task.h"

namespace vastgpu {

class TaskRecords {
 public:
  /// @error as SqliteLedger::open
  static Result<TaskRecords> open(const std::filesystem::path& ledger_file);

  /// Also forgets those created before `oldest`.
  Result<void> add(const StoredTask& task, TimePoint oldest);
  Result<std::optional<StoredTask>> find(const std::string& id);
  /// Those of this tool that are not over.
  Result<std::vector<StoredTask>> working(const std::string& tool);
  /// Writes everything but `cancel` and `created`, unless the task is over: what is over stays as it is.
  /// False: it is over, or forgotten.
  Result<bool> change(const StoredTask& task);
  /// Notes the wish. False: it is over, or forgotten.
  Result<bool> ask_cancel(const std::string& id);

 private:
  explicit TaskRecords(Database db) : db_(std::move(db)) {}
  Database db_;
};

}  // namespace vastgpu
