// The limits of the account in the ledger's one transaction: per rental, per day, open, machines.

#include "state/spending.h"

#include "state/sqlite_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/state_samples.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

const TimePoint kMidnight = day_of(kSampleTime) + 24h;  // the next one

struct Book {
  TempFolder folder;
  std::unique_ptr<SqliteLedger> ledger;
  Book() {
    auto opened = SqliteLedger::open(folder.path() / "ledger.db");
    REQUIRE(opened);
    ledger = *std::move(opened);
  }
  Result<void> open(const std::string& label, double worst, TimePoint at, const IntentLimits& limits,
                    const std::string& project = "/home/mira/project") {
    Rental r = sample_rental(label, "", worst);
    r.project = project;
    r.price = {1};
    r.created = at;
    r.lease_end = at + 4h;
    return ledger->open_intent(r, limits);
  }
  void end(const std::string& label, Status how, TimePoint at) {
    Rental r = **ledger->rental_by_label(label);
    r.status = how;
    r.ended = at;
    REQUIRE(ledger->update_rental(r));
  }
};

IntentLimits with(AccountLimits account) { return {.account = account, .settings_file = "/s/settings.json"}; }

void refused_for(const Result<void>& answer, const std::vector<std::string>& words) {
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::over_budget);
  const std::string said = answer.error().what + " | " + answer.error().next_step;
  CAPTURE(said);
  for (const std::string& word : words) CHECK(said.find(word) != std::string::npos);
}

}  // namespace

TEST_CASE("one rental's worst case against max_usd_per_rental, at its opening and in every extension") {
  Book book;
  const auto limits = with({.per_rental = Usd{5}});
  refused_for(book.open("vg-a", 5.01, kSampleTime, limits),
              {"$5.01", "$5.00 a rental", "raise max_usd_per_rental in /s/settings.json", "5.01"});
  CHECK(book.ledger->rentals(false)->empty());
  REQUIRE(book.open("vg-a", 4, kSampleTime, limits));
  REQUIRE(book.open("vg-b", 5, kSampleTime, limits));
  refused_for(book.ledger->extend_lease("vg-a", kSampleTime + 6h, Usd{5.5}, kSampleTime, limits),
              {"$5.50", "a rental"});
  CHECK(book.ledger->extend_lease("vg-a", kSampleTime + 5h, Usd{5}, kSampleTime, limits));
}

TEST_CASE("max_usd_open counts every project, and only what may still bill") {
  Book book;
  const auto limits = with({.open = Usd{10}});
  REQUIRE(book.open("vg-a", 6, kSampleTime, limits));
  refused_for(book.open("vg-b", 4.5, kSampleTime, limits, "/home/mira/other"),
              {"$4.50", "$6.00", "$10.00", "max_usd_open", "10.50", "destroy"});
  refused_for(book.ledger->extend_lease("vg-a", kSampleTime + 9h, Usd{10.5}, kSampleTime, limits),
              {"$10.50"});
  book.end("vg-a", Status::destroyed, kSampleTime + 4h);
  CHECK(book.open("vg-b", 4.5, kSampleTime, limits, "/home/mira/other"));
}

TEST_CASE("max_machines counts what may still bill; extending needs no other machine") {
  Book book;
  const auto two = with({.machines = 2});
  REQUIRE(book.open("vg-a", 1, kSampleTime, two));
  REQUIRE(book.open("vg-b", 1, kSampleTime, two, "/home/mira/other"));
  refused_for(book.open("vg-c", 1, kSampleTime, two),
              {"2 rentals", "2 machines", "raise max_machines", "least 3"});
  CHECK(book.ledger->extend_lease("vg-a", kSampleTime + 9h, Usd{2}, kSampleTime, with({.machines = 1})));
  book.end("vg-a", Status::stopped, kSampleTime + 1h);  // its disk bills
  CHECK_FALSE(book.open("vg-c", 1, kSampleTime, two));
  book.end("vg-a", Status::refused, kSampleTime + 1h);
  CHECK(book.open("vg-c", 1, kSampleTime, two));
  refused_for(book.open("vg-d", 0, kSampleTime, with({.machines = 0})), {"0 machines"});
}

