#include "state/ledger_open.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "core/crash_point.h"
#include "core/fd.h"
#include "core/text.h"
#include "state/lock.h"
#include "state/private_folder.h"
#include "state/schema.h"

namespace vastgpu {
namespace {

// A write holds the lock for milliseconds; a process that holds it longer is stuck, and a tool call should
// say so.
constexpr auto kPatience = std::chrono::seconds(30);  // a loaded disk may take seconds for one commit

/// An empty file that only we may read: SQLite gives its log and index the same permissions. The file is made
/// under another name, since closing a second descriptor of the database itself would drop SQLite's locks on
/// it.
Result<void> make_private_file(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISREG(info.st_mode) && (info.st_mode & 077U) != 0) ::chmod(path.c_str(), 0600);
    return {};
  }
  const CrashPoints crash("disk");
  const auto temporary = path.string() + ".new-" + random_hex(6);
  Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  int trouble = fd ? 0 : errno;
  fd.reset();
  if (trouble == 0 && ::link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    // No hard links here: a rename is as good unless two processes start in the same microsecond.
    if (::rename(temporary.c_str(), path.c_str()) != 0) trouble = errno;
  }
  ::unlink(temporary.c_str());
  if (trouble == 0) return {};
  return fail({.code = Code::unavailable,
               .what = "cannot make " + path.string() + ": " + std::strerror(trouble),
               .next_step = "check the disk, and that the folder belongs to you"});
}

/// The first opening, or the first one by a newer version. One process at a time: switching to the
/// write-ahead log does not wait for others by itself.
Result<void> set_up(Database& db, const std::filesystem::path& path) {
  SystemClock clock;
  const auto lock = FileLock::acquire(path.parent_path(), path.filename().string() + ".open", clock,
                                      clock.now() + kPatience, {});
  if (!lock) return fail(lock.error());
  // Several processes that make the file at once: the switch to WAL answers busy at once, without SQLite's
  // own waiting.
  for (int tries = 0;; ++tries) {
    const CrashPoints crash("ledger");
    auto mode = db.ask("PRAGMA journal_mode = WAL");
    if (mode) break;
    if (mode.error().code != Code::unavailable || tries == 200) return fail(std::move(mode).error());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return migrate(db, ledger_steps());
}

}  // namespace

Result<Database> open_ledger_database(const std::filesystem::path& path) {
  const std::string step = "opening the ledger " + path.string();
  const auto trouble = [&](Error why) { return fail(std::move(why).during(step)); };
  if (auto folder = make_private_folder(path.parent_path()); !folder) return trouble(folder.error());
  if (auto file = make_private_file(path); !file) return trouble(file.error());
  auto db = Database::open(path, kPatience);
  if (!db) return trouble(db.error());
  // FULL: a commit is on disk when it returns, also in write-ahead mode.
  if (auto set = db->run("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;"); !set)
    return trouble(set.error());
  auto current = is_current(*db, ledger_steps());
  if (!current) return trouble(current.error());
  if (!*current)
    if (auto ready = set_up(*db, path); !ready) return trouble(ready.error());
  return db;
}

}  // namespace vastgpu
