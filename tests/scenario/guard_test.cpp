// The guard alone: from some moment on nothing of ours runs but what is on the machine.

#include <filesystem>

#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;

namespace {

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string shown(const Result<Envelope>& e) { return e ? to_text(*e) : e.error().what; }

Rental newest(RentalStage& stage) {
  auto all = stage.deps().ledger.rentals(false);
  REQUIRE(all);
  REQUIRE(!all->empty());
  return all->front();
}

void sleep_until(RentalStage& stage, TimePoint when) {
  stage.house().clock().sleep_for(when - stage.house().clock().now(), {});
}

double billed(RentalStage& stage) { return stage.state()["billed_total"].get<double>(); }

void settings(RentalStage& stage, const std::string& content) {
  stage.folder().write("state/settings.json", content);
}

}  // namespace

SCENARIO("guard alone: a machine whose clock is a day off stays within the worst case shown at rent") {
  NEEDS_MACHINES()
  const std::string skew = GENERATE("86400", "-86400");
  const bool checked = GENERATE(true, false);  // false: nobody ever logged in
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"clock-skew=" + skew}});
  auto id = stage.quote({{"lease_hours", 0.5}});
  REQUIRE(id);
  const json ask{{"quote_id", *id}, {"wait_seconds", checked ? 600 : 0}};
  auto rented = checked ? stage.call_until("rent", ask, "booting") : stage.call("rent", ask);
  INFO(skew << ": " << shown(rented));
  REQUIRE(rented);
  const double worst = rented->facts["usd_worst_case"];
  const Rental r = newest(stage);
  if (checked) {
    CHECK(rented->outcome == "ready");
    sleep_until(stage, r.lease_end - std::chrono::minutes(4));
    CHECK(stage.state()["contracts"][0]["intended_status"] == "running");
    sleep_until(stage, r.lease_end + std::chrono::minutes(4));
  } else {  // its lease counts from its first start, at most 550 s after the create
    sleep_until(stage, r.lease_end + std::chrono::minutes(15));
  }
  CHECK(stage.state()["contracts"][0]["intended_status"] == "stopped");
  CHECK(billed(stage) <= worst);
}

SCENARIO("guard alone: a clock that falls back a day while the machine runs gives no time back") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 300});
  auto rented = stage.rent({{"lease_hours", 0.5}});
  INFO(shown(rented));
  REQUIRE(rented);
  stage.fault({{"name", "clock-skew"}, {"value", "-86400"}, {"instance", rented->facts["instance_id"]}});
  const Rental r = newest(stage);
  sleep_until(stage, r.lease_end - std::chrono::minutes(6));
  CHECK(stage.state()["contracts"][0]["intended_status"] == "running");
  sleep_until(stage, r.lease_end + std::chrono::minutes(5));
  CHECK(stage.state()["contracts"][0]["intended_status"] == "stopped");
  CHECK(billed(stage) <= rented->facts["usd_worst_case"].get<double>());
}

SCENARIO("at_lease_end destroy: the guard ends the whole rental, and rent said so") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 300});
  settings(stage, R"({"at_lease_end": "destroy"})");
  auto options = stage.call("provision", {{"task", "train"}, {"vram_gib", 8}, {"hours", 1}});
  REQUIRE(options);
  CHECK(options->facts["at_lease_end"] == "destroy");
  CHECK(mentions(options->details, "destroyed then"));
  auto rented = stage.rent({{"lease_hours", 0.5}});
  INFO(shown(rented));
  REQUIRE(rented);
  CHECK(mentions(rented->summary, "destroyed then, with all that is not home"));
  CHECK(rented->facts["at_lease_end"] == "destroy");
  const Rental r = newest(stage);
  CHECK(r.at_end == LeaseEnd::destroy);
  sleep_until(stage, r.lease_end + std::chrono::minutes(4));
  CHECK(stage.state()["live_contracts"] == 0);
  CHECK(billed(stage) <= rented->facts["usd_worst_case"].get<double>());
}

SCENARIO("what the live list shows of a rental is enough to know its lease again") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  auto rented = stage.rent();
  INFO(shown(rented));
  REQUIRE(rented);
  CHECK(mentions(rented->summary, "stopped then; the disk alone bills on, $"));
  const Rental r = newest(stage);
  auto row = stage.deps().market.instance(*r.instance, {});
  REQUIRE((row && *row));
  std::map<std::string, std::string> env((*row)->env.begin(), (*row)->env.end());
  CHECK(env["VG_LEASE_END"] ==
        std::to_string(std::chrono::floor<std::chrono::seconds>(r.lease_end).time_since_epoch().count()));
  CHECK(env["VG_WORST_USD"] == fixed(r.worst_case.value, 4));
  CHECK(env["VG_AT_END"] == "stop");
  CHECK(r.seen_price);
  auto boots = stage.deps().ledger.machine_boots(r.machine);
  REQUIRE(boots);
  REQUIRE(boots->size() == 1);
  CHECK(boots->front().took > Hours(0));
  CHECK_FALSE(r.instance_key.empty());
}

