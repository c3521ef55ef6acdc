// From needs to quotes in the ledger: what is searched, stored, proposed and offered instead.

#include "fleet/quote.h"

#include "state/sqlite_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/sample_offers.h"
#include "tests/support/shelf_market.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {

class NoShell : public Connector {
  Result<Connection> connect(const SshTarget&, std::stop_token) override {
    return fail({.what = "no machines here"});
  }
  Result<std::string> public_key() override { return fail({.what = "no keys here"}); }
};

struct Desk {
  TempFolder folder;
  ShelfMarket market;
  NoShell ssh;
  FakeClock clock;
  std::unique_ptr<SqliteLedger> ledger = *SqliteLedger::open(folder.path() / "ledger.db");
  QuoteRequest request{"/work/project", sample_needs(10, Hours(2)), {}, false, {}};

  Deps deps() { return {market, ssh, *ledger, clock, {}}; }
  QuoteResult quotes() {
    auto made = make_quotes(deps(), request, {});
    if (!made) FAIL(made.error().what);
    return *std::move(made);
  }
  void fill(int machines) {
    for (int i = 1; i <= machines; ++i)
      market.on_demand.push_back(sample_offer(i, "RTX 3090", 0.2 + 0.001 * i, 24576));
  }
};

Offer bid(std::int64_t id, double price) {
  Offer o = sample_offer(id, "RTX 3090", price, 24576);
  o.is_bid = true;
  return o;
}

}  // namespace

TEST_CASE("a small market is seen in one search; its quotes are in the ledger with their breakdown") {
  Desk d;
  d.fill(5);
  const QuoteResult r = d.quotes();
  CHECK(d.market.asked.size() == 1);
  REQUIRE(r.options.size() == 3);
  CHECK(r.offers_seen == 5);
  for (const QuotedOption& o : r.options) {
    const auto stored = d.ledger->quote(o.quote.id);
    REQUIRE((stored && *stored));
    CHECK((*stored)->worst_case == o.quote.worst_case);
    const json facts = to_facts(o);
    CHECK(facts["estimate"]["total_usd"].get<double>() ==
          Approx(facts["estimate"]["gpu_usd"].get<double>() + facts["estimate"]["disk_usd"].get<double>() +
                 facts["estimate"]["traffic_usd"].get<double>() +
                 facts["estimate"]["boot_usd"].get<double>()));
    CHECK(facts["bid_usd_per_hour"].is_null());
    CHECK(facts["worst_case_usd"].get<double>() >= facts["estimate"]["total_usd"].get<double>());
  }
}

TEST_CASE("the cut of a search hides neither the fast nor the large cards") {
  Desk d;
  d.fill(400);
  for (Offer& o : d.market.on_demand) o.dlperf = 53;
  d.market.on_demand.push_back(sample_offer(901, "H100 SXM", 2.5, 81559));
  d.market.on_demand.back().dlperf = 175;
  d.market.on_demand.push_back(sample_offer(902, "RTX A6000", 0.9, 49140));  // DLPerf unknown
  d.request.profile = sample_needs(23, Hours(2));
  const QuoteResult r = d.quotes();
  CHECK(d.market.asked.size() == 4);
  CHECK(r.options.at(2).option.chosen.offer.gpu_name == "H100 SXM");
  CHECK(r.offers_seen > 128);
  bool tier = false;
  for (const OfferQuery& q : d.market.asked) tier = tier || q.min_gpu_ram->value == 45'000;
  CHECK(tier);
}

