// Whose SSH host key it is: the container's log says so over another channel, and what it does not confirm is
// never passed off as confirmed.

#include "fleet/host_key.h"

#include "core/text.h"
#include "fleet/boot.h"
#include "fleet/reach.h"
#include "sandbox/machine.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;

namespace {

bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

// Slow enough that a log which exists is read long before a minute of it has passed.
StageOptions stage_with(std::vector<std::string> faults) {
  return {.speed = 60, .faults = std::move(faults)};
}

Rental only_rental(RentalStage& stage) {
  const auto open = stage.deps().ledger.rentals(true);
  REQUIRE((open && open->size() == 1));
  return open->front();
}

int machine_failures(RentalStage& stage) {
  const auto failed = stage.deps().ledger.machine_failures({});
  REQUIRE(failed);
  return static_cast<int>(failed->size());
}

}  // namespace

SCENARIO("a host key that the container's log names is verified, also after a stop") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, stage_with({"logs-late=2"}));
  const auto rented = stage.rent();
  if (!rented) FAIL(rented.error().what);
  CAPTURE(rented->summary, dump(rented->facts));
  CHECK(rented->facts["host_key"]["verified_by"] == "container log");
  CHECK(rented->facts["warnings"].empty());
  CHECK_FALSE(mentions(rented->summary, "first use"));
  const Rental before = only_rental(stage);
  CHECK(before.host_key_line.starts_with("ssh-ed25519 AAAA"));
  CHECK(before.host_key_proof == HostKeyProof::container_log);

  const json id{{"instance_id", *before.instance}};
  REQUIRE(stage.deps().market.stop_instance(*before.instance, {}));
  stage.house().clock().sleep_for(std::chrono::minutes(2), {});
  const auto stopped = stage.call("monitor", id);
  if (!stopped) FAIL(stopped.error().what);
  REQUIRE(stopped->outcome == "stopped");
  json longer = id;
  longer["hours"] = 0.5;
  longer["wait_seconds"] = 600;
  const auto woken = stage.call_until("extend", longer, "starting");
  if (!woken) FAIL(woken.error().what);
  const Rental after = only_rental(stage);
  CHECK((after.host_key == before.host_key && after.host_key_proof == HostKeyProof::container_log));
}

SCENARIO("where the log never comes, every answer says that the host key was trusted on first use") {
  NEEDS_MACHINES();
  const std::string how = GENERATE("logs-never", "logs-empty");
  RentalStage stage(VASTGPU_BINARY, stage_with({how}));
  const auto rented = stage.rent();
  if (!rented) FAIL(rented.error().what);
  const Rental rental = only_rental(stage);
  const json id{{"instance_id", *rental.instance}};
  const auto says_so = [](const Result<Envelope>& answer) {
    REQUIRE(answer);
    CAPTURE(answer->summary, dump(answer->facts));
    CHECK(answer->facts["host_key"]["verified_by"] == "first use");
    CHECK(mentions(answer->summary, "trusted on first use"));
    CHECK(mentions(dump(answer->facts["warnings"]), "trusted on first use"));
  };
  says_so(rented);
  says_so(stage.call("monitor", id));
  says_so(stage.call("run", {{"instance_id", *rental.instance}, {"command", "true"}, {"experiment", "a"}}));
  const auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(listed->facts["instances"][0]["host_key"]["verified_by"] == "first use");
  CHECK(mentions(dump(listed->facts["instances"][0]["warnings"]), "trusted on first use"));

  WHEN("the log comes late") {
    stage.no_fault(how);
    stage.house().clock().sleep_for(std::chrono::minutes(6), {});
    THEN("a later look confirms the key, and nobody is warned any more") {
      const auto look = stage.call("monitor", id);
      REQUIRE(look);
      CHECK(look->facts["host_key"]["verified_by"] == "container log");
      CHECK_FALSE(mentions(look->summary, "first use"));
    }
  }
  WHEN("the log comes late and names another key") {
    stage.no_fault(how);
    stage.fault({{"name", "logs-of-another"}});
    stage.house().clock().sleep_for(std::chrono::minutes(6), {});
    THEN("nothing more is sent there") {
      const auto look = stage.call("monitor", id);
      REQUIRE_FALSE(look);
      CHECK(look.error().code == Code::corrupt);
      CHECK(mentions(look.error().what, *rental.host_key));
      CHECK(mentions(look.error().next_step, "destroy"));
      const auto synced = stage.call("setup", id);
      REQUIRE_FALSE(synced);
      CHECK(synced.error().code == Code::corrupt);
      CHECK(mentions(stage.call("list", json::object())->details, "ALARM"));
    }
  }
}

