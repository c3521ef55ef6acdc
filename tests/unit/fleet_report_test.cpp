// What a rental cost: when the provider is asked, and when what it said before is shown.

#include "fleet/report.h"

#include "state/sqlite_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/shelf_market.h"
#include "tests/support/state_samples.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

class NoShell : public Connector {
  Result<Connection> connect(const SshTarget&, std::stop_token) override {
    return fail({.what = "no machines here"});
  }
  Result<std::string> public_key() override { return fail({.what = "no keys here"}); }
};

struct Billing : ShelfMarket {
  int asked_for_charges = 0;
  Result<std::vector<Charge>> charges(TimePoint, TimePoint, std::stop_token) override {
    ++asked_for_charges;
    return std::vector{Charge{InstanceId{7}, "gpu", Usd{0.25 * asked_for_charges}, "", {}}};
  }
};

}  // namespace

TEST_CASE("one who can do with charges of a moment ago asks the provider again only later") {
  const TempFolder folder;
  Billing market;
  NoShell ssh;
  FakeClock clock;
  const auto ledger = *SqliteLedger::open(folder.path() / "ledger.db");
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "q-1", 2), {}));
  Rental rental = sample_rental("vg-a", "q-1", 2);
  rental.instance = InstanceId{7};
  const Deps d{market, ssh, *ledger, clock, {}};
  CHECK(report(d, rental, {}, 1min).charged == Usd{0.25});
  clock.advance(59s);
  CHECK(report(d, rental, {}, 1min).charged == Usd{0.25});
  CHECK(market.asked_for_charges == 1);
  CHECK(report(d, rental, {}).charged == Usd{0.5});
  clock.advance(61s);
  CHECK(report(d, rental, {}, 1min).charged == Usd{0.75});
}
