#include "state/schema.h"

#include <array>

#include "core/text.h"

namespace vastgpu {
namespace {

// "VGPU": tells our file from any other SQLite database.
constexpr const char* kApplicationId = "1447514197";

// Times are microseconds since 1970, money is dollars, states are their words, JSON is text.
constexpr const char* kFirst = R"sql(
CREATE TABLE quotes (
  n             INTEGER PRIMARY KEY,
  id            TEXT NOT NULL UNIQUE,
  project       TEXT NOT NULL,
  title         TEXT NOT NULL,
  offer         INTEGER NOT NULL,
  machine       INTEGER NOT NULL,
  gpu_name      TEXT NOT NULL,
  num_gpus      INTEGER NOT NULL,
  gpu_ram       REAL NOT NULL,
  price         REAL NOT NULL,
  interruptible INTEGER NOT NULL,
  image         TEXT NOT NULL,
  disk          REAL NOT NULL,
  work_hours    REAL,
  lease_hours   REAL NOT NULL,
  estimate      REAL NOT NULL,
  worst_case    REAL NOT NULL,
  disk_per_day  REAL NOT NULL,
  facts         TEXT NOT NULL,
  created       INTEGER NOT NULL,
  expires       INTEGER NOT NULL
) STRICT;
CREATE INDEX quotes_by_project ON quotes (project, created);

CREATE TABLE rentals (
  n             INTEGER PRIMARY KEY,
  label         TEXT NOT NULL UNIQUE,
  quote_id      TEXT NOT NULL,
  project       TEXT NOT NULL,
  offer         INTEGER NOT NULL,
  machine       INTEGER NOT NULL,
  instance      INTEGER,
  status        TEXT NOT NULL,
  gpu_name      TEXT NOT NULL,
  num_gpus      INTEGER NOT NULL,
  price         REAL NOT NULL,
  interruptible INTEGER NOT NULL,
  image         TEXT NOT NULL,
  disk          REAL NOT NULL,
  work_hours    REAL,
  estimate      REAL NOT NULL,
  worst_case    REAL NOT NULL,
  ssh           TEXT,
  host_key      TEXT,
  created       INTEGER NOT NULL,
  ready         INTEGER,
  lease_end     INTEGER NOT NULL,
  ended         INTEGER,
  setup_done    INTEGER,
  collected     INTEGER,
  note          TEXT NOT NULL
) STRICT;
CREATE INDEX rentals_by_instance ON rentals (instance);
CREATE INDEX rentals_by_quote ON rentals (quote_id);
CREATE INDEX rentals_by_project ON rentals (project, status);

CREATE TABLE jobs (
  n            INTEGER PRIMARY KEY,
  label        TEXT NOT NULL REFERENCES rentals (label),
  experiment   TEXT NOT NULL,
  command      TEXT NOT NULL,
  auto_destroy INTEGER NOT NULL,
  state        TEXT NOT NULL,
  exit_code    INTEGER,
  started      INTEGER NOT NULL,
  ended        INTEGER,
  UNIQUE (label, experiment)
) STRICT;

CREATE TABLE receipts (
  n       INTEGER PRIMARY KEY,
  label   TEXT NOT NULL REFERENCES rentals (label),
  at      INTEGER NOT NULL,
  receipt TEXT NOT NULL
) STRICT;
CREATE INDEX receipts_by_label ON receipts (label, at);

CREATE TABLE events (
  n      INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  kind   TEXT NOT NULL,
  label  TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_label ON events (label, at);

CREATE TABLE machine_failures (
  n       INTEGER PRIMARY KEY,
  machine INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  reason  TEXT NOT NULL
) STRICT;
CREATE INDEX machine_failures_by_time ON machine_failures (at);
)sql";

// One row per job that ended, written once: (label, experiment, started) is the job.
constexpr const char* kFinishedRuns = R"sql(
CREATE TABLE finished_runs (
  n               INTEGER PRIMARY KEY,
  label           TEXT NOT NULL REFERENCES rentals (label),
  experiment      TEXT NOT NULL,
  project         TEXT NOT NULL,
  command         TEXT NOT NULL,
  script          TEXT NOT NULL,
  instance        INTEGER,
  gpu_name        TEXT NOT NULL,
  num_gpus        INTEGER NOT NULL,
  gpu_ram         REAL,
  started         INTEGER NOT NULL,
  ended           INTEGER NOT NULL,
  hours           REAL,
  exit_code       INTEGER NOT NULL,
  oom             INTEGER NOT NULL,
  peak_vram_mib   REAL,
  held_before_mib REAL NOT NULL,
  rate            REAL,
  rate_unit       TEXT NOT NULL,
  steps_done      INTEGER,
  steps_total     INTEGER,
  recorded_at     INTEGER NOT NULL,
  UNIQUE (label, experiment, started)
) STRICT;
CREATE INDEX finished_runs_by_project ON finished_runs (project, started);
)sql";

// What extensions added to worst cases: for a rental of an earlier day it counts on the day it was made.
constexpr const char* kExtensions = R"sql(
CREATE TABLE extensions (
  n     INTEGER PRIMARY KEY,
  label TEXT NOT NULL REFERENCES rentals (label),
  at    INTEGER NOT NULL,
  added REAL NOT NULL
) STRICT;
CREATE INDEX extensions_by_time ON extensions (at);
)sql";

