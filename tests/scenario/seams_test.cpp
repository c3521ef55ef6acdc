// Where two rules meet: what one part of the house does with a rental must not undo what another has
// promised.

#include "core/text.h"
#include "fleet/outbid_history.h"
#include "fleet/reap.h"
#include "tests/support/catch.h"
#include "tests/support/kept_stage.h"
#include "tests/support/needs_machines.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

constexpr const char* kEndless =
    "mkdir -p results; echo 1 >results/part.txt; while true; do /bin/sleep 0.05; done";

/// One pass, as the keeper makes it; the line of a label.
PassReport pass(RentalStage& stage) { return reap(stage.deps(), {.look_every = {}}, {}); }

Rental rental_of(RentalStage& stage, const json& id) {
  auto found = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE(found);
  REQUIRE(*found);
  return **found;
}

std::vector<Rental> all_rentals(RentalStage& stage) {
  auto found = stage.deps().ledger.rentals(false);
  REQUIRE(found);
  return *found;
}

json rent_and_run(RentalStage& stage, const json& wish, const json& envelope = json::object()) {
  auto quote = stage.quote(wish);
  REQUIRE(quote);
  json ask{{"quote_id", *quote}, {"wait_seconds", 600}};
  ask.update(envelope);
  auto rented = stage.call_until("rent", ask, "booting");
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  REQUIRE(rented->outcome == "ready");
  const json id = rented->facts["instance_id"];
  REQUIRE(stage.call("run", {{"instance_id", id}, {"command", kEndless}, {"experiment", "exp01"}}));
  return id;
}

void take_away(RentalStage& stage, const json& id) {
  stage.admin("DELETE", "/api/v0/instances/" + id.dump() + "/");
}

std::size_t events_of(RentalStage& stage, const json& id, const std::string& kind) {
  auto events = stage.deps().ledger.events(rental_of(stage, id).label);
  REQUIRE(events);
  return static_cast<std::size_t>(std::ranges::count(*events, kind, &LedgerEvent::kind));
}

}  // namespace

SCENARIO("a machine that the list left out for a while is watched again as before, not ended") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = rent_and_run(stage, json::object());
  stage.fault({{"name", "destroy-resurrects"}, {"value", "240"}});
  take_away(stage, id);
  stage.house().clock().sleep_for(80s, {});
  (void)pass(stage);
  REQUIRE(rental_of(stage, id).status == Status::destroyed);
  CHECK(stage.instance_file()[0]["status"] == "destroyed");
  stage.house().clock().sleep_for(260s, {});
  (void)pass(stage);
  const Status now = rental_of(stage, id).status;
  CAPTURE(to_string(now));
  CHECK((now == Status::ready || now == Status::stopped));
  CHECK(events_of(stage, id, "destroy") == 0);
  CHECK(stage.instance_file()[0]["status"] == "running");
}

SCENARIO("what an extension bought for a machine that never boots does not reach the one in its place") {
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"never-boots"}, .machines = false});
  auto quote = stage.quote({{"lease_hours", 2}, {"vram_gib", 20}});
  REQUIRE(quote);
  const json ask{{"quote_id", *quote}, {"wait_seconds", 0}};
  auto first = stage.call("rent", ask);
  REQUIRE(first);
  const json id = first->facts["instance_id"];
  const Rental before = rental_of(stage, id);
  REQUIRE(stage.call("extend", {{"instance_id", id}, {"hours", 3}, {"wait_seconds", 0}}));
  CHECK(rental_of(stage, id).lease_end == before.lease_end + 3h);
  stage.house().clock().sleep_until(before.created + 16min, {});
  std::vector<Rental> rentals;
  std::string said;
  for (int turn = 0; turn < 20 && rentals.size() < 2; ++turn) {
    auto again = stage.call("rent", {{"quote_id", *quote}, {"wait_seconds", 60}});
    said = again ? again->summary : again.error().what;
    rentals = all_rentals(stage);
  }
  CAPTURE(said);
  REQUIRE(rentals.size() == 2);
  CHECK(rentals.front().worst_case == before.worst_case);
  CHECK(rentals.front().lease_end <= before.lease_end);
}

