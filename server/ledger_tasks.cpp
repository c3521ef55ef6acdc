#include "server/ledger_tasks.h"

#include <sys/stat.h>

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
          [&house](std::stop_token stop) -> Result<void> {
            auto opened = house.open(std::move(stop));
            return opened ? Result<void>() : fail(std::move(opened).error());
          }};
}

/// On the ledger that is there; none is made. One that was moved or replaced under us is opened anew.
template <class T>
Result<T> LedgerTasks::with_records(const std::function<Result<T>(TaskRecords&)>& use) {
  const std::scoped_lock hold(mutex_);
  const auto file = place_.known();
  struct stat info {};
  if (!file || ::stat(file->c_str(), &info) != 0) {
    records_.reset();
    return fail({.code = Code::not_found, .what = "there is no ledger yet"});
  }
  const std::pair<dev_t, ino_t> which{info.st_dev, info.st_ino};
  if (records_ && file_ != which) records_.reset();
  if (!records_) {
    auto opened = TaskRecords::open(*file);
    if (!opened) return fail(std::move(opened).error());
    records_.emplace(*std::move(opened));
    file_ = which;
  }
  return use(*records_);
}

Result<void> LedgerTasks::add(const StoredTask& task, TimePoint oldest, std::stop_token stop) {
  if (auto made = place_.make(std::move(stop)); !made) return made;
  return with_records<void>([&](TaskRecords& all) { return all.add(task, oldest); });
}

Result<std::optional<StoredTask>> LedgerTasks::find(const std::string& id) {
  auto found = with_records<std::optional<StoredTask>>([&](TaskRecords& all) { return all.find(id); });
  if (!found && found.error().code == Code::not_found) return std::nullopt;
  return found;
}

Result<bool> LedgerTasks::change(const StoredTask& task) {
  return with_records<bool>([&](TaskRecords& all) { return all.change(task); });
}

Result<bool> LedgerTasks::ask_cancel(const std::string& id) {
  return with_records<bool>([&](TaskRecords& all) { return all.ask_cancel(id); });
}

Result<std::vector<StoredTask>> LedgerTasks::working(const std::string& tool) {
  return with_records<std::vector<StoredTask>>([&](TaskRecords& all) { return all.working(tool); });
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