// What keeps watch beside the assistant, and what may be rented without asking again. Rentals of before end
// by stop and are never renewed.
constexpr const char* kWatch = R"sql(
ALTER TABLE rentals ADD COLUMN at_end TEXT NOT NULL DEFAULT 'stop';
ALTER TABLE rentals ADD COLUMN renew_to REAL NOT NULL DEFAULT 0;
ALTER TABLE rentals ADD COLUMN envelope TEXT NOT NULL DEFAULT '';
ALTER TABLE rentals ADD COLUMN replaces TEXT NOT NULL DEFAULT '';
ALTER TABLE rentals ADD COLUMN instance_key TEXT NOT NULL DEFAULT '';
ALTER TABLE rentals ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rentals ADD COLUMN seen_price REAL;
ALTER TABLE rentals ADD COLUMN idle_since INTEGER;
ALTER TABLE rentals ADD COLUMN bid REAL;
ALTER TABLE jobs ADD COLUMN gpus TEXT NOT NULL DEFAULT '';
UPDATE rentals SET adopted = 1 WHERE note = 'adopted: it carried our label and was not in this ledger';
CREATE INDEX rentals_by_envelope ON rentals (envelope);

CREATE TABLE envelopes (
  n           INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  project     TEXT NOT NULL,
  max_rentals INTEGER NOT NULL,
  max_usd     REAL NOT NULL,
  until       INTEGER NOT NULL,
  created     INTEGER NOT NULL
) STRICT;

CREATE TABLE layers (
  label  TEXT NOT NULL,
  layer  TEXT NOT NULL,
  at     INTEGER NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (label, layer)
) STRICT;

CREATE TABLE charges (
  label  TEXT NOT NULL REFERENCES rentals (label),
  type   TEXT NOT NULL,
  amount REAL NOT NULL,
  read   INTEGER NOT NULL,
  PRIMARY KEY (label, type)
) STRICT;

CREATE TABLE machine_boots (
  n       INTEGER PRIMARY KEY,
  machine INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  hours   REAL NOT NULL
) STRICT;
CREATE INDEX machine_boots_by_machine ON machine_boots (machine);

CREATE TABLE pinned (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

ALTER TABLE events ADD COLUMN actor TEXT NOT NULL DEFAULT '';
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT raise(ABORT, 'events are only added'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events BEGIN SELECT raise(ABORT, 'events are only added'); END;
)sql";

// What a host key rests on. Rentals of before were trusted on first use, and their logs carry no mark.
constexpr const char* kHostKeys = R"sql(
ALTER TABLE rentals ADD COLUMN log_mark TEXT NOT NULL DEFAULT '';
ALTER TABLE rentals ADD COLUMN host_key_proof TEXT NOT NULL DEFAULT 'first use';
ALTER TABLE rentals ADD COLUMN host_key_line TEXT NOT NULL DEFAULT '';
)sql";

