// Envelopes: when they end, what is refused, and that one quote draws once, whatever machines it tries.

#include "fleet/envelope.h"

#include "fleet/needs.h"
#include "state/sqlite_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/sample_offers.h"
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

struct Desk {
  TempFolder folder;
  ShelfMarket market;
  NoShell ssh;
  FakeClock clock;
  std::unique_ptr<SqliteLedger> ledger = *SqliteLedger::open(folder.path() / "ledger.db");
  Deps deps() { return {market, ssh, *ledger, clock, {}}; }
};

Quote quote_of(const std::string& id, double worst_case) {
  Quote q;
  q.id = id;
  q.project = "/work/project";
  q.worst_case = {worst_case};
  return q;
}

Result<TimePoint> until(const std::string& text, Duration offset = 0h) {
  return parse_until(text, *from_iso8601("2026-10-02T12:30:00Z"), offset);
}

}  // namespace

TEST_CASE("until: a UTC time, a local time of today or tomorrow, or a span") {
  CHECK(to_iso8601(*until("2026-10-02T18:00:00Z")) == "2026-10-02T18:00:00Z");
  CHECK(to_iso8601(*until("18:00")) == "2026-10-02T18:00:00Z");
  CHECK(to_iso8601(*until("18:00", 2h)) == "2026-10-02T16:00:00Z");
  CHECK(to_iso8601(*until("12:30")) == "2026-10-03T12:30:00Z");
  CHECK(to_iso8601(*until("00:15", -9h)) == "2026-10-03T09:15:00Z");
  CHECK(to_iso8601(*until("14:00", 2h)) == "2026-10-03T12:00:00Z");  // past there by half an hour
  CHECK(to_iso8601(*until("+6h")) == "2026-10-02T18:30:00Z");
  CHECK(to_iso8601(*until("+90m")) == "2026-10-02T14:00:00Z");
  CHECK(to_iso8601(*until(" +1.5h ")) == "2026-10-02T14:00:00Z");
  for (const char* bad :
       {"", "soon", "25:00", "18:60", "18.00", "6h", "+h", "+-6h", "+6", "+6d", "+nanh", "+1e9h", "+0h",
        "+0m", "2026-10-02T12:00:00Z", "2027-10-02T12:00:00Z", "+800h", "8:00"}) {
    CAPTURE(bad);
    const auto read = until(bad);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Code::invalid_argument);
    CHECK(read.error().what.find("envelope_until") != std::string::npos);
    CHECK(read.error().next_step.find("18:00") != std::string::npos);
  }
}

TEST_CASE("an envelope is approved with a quote, once, and holds at least that quote") {
  Desk d;
  const TimePoint end = d.clock.now() + 6h;
  const auto made = approve_envelope(d.deps(), quote_of("q-1a2b", 2), {Usd{6}, 3, end});
  REQUIRE(made);
  CHECK(made->id == "e-1a2b");
  CHECK(made->project == "/work/project");
  const auto again = approve_envelope(d.deps(), quote_of("q-1a2b", 2), {Usd{6}, 3, end + 1h});
  REQUIRE(again);
  CHECK(again->until == end);  // the answer was lost and it was asked again: the first one holds
  const auto other = approve_envelope(d.deps(), quote_of("q-1a2b", 2), {Usd{9}, 3, end});
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Code::wrong_state);
  CHECK(d.ledger->events_of_kind("envelope", {})->size() == 1);

  const auto small = approve_envelope(d.deps(), quote_of("q-2", 7), {Usd{6}, 3, end});
  REQUIRE_FALSE(small);
  CHECK(small.error().what.find("envelope_usd") != std::string::npos);
  for (const double usd : {-1.0, 0.0, 1e9, std::nan("")})
    CHECK_FALSE(approve_envelope(d.deps(), quote_of("q-3", 0), {Usd{usd}, 3, end}));
  for (const int rentals : {-1, 0, 21}) {
    const auto odd = approve_envelope(d.deps(), quote_of("q-3", 1), {Usd{6}, rentals, end});
    REQUIRE_FALSE(odd);
    CHECK(odd.error().what.find("envelope_rentals") != std::string::npos);
  }
}

TEST_CASE("the machines that one quote tried draw once") {
  Desk d;
  REQUIRE(approve_envelope(d.deps(), quote_of("q-1", 2), {Usd{5}, 2, d.clock.now() + 6h}));
  const auto rental = [&](const std::string& label, const std::string& quote, double worst) {
    Rental r = sample_rental(label, quote, worst);
    r.envelope = "e-1";
    r.created = d.clock.now();
    r.lease_end = d.clock.now() + 4h;
    return r;
  };
  Rental bad = rental("vg-1", "q-1", 2);
  REQUIRE(d.ledger->open_intent(bad, {}));
  bad.status = Status::destroyed;
  bad.ended = d.clock.now() + 15min;
  REQUIRE(d.ledger->update_rental(bad));
  REQUIRE(d.ledger->open_intent(rental("vg-2", "q-1.2", 2), {}));  // the stand-in
  auto room = room_of(d.deps(), "e-1");
  REQUIRE(room);
  CHECK(room->use.rentals == 1);
  CHECK(room->use.usd == Usd{2});
  CHECK(room->usd == Usd{3});
  CHECK(room->rentals == 1);
  CHECK(room->spent.empty());
  CHECK(to_words(*room).find("$2.00 of $5.00 taken by 1 of 2 rentals") != std::string::npos);

  REQUIRE_FALSE(d.ledger->open_intent(rental("vg-3", "q-9", 3.5), {}));
  REQUIRE(d.ledger->open_intent(rental("vg-3", "q-9", 3), {}));
  room = room_of(d.deps(), "e-1");
  CHECK(room->spent.find("all of them were used") != std::string::npos);
  CHECK(to_facts(*room)["left_rentals"] == 0);
  CHECK_FALSE(d.ledger->open_intent(rental("vg-4", "q-10", 0), {}));
  CHECK_FALSE(room_of(d.deps(), "e-none"));
}

TEST_CASE("what a rental was searched for comes back from its quote") {
  QuoteRequest request{"/work/project", sample_needs(22.5, Hours(7)), {}, true, {}};
  request.profile.gpus = 2;
  request.profile.host_ram = Gigabytes{64};
  request.profile.newer_image = "new/image:1";
  request.profile.params_b = 1.3;
  request.profile.checkpoints = true;
  request.demands.countries = {"US", "DE"};
  request.demands.verified_only = false;
  request.demands.min_inet_down = {250};
  Quote q = quote_of("q-1", 1);
  q.interruptible = true;
  q.facts = dump({{"needs", needs_facts(request)}});
  const QuoteRequest back = needs_of(q);
  CHECK(back.interruptible);
  CHECK(back.project == "/work/project");
  CHECK(needs_facts(back) == needs_facts(request));

  for (const char* facts : {"{}", "nonsense", R"({"needs":[]})", R"({"needs":{"gpus":"two"}})"}) {
    q.facts = facts;
    q.gpu_ram = {24576};
    q.num_gpus = 3;
    CHECK(needs_of(q).profile.gpus == 3);
    CHECK(needs_of(q).profile.vram.value == Approx(24));
  }
}