SCENARIO("a lost bid that nobody looked at for a while: what was not seen paused is counted as running") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = rent_and_run(stage, {{"interruptible", true}, {"lease_hours", 3}});
  stage.admin("POST", "/admin/outbid", {{"instance", id}, {"seconds", 0}, {"floor", 50}});
  stage.house().clock().sleep_for(20s, {});
  (void)pass(stage);
  CHECK(events_of(stage, id, kOutbidEvent) == 1);
  stage.house().clock().sleep_for(3min, {});
  (void)pass(stage);
  CHECK(events_of(stage, id, kOutbidEvent) == 1);  // looked at often enough: one pause
  const TimePoint asleep = stage.house().clock().now();
  stage.house().clock().sleep_for(40min, {});
  (void)pass(stage);
  CHECK(events_of(stage, id, kOutbidEvent) == 2);
  const Rental r = rental_of(stage, id);
  auto events = stage.deps().ledger.events(r.label);
  REQUIRE(events);
  const TimePoint now = stage.house().clock().now();
  const auto paid = paid_so_far(r, *events, {0}, {}, true, now);
  CHECK(paid.ran >= std::chrono::duration_cast<Hours>(now - asleep) * 0.9);
}

SCENARIO("what its guard destroyed at the end of its lease is not rented again, envelope or not") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, {.speed = 200});
  stage.folder().write("state/settings.json", R"({"at_lease_end": "destroy"})");
  stage.folder().write("project/CLAUDE.md",
                       "## Vast.ai\n- gpu: vast\n- max_budget: 5.00\n- auto_extend: false\n");
  const json id = rent_and_run(stage, {{"lease_hours", 0.5}}, {{"envelope_usd", 4}, {"envelope_rentals", 3}});
  const Rental r = rental_of(stage, id);
  stage.house().clock().sleep_until(r.lease_end + 4min, {});
  for (int turn = 0; turn < 3; ++turn) (void)pass(stage);
  CHECK(rental_of(stage, id).status == Status::destroyed);
  CHECK(all_rentals(stage).size() == 1);
  CHECK(stage.state()["live_contracts"] == 0);
}

SCENARIO("a machine that vanished within its lease is replaced by passes alone, within its envelope") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = rent_and_run(stage, {{"lease_hours", 2}}, {{"envelope_usd", 4}, {"envelope_rentals", 2}});
  take_away(stage, id);
  stage.house().clock().sleep_for(2min, {});
  std::optional<Rental> other;
  for (int turn = 0; turn < 40 && !other; ++turn) {
    (void)pass(stage);
    for (const Rental& r : all_rentals(stage)) {
      auto jobs = stage.deps().ledger.jobs(r.label);
      if (r.replaces.empty() || !jobs || jobs->empty() || jobs->front().state != JobState::running) continue;
      other = r;
    }
    if (!other) stage.house().clock().sleep_for(30s, {});
  }
  REQUIRE(other);
  CHECK(other->replaces == rental_of(stage, id).label);
  CHECK(other->envelope == rental_of(stage, id).envelope);
  CHECK(stage.state()["live_contracts"] == 1);
  auto use = stage.deps().ledger.envelope_use(other->envelope);
  REQUIRE(use);
  CHECK((use->rentals == 2 && use->usd <= Usd{4}));
  (void)pass(stage);  // and only once
  CHECK(stage.state()["live_contracts"] == 1);
}

SCENARIO("a keeper whose key is refused leaves its seat and shows no sign of life") {
  KeptStage stage({.machines = false, .keeper = true});
  stage.fault({{"name", "never-boots"}});
  const auto quote = stage.quote();
  REQUIRE(quote);
  REQUIRE(stage.call("rent", {{"quote_id", *quote}, {"wait_seconds", 0}}));
  stage.fault({{"name", "auth-404"}});
  auto keeper = stage.start({"keep"});
  CHECK(keeper->finish(90s) == 2);
  CHECK(stage.keeper() == 0);
  auto layers = stage.deps().ledger.layers("");
  REQUIRE(layers);
  CHECK(std::ranges::none_of(*layers, [](const LayerReport& l) { return l.layer == "keeper"; }));
}