// What a job waits for and what it is given, besides its command.
constexpr const char* kJobTerms = R"sql(
ALTER TABLE jobs ADD COLUMN gpus_needed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN env_names TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN env_file TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN note TEXT NOT NULL DEFAULT '';
)sql";

// Which jobs are trials, and of which starts somebody was told. Trials of before are told by the command that
// only they have; what is still starting was told to nobody.
constexpr const char* kTrials = R"sql(
ALTER TABLE jobs ADD COLUMN canary INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN answered INTEGER NOT NULL DEFAULT 1;
UPDATE jobs SET canary = 1 WHERE command LIKE 'c=/workspace/.vast-gpu/canary/%';
UPDATE jobs SET answered = 0 WHERE state = 'starting';
)sql";

// Calls that go on after their request was answered: what is left to do, and how it ended.
constexpr const char* kTasks = R"sql(
CREATE TABLE tasks (
  n         INTEGER PRIMARY KEY,
  id        TEXT NOT NULL UNIQUE,
  tool      TEXT NOT NULL,
  arguments TEXT NOT NULL,
  status    TEXT NOT NULL,
  message   TEXT NOT NULL,
  result    TEXT,
  error     TEXT,
  cancel    INTEGER NOT NULL,
  created   INTEGER NOT NULL,
  updated   INTEGER NOT NULL
) STRICT;
CREATE INDEX tasks_by_time ON tasks (created);
)sql";

constexpr std::array kSteps{kFirst,    kFinishedRuns, kExtensions, kWatch,
                            kHostKeys, kJobTerms,     kTrials,     kTasks};

Error stranger() {
  return {.code = Code::wrong_state,
          .what = "the file is a database of another program, not a ledger of vast-gpu",
          .next_step = "move it away, or choose another state folder (XDG_STATE_HOME)"};
}

/// @error as is_current
Result<std::size_t> version_of(Database& db, std::size_t newest) {
  auto version = db.ask("PRAGMA user_version");
  if (!version) return fail(std::move(version).error());
  auto owner = db.ask("PRAGMA application_id");
  if (!owner) return fail(std::move(owner).error());
  auto tables = db.ask("SELECT count(*) FROM sqlite_schema");
  if (!tables) return fail(std::move(tables).error());
  if (*owner != kApplicationId && (*owner != "0" || *version != "0" || *tables != "0"))
    return fail(stranger());
  const auto number = std::strtoull(version->c_str(), nullptr, 10);
  if (number > newest)
    return fail({.code = Code::wrong_state,
                 .what = text("the ledger was written by a newer vast-gpu (its format is ", number,
                              ", this program knows up to ", newest, ")"),
                 .next_step = "update vast-gpu; an older one would lose what the newer one noted"});
  return static_cast<std::size_t>(number);
}

}  // namespace

std::span<const char* const> ledger_steps() { return kSteps; }

Result<bool> is_current(Database& db, std::span<const char* const> steps) {
  return version_of(db, steps.size()).map([&](std::size_t version) { return version == steps.size(); });
}

Result<void> migrate(Database& db, std::span<const char* const> steps) {
  auto change = Transaction::begin(db);
  if (!change) return fail(std::move(change).error());
  auto version = version_of(db, steps.size());  // again, now that nobody else can move it
  if (!version) return fail(std::move(version).error());
  for (std::size_t step = *version; step < steps.size(); ++step) {
    if (auto done = db.run(steps[step]); !done)
      return fail(std::move(done).error().during(text("bringing the ledger to format ", step + 1)));
  }
  const auto marks =
      text("PRAGMA application_id = ", kApplicationId, "; PRAGMA user_version = ", steps.size());
  if (auto marked = db.run(marks.c_str()); !marked) return marked;
  return change->commit();
}

}  // namespace vastgpu