TEST_CASE("ten rentals in a row cannot each spend the day") {
  Book book;
  const auto limits = with({.per_day = Usd{10}});
  REQUIRE(book.open("vg-a", 4, kSampleTime, limits));
  book.end("vg-a", Status::destroyed, kSampleTime + 4h);  // it lasted its whole lease: 4 dollars
  REQUIRE(book.open("vg-b", 4, kSampleTime + 5h, limits));
  book.end("vg-b", Status::destroyed, kSampleTime + 30h);  // seen late: never more than the worst case
  refused_for(
      book.open("vg-c", 2.5, kSampleTime + 6h, limits, "/home/mira/other"),
      {"$2.50", "$8.00", "$10.00 a day", "raise max_usd_per_day in /s/settings.json", "10.50", "00:00 UTC"});
  CHECK(book.open("vg-c", 2, kSampleTime + 6h, limits));  // to the cent
}

TEST_CASE("what ended early counts with what it could have cost until then") {
  Book book;
  const auto limits = with({.per_day = Usd{5}});
  REQUIRE(book.open("vg-a", 4.5, kSampleTime, limits));  // 4 h at $1/h, half a dollar of disk and traffic
  book.end("vg-a", Status::destroyed, kSampleTime + 1h);
  refused_for(book.open("vg-b", 3.6, kSampleTime + 1h, limits), {"$1.50"});
  REQUIRE(book.open("vg-b", 3.5, kSampleTime + 1h, limits));
  book.end("vg-b", Status::refused, kSampleTime + 1h);  // nothing was rented
  CHECK(book.open("vg-c", 3.5, kSampleTime + 1h, limits));
}

TEST_CASE("a day ends at 00:00 UTC, and what is still open then belongs to the day it was opened") {
  Book book;
  const auto limits = with({.per_day = Usd{10}});
  REQUIRE(book.open("vg-a", 9, kMidnight - 1us, limits));
  CHECK_FALSE(book.open("vg-b", 2, kMidnight - 1us, limits));
  REQUIRE(book.open("vg-b", 9, kMidnight, limits));
  CHECK_FALSE(book.open("vg-c", 2, kMidnight + 23h, limits));
  CHECK(day_of(kMidnight - 1us) == kMidnight - 24h);
  CHECK(day_of(kMidnight) == kMidnight);
}

TEST_CASE("an extension counts on its own day, so an old rental is no way around the limit") {
  Book book;
  const auto limits = with({.per_day = Usd{10}});
  REQUIRE(book.open("vg-a", 9, kMidnight - 2h, limits));
  const TimePoint end = kMidnight + 2h;
  // On the same day the whole rental counts once.
  REQUIRE(book.ledger->extend_lease("vg-a", end + 1h, Usd{10}, kMidnight - 1h, limits));
  refused_for(book.ledger->extend_lease("vg-a", end + 2h, Usd{10.5}, kMidnight - 1h, limits), {"a day"});
  // On the next one only what is added.
  REQUIRE(book.ledger->extend_lease("vg-a", end + 7h, Usd{16}, kMidnight + 1h, limits));
  refused_for(book.ledger->extend_lease("vg-a", end + 12h, Usd{20.5}, kMidnight + 1h, limits),
              {"$4.50", "$6.00"});
  refused_for(book.open("vg-b", 4.5, kMidnight + 1h, limits), {"$6.00"});
  REQUIRE(book.open("vg-b", 4, kMidnight + 1h, limits));
  CHECK(book.ledger->extend_lease("vg-a", end + 17h, Usd{26}, kMidnight + 24h, limits));  // and a day later
}

TEST_CASE("a refused extension leaves nothing behind that would count") {
  Book book;
  const auto limits = with({.per_day = Usd{10}, .open = Usd{9}});
  REQUIRE(book.open("vg-a", 9, kMidnight - 2h, limits));
  for (int i = 0; i < 5; ++i)
    CHECK_FALSE(book.ledger->extend_lease("vg-a", kMidnight + 9h, Usd{14}, kMidnight, limits));
  book.end("vg-a", Status::destroyed, kMidnight);
  CHECK(book.open("vg-b", 9, kMidnight, limits));
}

TEST_CASE("a default limit says that it is one, and how to set another") {
  Book book;
  const auto limits = limits_for({}, "/s/settings.json", std::nullopt, std::nullopt);
  refused_for(book.open("vg-a", 12, kSampleTime, limits),
              {"$10.00 a rental (the default", "max_usd_per_rental", "/s/settings.json",
               "\"max_usd_per_rental\": 12.00"});
  REQUIRE(book.open("vg-a", 10, kSampleTime, limits));
  REQUIRE(book.open("vg-b", 10, kSampleTime, limits));
  refused_for(book.open("vg-c", 6, kSampleTime, limits),
              {"$25.00 a day (the default", "\"max_usd_per_day\": 26.00"});
}
