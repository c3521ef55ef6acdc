#include "state/task_records.h"

#include "state/ledger_open.h"
#include "state/ledger_rows.h"

namespace vastgpu {

Result<TaskRecords> TaskRecords::open(const std::filesystem::path& ledger_file) {
  return open_ledger_database(ledger_file).map([](Database db) { return TaskRecords(std::move(db)); });
}

Result<void> TaskRecords::add(const StoredTask& task, TimePoint oldest) {
  auto change = Transaction::begin(db_);
  if (!change) return fail(std::move(change).error());
  if (auto forgotten = rows::run(db_, "DELETE FROM tasks WHERE created < ?", oldest); !forgotten)
    return forgotten;
  if (auto added = rows::insert(db_, "tasks", task); !added) return added;
  return change->commit();
}

Result<std::optional<StoredTask>> TaskRecords::find(const std::string& id) {
  return rows::select_one<StoredTask>(db_, "tasks WHERE id = ?", id);
}

Result<std::vector<StoredTask>> TaskRecords::working(const std::string& tool) {
  return rows::select<StoredTask>(db_, "tasks WHERE status = 'working' AND tool = ?", tool);
}

Result<bool> TaskRecords::change(const StoredTask& t) {
  auto done = rows::run(db_,
                        "UPDATE tasks SET arguments = ?, status = ?, message = ?, result = ?, error = ?, "
                        "updated = ? WHERE id = ? AND status = 'working'",
                        t.arguments, t.status, t.message, t.result, t.error, t.updated, t.id);
  if (!done) return fail(std::move(done).error());
  return db_.changes() > 0;
}

Result<bool> TaskRecords::ask_cancel(const std::string& id) {
  auto done = rows::run(db_, "UPDATE tasks SET cancel = 1 WHERE id = ? AND status = 'working'", id);
  if (!done) return fail(std::move(done).error());
  return db_.changes() > 0;
}

}  // namespace vastgpu