SCENARIO(
    "somebody in between: the machine is never ready, nothing is sent there, and nothing is left of it") {
  NEEDS_MACHINES();
  const std::string how = GENERATE("intruder*", "logs-of-another");
  RentalStage stage(VASTGPU_BINARY, stage_with({how}));
  const auto rented = stage.rent();
  CAPTURE(how);
  REQUIRE_FALSE(rented);
  CHECK(mentions(rented.error().what, "host key is SHA256:"));
  CHECK(mentions(rented.error().what, "but SHA256:"));
  CHECK(mentions(rented.error().what, "printed into its log"));
  CHECK(mentions(rented.error().next_step, "provision"));
  CHECK(machine_failures(stage) >= 1);  // so that it is not tried again
  const auto all = stage.deps().ledger.rentals(false);
  REQUIRE(all);
  for (const Rental& r : *all) {
    CHECK(r.status == Status::destroyed);
    CHECK_FALSE((r.ready || r.ssh || r.host_key));
  }
}

SCENARIO("keys that an image made anew after the first ones were printed: the next try takes the new ones") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, stage_with({"logs-of-another*1"}));  // the log's first look, and no other
  const auto rented = stage.rent();
  if (!rented) FAIL(rented.error().what);
  CHECK(rented->facts["host_key"]["verified_by"] == "container log");
  CHECK(machine_failures(stage) == 0);  // no good machine was given up for it
}

SCENARIO("what is trusted on first use is pinned before anything is sent, and held to from then on") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, stage_with({"logs-never"}));
  const auto rented = stage.rent();
  if (!rented) FAIL(rented.error().what);
  const Deps d = stage.deps();
  const std::string label = only_rental(stage).label;
  const auto stored = [&] { return **d.ledger.rental_by_label(label); };
  const std::string shown = *stored().host_key;
  const auto change = [&](const std::function<void(Rental&)>& how) {
    REQUIRE(d.ledger.change_rental(label, [&](Rental& now) -> Result<void> {
      how(now);
      return {};
    }));
  };

  // As after an adoption: an address, and no key.
  change([](Rental& now) {
    now.host_key.reset();
    now.host_key_line.clear();
    now.log_mark.clear();
  });
  const Rental unpinned = stored();
  CHECK(mentions(host_key_words(unpinned), "not known yet"));
  {
    const auto shell = reach(d, unpinned, {});
    REQUIRE(shell);
    CHECK(stored().host_key == shown);  // nothing was sent yet
    CHECK(stored().host_key_line.starts_with("ssh-ed25519 AAAA"));
    CHECK(stored().host_key_proof == HostKeyProof::first_use);
  }
  // Another key was pinned meanwhile: also a caller that does not know it is refused.
  change([](Rental& now) { now.host_key = "SHA256:" + std::string(43, 'a'); });
  const auto refused = reach(d, unpinned, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::corrupt);

  // A boot that has pinned one and goes on: the machine is held to it, by SSH and by its log.
  WHEN("the boot goes on, the machine shows another key") {
    change([](Rental& now) { now.status = Status::booting; });
    Rental again = stored();
    const auto outcome = wait_ready(d, again, {{}, d.clock.now() + std::chrono::minutes(5)});
    REQUIRE(outcome);
    CHECK(outcome->state == BootOutcome::State::failed);
    CHECK(mentions(outcome->reason, "host key"));
  }
}

SCENARIO("a boot pins the first key before it asks anything") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, stage_with({"logs-never", "wrong-gpu*9"}));  // sees the key, then fails
  const auto rented = stage.rent();
  REQUIRE_FALSE(rented);
  const auto all = stage.deps().ledger.rentals(false);
  REQUIRE(all);
  REQUIRE_FALSE(all->empty());
  for (const Rental& r : *all) {
    CHECK(r.host_key.has_value());
    CHECK(r.host_key_proof == HostKeyProof::first_use);
  }
}

TEST_CASE("Scenario: which line of a log names the key") {
  const std::string good = "SHA256:" + std::string(43, 'a'), other = "SHA256:" + std::string(43, 'b');
  const auto line = [](const std::string& mark, const std::string& key, const std::string& kind) {
    return "vast-gpu host key " + mark + ": 256 " + key + " root@c (" + kind + ")\n";
  };
  CHECK(logged_host_key(line("m1", good, "ED25519"), "m1") == good);
  CHECK(logged_host_key("2026-01-01T00:00:00Z " + line("m1", good, "ED25519"), "m1") == good);
  CHECK(logged_host_key(line("m1", other, "RSA") + line("m1", good, "ED25519") + line("m1", other, "ECDSA"),
                        "m1") == good);
  CHECK(logged_host_key(line("m1", other, "ED25519") + line("m1", good, "ED25519"), "m1") == good);
  CHECK(logged_host_key(line("m1", good, "ECDSA") + line("m1", other, "RSA"), "m1") == good);
  CHECK_FALSE(logged_host_key(line("m2", good, "ED25519"), "m1"));  // an image that imitates one
  CHECK_FALSE(logged_host_key(line("", good, "ED25519"), ""));
  CHECK_FALSE(logged_host_key(line("m1", "SHA256:short", "ED25519"), "m1"));
  CHECK_FALSE(logged_host_key("vast-gpu host key m1: 256", "m1"));
}
