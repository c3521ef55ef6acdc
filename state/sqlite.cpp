#include "state/sqlite.h"

#include <sqlite3.h>

#include "core/crash_point.h"
#include "core/text.h"

namespace vastgpu {
namespace {

Error database_error(sqlite3* db, int code) {
  const char* name = db == nullptr ? nullptr : sqlite3_db_filename(db, "main");
  const std::string file = name == nullptr ? "" : name;
  const std::string what =
      text("ledger ", file, ": ", db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db));
  switch (code & 0xff) {  // the low byte is the kind, the rest its details
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {
          .code = Code::corrupt,
          .what = what,
          .next_step = text(
              "keep a copy of ", file, " and of ", file, "-wal before anything else; then move them away ",
              "and start again: rentals are found by their labels on the account. If the copy can be ",
              "read, `sqlite3 ", file, " .recover` brings its rows back")};
    case SQLITE_CONSTRAINT:
      if (code == SQLITE_CONSTRAINT_FOREIGNKEY) return {.code = Code::not_found, .what = what};
      if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
        return {.code = Code::wrong_state, .what = what};
      return {.code = Code::invalid_argument, .what = what};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {.code = Code::unavailable,
              .what = what + ": another process has been writing for too long",
              .next_step = "call again; if it stays so, look for a stuck vast-gpu process"};
    case SQLITE_FULL:
      return {.code = Code::unavailable, .what = what, .next_step = "free some disk space, then call again"};
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
      return {.code = Code::unavailable,
              .what = what,
              .next_step = "check the disk, and that the folder belongs to you"};
    default:
      return {.code = Code::internal, .what = what, .next_step = "report this"};
  }
}

}  // namespace

void CloseDatabase::operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
void FinalizeStatement::operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }

void Statement::note(int code) {
  if (code != SQLITE_OK && bind_trouble_ == SQLITE_OK) bind_trouble_ = code;
}
Statement& Statement::bind(std::nullptr_t) {
  note(sqlite3_bind_null(handle_.get(), next_++));
  return *this;
}
Statement& Statement::bind(std::int64_t value) {
  note(sqlite3_bind_int64(handle_.get(), next_++, value));
  return *this;
}
Statement& Statement::bind(double value) {
  note(sqlite3_bind_double(handle_.get(), next_++, value));
  return *this;
}
Statement& Statement::bind(const std::string& value) {
  note(
      sqlite3_bind_text64(handle_.get(), next_++, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Result<bool> Statement::step() {
  const int code = bind_trouble_ != SQLITE_OK ? bind_trouble_ : sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(database_error(sqlite3_db_handle(handle_.get()), code));
}

Result<void> Statement::run() {
  std::optional<CrashPoints> crash;  // within a transaction its commit is the write
  if (sqlite3_get_autocommit(sqlite3_db_handle(handle_.get())) != 0) crash.emplace("ledger");
  for (;;) {
    auto row = step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return {};
  }
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}
std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
double Statement::real(int column) const { return sqlite3_column_double(handle_.get(), column); }
std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  return data == nullptr
             ? std::string()
             : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column)));
}

Result<Database> Database::open(const std::filesystem::path& path, std::chrono::milliseconds patience) {
  sqlite3* raw = nullptr;
  // NOMUTEX: our own mutex already lets only one thread in.
  const int code = sqlite3_open_v2(
      path.c_str(), &raw,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database db(raw);  // also after a failure there is something to close
  if (code != SQLITE_OK) return fail(database_error(raw, code));
  sqlite3_busy_timeout(raw, static_cast<int>(patience.count()));
  return db;
}

Result<void> Database::run(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(database_error(handle_.get(), code));
  return {};
}

Result<Statement> Database::prepare(const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  const int code =
      sqlite3_prepare_v2(handle_.get(), sql.c_str(), static_cast<int>(sql.size()) + 1, &raw, nullptr);
  if (code != SQLITE_OK) return fail(database_error(handle_.get(), code));
  return Statement(raw);
}

Result<std::string> Database::ask(const char* sql) {
  auto query = prepare(sql);
  if (!query) return fail(std::move(query).error());
  auto row = query->step();
  if (!row) return fail(std::move(row).error());
  return *row ? query->text(0) : std::string();
}

int Database::changes() const { return sqlite3_changes(handle_.get()); }

Result<Transaction> Transaction::begin(Database& db) {
  if (auto begun = db.run("BEGIN IMMEDIATE"); !begun) return fail(std::move(begun).error());
  return Transaction(db);
}

Transaction::~Transaction() {
  // Fails harmlessly when the error that brought us here has already rolled back.
  if (db_ != nullptr) [[maybe_unused]]
    const auto ignored = db_->run("ROLLBACK");
}

Result<void> Transaction::commit() {
  const CrashPoints crash("ledger");
  if (auto done = db_->run("COMMIT"); !done) return done;
  db_ = nullptr;
  return {};
}

}  // namespace vastgpu
