#include "server/ledger_tasks.h"

#include "core/text.h"
#include "state/lock.h"
#include "tools/long_work.h"

namespace vastgpu {
namespace {

/// Held until the task is let go; then its file goes, too.
struct Hold {
  FileLock lock;
  std::filesystem::path file;
  ~Hold() {
    std::error_code gone;
    if (lock.in_place()) std::filesystem::remove(file, gone);
  }
};

}  // namespace

LedgerPlace ledger_of(House& house) {
  return {house.clock(), house.state_folder(),
          [&house]() -> std::optional<std::filesystem::path> {
            const auto account = house.known_account();
            std::error_code missing;
            if (!account || !std::filesystem::exists(house.ledger_file(*account), missing))
              return std::nullopt;
            return house.ledger_file(*account);
          },
          [&house]() -> Result<void> {
            auto opened = house.open({});
            return opened ? Result<void>() : fail(std::move(opened).error());
          }};
}

/// Of the ledger that is there; none is made.
Result<TaskRecords> LedgerTasks::records() const {
  const auto file = place_.known();
  if (!file) return fail({.code = Code::not_found, .what = "there is no ledger yet"});
  return TaskRecords::open(*file);
}

Result<void> LedgerTasks::add(const StoredTask& task, TimePoint oldest) {
  if (auto made = place_.make(); !made) return made;
  auto all = records();
  return all ? all->add(task, oldest) : fail(std::move(all).error());
}

Result<std::optional<StoredTask>> LedgerTasks::find(const std::string& id) {
  auto all = records();
  if (!all && all.error().code == Code::not_found) return std::nullopt;
  return all ? all->find(id) : fail(std::move(all).error());
}

Result<bool> LedgerTasks::change(const StoredTask& task) {
  auto all = records();
  return all ? all->change(task) : fail(std::move(all).error());
}

Result<bool> LedgerTasks::ask_cancel(const std::string& id) {
  auto all = records();
  return all ? all->ask_cancel(id) : fail(std::move(all).error());
}

std::shared_ptr<void> LedgerTasks::hold(const std::string& id) {
  const auto folder = place_.state_folder / "locks";
  const std::string name = "task-" + plain_name(id);
  auto lock = FileLock::acquire(folder, name, place_.clock, now(), {});  // busy: not now, not later
  if (!lock) return nullptr;
  return std::shared_ptr<Hold>(new Hold{*std::move(lock), folder / (name + ".lock")});
}

TaskWork tools_as_tasks() {
  const auto begin = [](const std::string& tool, const json& arguments) {
    switch (long_work(tool, arguments)) {
      case LongWork::at_once:
        return TaskWork::Begin::at_once;
      case LongWork::after_first_turn:
        return TaskWork::Begin::after_first_turn;
      case LongWork::none:
        break;
    }
    return TaskWork::Begin::never;
  };
  return {begin, short_turn, long_turn, next_turn, only_waits};
}

}  // namespace vastgpu