TEST_CASE("long work that checkpoints and tiny runs are offered a bid, from a search for bids") {
  Desk d;
  d.fill(5);
  d.market.on_demand[0].min_bid = UsdPerHour{0.001};  // what on-demand rows say of bids is not asked
  d.market.bids = {bid(11, 0.09), bid(12, 0.08), bid(13, 0.5)};
  const auto suits = GENERATE(true, false);
  d.request.profile.hours = suits ? Hours(8) : Hours(0.3);
  d.request.profile.checkpoints = suits;
  const QuoteResult r = d.quotes();
  CHECK(r.options.size() == 3);
  REQUIRE(r.proposal);
  CHECK(d.market.asked.back().kind == RentalKind::interruptible);
  CHECK(d.market.asked.size() == 2);
  const Quote& q = r.proposal->quoted.quote;
  CHECK(q.offer == OfferId{12});
  CHECK(q.interruptible);
  CHECK((*d.ledger->quote(q.id))->interruptible);
  CHECK(r.proposal->saves.value == Approx((r.options[0].quote.estimate - q.estimate).value));
  const json facts = to_facts(*r.proposal);
  CHECK(facts["bid_usd_per_hour"].get<double>() == Approx(0.08));
  CHECK_FALSE(facts["interruption"].get<std::string>().empty());
  for (const QuotedOption& o : r.options) CHECK_FALSE(o.quote.interruptible);
}

TEST_CASE("no bid is proposed where it does not suit, saves nothing, or cannot be read") {
  Desk d;
  d.fill(5);
  d.market.bids = {bid(11, 0.08)};
  SECTION("work of two hours") { d.request.profile.hours = Hours(2); }
  SECTION("long work without checkpoints") { d.request.profile.hours = Hours(9); }
  SECTION("dearer than on demand") {
    d.request.profile.hours = Hours(0.3);
    d.market.bids = {bid(11, 0.8)};
  }
  SECTION("over the budget") {
    d.request.profile.hours = Hours(0.3);
    d.request.budget = Usd{10};
    d.market.bids[0].price = {20};
  }
  SECTION("the search for bids fails") {
    d.request.profile.hours = Hours(0.3);
    d.market.broken[RentalKind::interruptible] = {.code = Code::unavailable, .what = "no answer"};
  }
  const QuoteResult r = d.quotes();
  CHECK(r.options.size() == 3);
  CHECK_FALSE(r.proposal);
  CHECK(r.notes.size() == d.market.broken.size());
}

TEST_CASE("asked for interruptible machines, all three options are bids") {
  Desk d;
  d.fill(5);
  d.market.bids = {bid(11, 0.09), bid(12, 0.08), bid(13, 0.1)};
  d.request.interruptible = true;
  const QuoteResult r = d.quotes();
  REQUIRE(r.options.size() == 3);
  CHECK_FALSE(r.proposal);
  for (const QuotedOption& o : r.options) CHECK(to_facts(o)["bid_usd_per_hour"].is_number());
}

TEST_CASE("a budget nobody meets: by how much, and what it takes") {
  Desk d;
  d.fill(5);
  d.request.budget = Usd{0.05};
  d.market.bids = {bid(11, 0.001)};
  const QuoteResult r = d.quotes();
  CHECK(r.options.empty());
  REQUIRE(r.cheapest_over_budget);
  CHECK(*r.cheapest_over_budget > Usd{0.05});
  REQUIRE_FALSE(r.relaxations.empty());
  const auto budget = std::ranges::find(r.relaxations, "budget", &Relaxation::requirement);
  REQUIRE(budget != r.relaxations.end());
  CHECK(budget->cheapest.worst.total.value == Approx(r.cheapest_over_budget->value));
}

TEST_CASE("nothing verified is on offer: a wider search says what unverified machines would bring") {
  Desk d;
  d.fill(4);
  for (Offer& o : d.market.on_demand) o.verified = false;
  const QuoteResult r = d.quotes();
  CHECK(r.options.empty());
  CHECK(r.offers_seen == 0);
  REQUIRE(r.relaxations.size() == 1);
  CHECK(r.relaxations[0].requirement == "verification");
  CHECK(r.relaxations[0].machines == 4);
  CHECK(to_facts(r.relaxations[0])["worst_case_usd"].get<double>() > 0);
}

TEST_CASE("an offer named by its id is priced like any other") {
  Desk d;
  d.fill(2);
  const auto q = quote_offer(d.deps(), d.request, OfferId{2}, {});
  REQUIRE(q);
  const Candidate c = priced(d.market.on_demand[1], d.request.profile, {});
  CHECK(q->estimate == c.estimate.total);
  CHECK(q->worst_case == c.worst.total);
  CHECK(q->lease == c.lease);
}
