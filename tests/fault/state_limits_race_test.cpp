// Processes that race on one account's limits: whatever they rent, extend and end, no sum exceeds its limit.

#include <poll.h>

#include <iostream>
#include <random>

#include "state/spending.h"
#include "state/sqlite_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/state_forked.h"
#include "tests/support/state_samples.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

const IntentLimits kLimits{
    .project_budget = Usd{6},
    .account = {.per_rental = Usd{2}, .per_day = Usd{20}, .open = Usd{9}, .machines = 11},
    .settings_file = "/s/settings.json"};
constexpr int kRacers = 8, kSteps = 40;

/// Opens, extends and ends at random: the exit status is how often it won, or 100 and more for what must not
/// be.
int race(const std::filesystem::path& path, int racer, int round) {
  auto ledger = SqliteLedger::open(path);
  if (!ledger) return std::cerr << ledger.error().what << '\n', 100;
  std::mt19937 random(static_cast<unsigned>(round * kRacers + racer));
  std::vector<Rental> mine;
  int won = 0;
  const auto fine = [&](const Result<void>& answer) {
    if (answer) ++won;
    return answer || answer.error().code == Code::over_budget;
  };
  for (int i = 0; i < kSteps; ++i) {
    const TimePoint now = kSampleTime + std::chrono::minutes(i);
    if (mine.empty() || random() % 3 == 0) {
      Rental r = sample_rental("vg-" + std::to_string(racer) + "-" + std::to_string(i), "",
                               0.25 * (1 + static_cast<double>(random() % 9)));
      r.project = "/p" + std::to_string(random() % 3);
      r.price = {r.worst_case.value / 5};
      r.created = now;
      r.lease_end = now + 5h;
      const auto opened = (*ledger)->open_intent(r, kLimits);
      if (!fine(opened)) return 101;
      if (opened) mine.push_back(r);
    } else if (random() % 2 == 0) {
      Rental& r = mine.back();
      const Usd worst = r.worst_case + Usd{0.25};
      const auto moved = (*ledger)->extend_lease(r.label, r.lease_end + 1h, worst, now, kLimits);
      if (!fine(moved)) return 102;
      if (moved) r.worst_case = worst, r.lease_end += 1h;
    } else {
      mine.back().status = Status::destroyed;
      mine.back().ended = now + 1h;
      if (!(*ledger)->update_rental(mine.back())) return 103;
      mine.pop_back();
    }
  }
  return std::min(won, 99);
}

/// Counted here a second time, without the ledger's own sums.
void check_sums(const std::vector<Rental>& all) {
  double open = 0, today = 0, machines = 0;
  std::map<std::string, double> of_project;
  for (const Rental& r : all) {
    CHECK(r.worst_case.value <= 2 + 1e-9);
    double could = r.worst_case.value;
    if (r.status == Status::destroyed) {
      could -= r.price.value * std::chrono::duration_cast<Hours>(r.lease_end - *r.ended).count();
    } else {
      open += could, ++machines;
      of_project[r.project] += could;
    }
    today += could;
  }
  CHECK(open <= 9 + 1e-6);
  CHECK(today <= 20 + 1e-6);
  CHECK(machines <= 11);
  for (const auto& [project, sum] : of_project) CHECK(sum <= 6 + 1e-6);
}

}  // namespace

TEST_CASE("eight processes that open, extend and end rentals at random never exceed any limit") {
  const int round = GENERATE(0, 1, 2, 3, 4, 5);  // a check outside the transaction slips through one in three
  CAPTURE(round);
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  REQUIRE(SqliteLedger::open(path));  // making the file is another race, with a test of its own
  Pipe start, done;
  std::vector<Forked> racers;
  for (int racer = 0; racer < kRacers; ++racer)
    racers.emplace_back([&, racer] {
      start.in.reset();
      start.hear();
      const int result = race(path, racer, round);
      return done.say() ? result : 104;
    });
  start.in.reset();
  done.in.reset();
  int looks = 0, ended = 0;
  auto ledger = SqliteLedger::open(path);
  REQUIRE(ledger);
  for (; ended < kRacers; ++looks) {  // each look is one snapshot of a moment in the race
    const auto seen = (*ledger)->rentals(false);
    REQUIRE(seen);
    check_sums(*seen);
    pollfd finished{done.out.get(), POLLIN, 0};
    if (::poll(&finished, 1, 1) > 0) ended += done.hear() ? 1 : kRacers;
  }
  int won = 0;
  for (Forked& racer : racers) {
    const int status = racer.exit_status();
    REQUIRE(status < 100);
    won += status;
  }
  const auto all = (*ledger)->rentals(false);
  REQUIRE(all);
  check_sums(*all);
  CHECK(won > kRacers * 2);
  INFO(all->size() << " rentals, " << won << " won, " << looks << " looks");
  // What is left is given out to the last quarter, and then nobody gets more.
  Result<void> given;
  for (int i = 0; given; ++i) {
    Rental more = sample_rental("vg-more-" + std::to_string(i), "", 0.25);
    more.project = "/p" + std::to_string(i % 3);
    more.created = kSampleTime + 1h;
    REQUIRE(i < 100);
    given = (*ledger)->open_intent(more, kLimits);
  }
  CHECK(given.error().code == Code::over_budget);
  check_sums(*(*ledger)->rentals(false));
}

TEST_CASE("eight processes at midnight: the day before and the day after are two limits, each kept") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  const TimePoint midnight = day_of(kSampleTime) + 24h;
  const IntentLimits limits{.account = {.per_day = Usd{5}}};
  REQUIRE(SqliteLedger::open(path));
  Pipe start;
  std::vector<Forked> racers;
  for (int racer = 0; racer < 8; ++racer)
    racers.emplace_back([&, racer] {
      start.in.reset();
      start.hear();
      auto ledger = SqliteLedger::open(path);
      if (!ledger) return std::cerr << ledger.error().what << '\n', 100;
      int won = 0;
      for (int i = 0; i < 6; ++i) {
        Rental r = sample_rental("vg-" + std::to_string(racer) + "-" + std::to_string(i), "", 0.5);
        r.created = midnight + (i % 2 == 0 ? -1us : 1us);
        const auto opened = (*ledger)->open_intent(r, limits);
        if (!opened && opened.error().code != Code::over_budget) return 101;
        if (opened) ++won;
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
  double after = 0;
  for (const Rental& r : *(*ledger)->rentals(false)) after += r.created >= midnight ? r.worst_case.value : 0;
  CHECK(after == Approx(5));  // full, and not a cent more
  CHECK(won >= 10);
}
