#include "state/ledger_rebuild.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "core/log.h"
#include "core/text.h"
#include "state/ledger_open.h"
#include "state/ledger_rows.h"
#include "state/lock.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(30);  // as for opening: somebody else may be at it

/// The rows of one table that can still be read and that make sense, until the damage.
template <class T>
std::vector<T> readable(Database& db, const std::string& table) {
  std::vector<T> found;
  auto query = db.prepare("SELECT " + join(rows::columns<T>(), ", ") + " FROM " + table + " NOT INDEXED");
  if (!query) return found;
  for (auto row = query->step(); row && *row; row = query->step()) {
    T value{};
    int at = 0;
    bool sound = true;
    rows::each_field(value, [&](const char*, auto& field) { sound &= rows::get(*query, at++, field); });
    if (sound) found.push_back(std::move(value));
  }
  return found;
}

/// Counts what could be taken over. A row that breaks a rule of the new ledger (a job without its rental)
/// stays behind.
template <class T>
std::size_t carry_over(Database& from, Database& to, const std::string& table) {
  std::size_t rows_kept = 0;
  for (const T& value : readable<T>(from, table))
    if (rows::insert(to, table, value)) ++rows_kept;
  return rows_kept;
}

struct CarriedOver {
  std::size_t rentals = 0, rows = 0;
};

CarriedOver carry_over_all(const fs::path& damaged, const fs::path& fresh) {
  CarriedOver out;
  auto from = Database::open(damaged, std::chrono::seconds(1));
  auto to = open_ledger_database(fresh);
  if (!from || !to) return out;
  auto change = Transaction::begin(*to);
  if (!change) return out;
  out.rows += carry_over<Quote>(*from, *to, "quotes");
  out.rentals = carry_over<Rental>(*from, *to, "rentals");
  out.rows += out.rentals;
  out.rows += carry_over<rows::Extension>(*from, *to, "extensions");
  out.rows += carry_over<ChargeRecord>(*from, *to, "charges");
  out.rows += carry_over<MachineBoot>(*from, *to, "machine_boots");
  out.rows += carry_over<SpendingEnvelope>(*from, *to, "envelopes");
  out.rows += carry_over<Job>(*from, *to, "jobs");
  out.rows += carry_over<rows::Receipt>(*from, *to, "receipts");
  out.rows += carry_over<LedgerEvent>(*from, *to, "events");
  out.rows += carry_over<MachineFailure>(*from, *to, "machine_failures");
  out.rows += carry_over<PastRun>(*from, *to, "finished_runs");
  out.rows += carry_over<StoredTask>(*from, *to, "tasks");
  if (!change->commit()) return {};
  return out;
}

/// The file and its log, out of the way under one name. False where another process was faster.
Result<bool> move_aside(const fs::path& path, const fs::path& aside) {
  for (const char* part : {"-wal", "-shm", ""}) {
    const std::string from = path.string() + part, to = aside.string() + part;
    if (::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) continue;
    return fail({.code = Code::unavailable,
                 .what = "cannot move the damaged ledger " + from + " aside: " + std::strerror(errno),
                 .next_step = "move it yourself, then call again"});
  }
  return true;
}

Result<std::unique_ptr<SqliteLedger>> open_sound(const fs::path& path, const std::string& actor) {
  return SqliteLedger::open(path, actor)
      .and_then([](std::unique_ptr<SqliteLedger> ledger) -> Result<std::unique_ptr<SqliteLedger>> {
        if (auto sound = ledger->check(); !sound) return fail(std::move(sound).error());
        return ledger;
      });
}

}  // namespace

Result<OpenedLedger> open_or_rebuild(const fs::path& path, const std::string& actor, bool expected,
                                     TimePoint now) {
  std::error_code bad;
  const bool missing = expected && !fs::exists(path, bad) && !bad;
  auto opened = open_sound(path, actor);
  if (opened && missing)
    return OpenedLedger{*std::move(opened),
                        "the ledger " + path.string() +
                            " was missing; what is rented was found again by its labels, what was spent "
                            "before is not known here"};
  if (opened) return OpenedLedger{*std::move(opened)};
  if (opened.error().code != Code::corrupt) return fail(std::move(opened).error());

  SystemClock clock;
  const auto lock = FileLock::acquire(path.parent_path(), path.filename().string() + ".rebuild", clock,
                                      clock.now() + kPatience, {});
  if (!lock) return fail(lock.error());
  if (auto again = open_sound(path, actor); again || again.error().code != Code::corrupt)
    return std::move(again).map([](auto ledger) { return OpenedLedger{std::move(ledger)}; });

  std::string stamp = to_iso8601(now);
  std::erase(stamp, ':');
  const fs::path aside = path.string() + ".damaged-" + stamp + "-" + random_hex(2);
  if (auto moved = move_aside(path, aside); !moved) return fail(std::move(moved).error());
  const CarriedOver kept = carry_over_all(aside, path);
  log_fact("ledger damaged, kept as ", aside.string(), " rows=", kept.rows);
  return open_sound(path, actor).map([&](std::unique_ptr<SqliteLedger> ledger) {
    return OpenedLedger{
        std::move(ledger),
        text("the ledger was damaged (", opened.error().what, "); it is kept as ", aside.string(), ", ",
             kept.rentals, kept.rentals == 1 ? " rental" : " rentals", " and ", kept.rows - kept.rentals,
             " other rows could be read and are here again; what is rented beside them is found "
             "by its labels")};
  });
}

}  // namespace vastgpu
