// Processes that die or race on one ledger.

#include <random>

#include "state/schema.h"
#include "state/sqlite_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/state_forked.h"
#include "tests/support/state_samples.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

TEST_CASE("whatever the ledger acknowledged is there after the process is killed") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  std::mt19937 random(7);
  int acknowledged = 0;
  for (int round = 0; round < 12; ++round) {
    CAPTURE(round);
    Pipe acks;
    Forked writer([&] {
      auto ledger = SqliteLedger::open(path);
      if (!ledger) return 1;
      for (int i = 0;; ++i) {
        const std::string name = std::to_string(round) + "-" + std::to_string(i);
        if (!(*ledger)->open_intent(sample_rental("vg-" + name, "q-" + name, 1), {})) return 2;
        if (!acks.say()) return 3;
      }
    });
    acks.in.reset();
    const int enough =
        static_cast<int>(random() % 25);  // 0: killed while it opens or writes for the first time
    int heard = 0;
    while (heard < enough && acks.hear()) ++heard;
    // So that it dies at any point of a write, not always just after one; nothing waits for this to be
    // enough.
    SystemClock().sleep_for(Duration(random() % 4000), {});
    writer.kill();
    while (acks.hear()) ++heard;  // said before it died
    REQUIRE(heard >= enough);
    acknowledged += heard;

    auto ledger = SqliteLedger::open(path);
    REQUIRE(ledger);
    for (int i = 0; i < heard; ++i) {
      const auto rental = (*ledger)->rental_by_label("vg-" + std::to_string(round) + "-" + std::to_string(i));
      REQUIRE(rental);
      CHECK(rental->has_value());
    }
    auto db = Database::open(path, 1s);
    REQUIRE(db);
    CHECK(*db->ask("PRAGMA integrity_check") == "ok");
  }
  CHECK(acknowledged > 50);
}

TEST_CASE("eight processes that race for one budget do not overspend it") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";  // not there yet: they race for making it too
  Pipe start;
  std::vector<Forked> racers;
  for (int racer = 0; racer < 8; ++racer)
    racers.emplace_back([&, racer] {
      start.in.reset();
      start.hear();  // ends for all of them at once, when the parent closes its end
      auto ledger = SqliteLedger::open(path);
      if (!ledger) return 100;
      int won = 0;
      for (int i = 0; i < 6; ++i) {
        const std::string name = std::to_string(racer) + "-" + std::to_string(i);
        const auto opened =
            (*ledger)->open_intent(sample_rental("vg-" + name, "", 0.5), {.project_budget = Usd{10}});
        if (opened)
          ++won;
        else if (opened.error().code != Code::over_budget)
          return 101;
        // Extending races as well: what it wins, it wins from the same budget.
        if (opened && i == 0 &&
            !(*ledger)->extend_lease("vg-" + name, kSampleTime + 9h, Usd{0.75}, kSampleTime,
                                     {.project_budget = Usd{10}}))
          return 102;
      }
      return won;
    });
  start.in.reset();
  int won = 0;
  for (Forked& racer : racers) {
    const int status = racer.exit_status();
    REQUIRE(status < 100);
    won += status;
  }
  auto ledger = SqliteLedger::open(path);
  REQUIRE(ledger);
  Usd sum{};
  const auto rentals = (*ledger)->rentals(true);
  REQUIRE(rentals);
  for (const Rental& r : *rentals) sum += r.worst_case;
  CHECK(static_cast<int>(rentals->size()) == won);
  CHECK(sum.value <= 10 + 1e-9);
  CHECK(sum.value > 9.5 - 1e-9);  // and nobody was turned away while there was room
}

TEST_CASE("of eight processes with one quote, one rents") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  Pipe start;
  std::vector<Forked> racers;
  for (int racer = 0; racer < 8; ++racer)
    racers.emplace_back([&, racer] {
      start.in.reset();
      start.hear();
      auto ledger = SqliteLedger::open(path);
      if (!ledger) return 100;
      const auto opened = (*ledger)->open_intent(sample_rental("vg-" + std::to_string(racer), "q-1", 1), {});
      if (!opened && opened.error().code != Code::wrong_state) return 101;
      return opened ? 1 : 0;
    });
  start.in.reset();
  int won = 0;
  for (Forked& racer : racers) won += racer.exit_status();
  CHECK(won == 1);
}

TEST_CASE(
    "of eight processes that learn the same run, one writes it, also while they bring an old ledger "
    "forward") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  {
    auto db = Database::open(path, 1s);
    REQUIRE(db);
    REQUIRE(migrate(*db, ledger_steps().first(1)));
  }
  Pipe start;
  std::vector<Forked> racers;
  for (int racer = 0; racer < 8; ++racer)
    racers.emplace_back([&] {
      start.in.reset();
      start.hear();
      auto ledger = SqliteLedger::open(path);
      if (!ledger) return 100;
      // The rental is the same for all; all but the first are told that the label is taken.
      (void)(*ledger)->open_intent(sample_rental("vg-a", "", 1), {});
      const auto wrote = (*ledger)->add_run(sample_run("vg-a", "exp01"));
      if (!wrote) return 101;
      return *wrote ? 1 : 0;
    });
  start.in.reset();
  int wrote = 0;
  for (Forked& racer : racers) wrote += racer.exit_status();
  CHECK(wrote == 1);
  auto ledger = SqliteLedger::open(path);
  REQUIRE(ledger);
  CHECK((*ledger)->runs("/home/mira/project", 50)->size() == 1);
}