SCENARIO("a container that was not told its key is given the one that the create returned") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"no-container-key"}});
  auto rented = stage.rent({{"lease_hours", 0.5}});
  INFO(shown(rented));
  REQUIRE(rented);
  CHECK(rented->outcome == "ready");
  CHECK(rented->facts["machines_given_up"].empty());
  const Rental r = newest(stage);
  const std::string secret = r.instance_key.reveal();
  auto seen = stage.call("monitor", {{"instance_id", *r.instance}});
  REQUIRE(seen);
  CHECK(seen->facts["guard"]["armed"] == true);
  CHECK_FALSE(mentions(dump(seen->facts) + to_text(*seen) + dump(stage.instance_file()), secret));
  sleep_until(stage, r.lease_end + std::chrono::minutes(4));
  CHECK(stage.state()["contracts"][0]["intended_status"] == "stopped");
}

SCENARIO("a machine that cannot end itself is given up, and the next one stands in") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"bad-container-key"}});
  auto options = stage.call("provision", {{"task", "train"}, {"vram_gib", 8}, {"hours", 1}});
  REQUIRE(options);
  json quote;
  for (const json& o : options->facts["options"])
    if (quote.is_null() && o["stand_ins"].get<int>() > 0) quote = o["quote_id"];
  REQUIRE(quote.is_string());
  auto rented = stage.call_until("rent", {{"quote_id", quote}, {"wait_seconds", 600}}, "booting");
  INFO(shown(rented));
  REQUIRE(rented);
  CHECK(rented->outcome == "ready");
  auto all = stage.deps().ledger.rentals(false);
  REQUIRE(all);
  REQUIRE(all->size() == 2);
  CHECK(all->back().status == Status::destroyed);
  CHECK(mentions(all->back().note, "could not end itself: the marketplace refuses the machine's own key"));
  auto failures = stage.deps().ledger.machine_failures({});
  REQUIRE(failures);
  CHECK(failures->size() == 1);
  CHECK(stage.state()["live_contracts"] == 1);
}

SCENARIO("a machine that cannot end itself is kept where the settings say so, and marked everywhere") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"bad-container-key"}});
  settings(stage, R"({"allow_unguarded": true})");
  auto rented = stage.rent();
  INFO(shown(rented));
  REQUIRE(rented);
  CHECK(rented->outcome == "ready");
  CHECK(mentions(to_text(*rented), "UNGUARDED"));
  CHECK(rented->facts["unguarded"] == true);
  const auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(mentions(to_text(*listed), "UNGUARDED"));
  const auto seen = stage.call("monitor", {{"instance_id", rented->facts["instance_id"]}});
  REQUIRE(seen);
  CHECK(mentions(seen->summary, "UNGUARDED"));
  CHECK(seen->facts["guard"]["armed"] == false);
}

SCENARIO("a bid is a bid when it is ready, and one that was taken at the full price is ended") {
  NEEDS_MACHINES()
  const bool honest = GENERATE(true, false);
  RentalStage stage(VASTGPU_BINARY, {});
  auto options = stage.call("provision", {{"task", "train"}, {"vram_gib", 8}, {"hours", 0.2}});
  REQUIRE(options);
  const json bid = options->facts["interruptible_proposal"];
  REQUIRE(bid.is_object());
  if (!honest) stage.fault({{"name", "full-price"}, {"times", 0}});
  auto rented = stage.call_until("rent", {{"quote_id", bid["quote_id"]}, {"wait_seconds", 600}}, "booting");
  INFO(shown(rented));
  if (honest) {
    REQUIRE(rented);
    CHECK(rented->outcome == "ready");
    CHECK(billed(stage) <= rented->facts["usd_worst_case"].get<double>());
    return;
  }
  REQUIRE_FALSE(rented);
  CHECK(mentions(shown(rented), "at the full price, not for the bid"));
  CHECK(stage.state()["live_contracts"] == 0);
}

SCENARIO("a machine without curl and wget ends by python") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"no-curl"}});
  auto rented = stage.rent({{"lease_hours", 0.5}});
  INFO(shown(rented));
  REQUIRE(rented);
  CHECK(rented->facts["machines_given_up"].empty());
  sleep_until(stage, newest(stage).lease_end + std::chrono::minutes(4));
  CHECK(stage.state()["contracts"][0]["intended_status"] == "stopped");
}
