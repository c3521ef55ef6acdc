#pragma once
// SQLite's C interface in types: connection, statement, transaction. One thread at a time per connection and
// all that was made from it; the ledger's mutex sees to that.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace vastgpu {

struct CloseDatabase {
  void operator()(sqlite3* db) const noexcept;
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* s) const noexcept;
};

/// A prepared query, run once. Values go in by bind() in the order of the question marks, and come out of a
/// row by position from 0.
class Statement {
 public:
  Statement& bind(std::nullptr_t);
  Statement& bind(std::int64_t value);
  Statement& bind(double value);
  Statement& bind(const std::string& value);

  /// True: a row is there. False: the end.
  /// @error see Database::open; wrong_state for a broken uniqueness rule, not_found for a broken reference
  Result<bool> step();
  /// For queries without rows.
  Result<void> run();

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* s) : handle_(s) {}
  void note(int code);

  std::unique_ptr<sqlite3_stmt, FinalizeStatement> handle_;
  int next_ = 1;
  int bind_trouble_ = 0;
};

class Database {
 public:
  /// Opens or creates. Another process's write is waited for, up to `patience`, here and in every later call.
  /// @error corrupt      not a database, or damaged: left as it is
  /// @error unavailable  locked for longer than `patience`, disk full, no right
  static Result<Database> open(const std::filesystem::path& path, std::chrono::milliseconds patience);

  /// One or several statements without values or rows.
  Result<void> run(const char* sql);
  Result<Statement> prepare(const std::string& sql);
  /// The first column of the first row.
  Result<std::string> ask(const char* sql);
  /// Rows that the last statement changed.
  int changes() const;

 private:
  explicit Database(sqlite3* db) : handle_(db) {}
  std::unique_ptr<sqlite3, CloseDatabase> handle_;
};

/// A write transaction: takes the write lock at once, so that what it reads cannot change before it commits.
/// Rolls back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  /// On disk when it returns.
  Result<void> commit();

 private:
  explicit Transaction(Database& db) : db_(&db) {}
  Database* db_;
};

}  // namespace vastgpu
