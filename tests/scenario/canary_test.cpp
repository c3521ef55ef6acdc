// A few minutes of the real command before hours of it, on a real machine.

#include "fleet/learn.h"
#include "fleet/reach.h"
#include "fleet/reap.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;

namespace {

// `sleep` of the sandbox's machines goes with their clock.
constexpr const char* kSteady =
    "echo made >results/canary-was-here.txt; "
    "i=0; while true; do i=$((i+10)); echo \"step $i/100000 loss 1.0 5.00 it/s\"; sleep 10; done";
constexpr const char* kGreedy =
    "echo 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 9.00 GiB.'; exit 1";

json ready_machine(RentalStage& stage) {
  auto rented = stage.rent();
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  return rented->facts["instance_id"];
}

Result<Envelope> canary(RentalStage& stage, const json& id, const std::string& command) {
  return stage.call_until("run",
                          {{"instance_id", id},
                           {"command", command},
                           {"experiment", "exp01"},
                           {"canary", true},
                           {"canary_minutes", 2},
                           {"wait_seconds", 60}},
                          "canary_running");
}

}  // namespace

SCENARIO("a canary runs for its minutes, leaves nothing in the results, and says what the whole costs here") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 60});
  const json id = ready_machine(stage);
  auto said = canary(stage, id, kSteady);
  INFO((said ? to_text(*said) : said.error().what));
  REQUIRE(said);
  CHECK(said->outcome == "canary_fits");
  const json& facts = said->facts["canary"];
  CHECK(facts["ran_to_its_end"] == true);
  CHECK(facts["steps_per_second"].get<double>() == Approx(5));
  CHECK(facts["hours_for_all"].get<double>() == Approx(100'000 / 5.0 / 3600));
  CHECK(facts["usd_for_all_here"].get<double>() > 0);
  CHECK(facts["lease_is_long_enough"] == false);  // five and a half hours on a lease for one
  REQUIRE_FALSE(said->next.empty());
  CHECK(said->next.front().tool == "run");
  CHECK_FALSE(said->next.front().arguments.contains("canary"));

  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE((rental && *rental));
  auto shell = reach(stage.deps(), **rental, {});
  REQUIRE(shell);
  const auto left = (*shell)->exec(
      "ls /workspace/project/results /workspace/.vast-gpu/canary 2>/dev/null; pgrep -f canary-was-here", {},
      {});
  REQUIRE(left);
  CHECK(left->out.find("canary-was-here") == std::string::npos);
  CHECK(left->out.find("exp01") == std::string::npos);

  THEN("asking again shows the verdict without another trial, and the real run starts by itself") {
    const auto events = stage.deps().ledger.jobs((*rental)->label);
    REQUIRE(events);
    auto again = canary(stage, id, kSteady);
    REQUIRE(again);
    CHECK(again->facts["canary"]["steps_per_second"] == facts["steps_per_second"]);
    const auto after = stage.deps().ledger.jobs((*rental)->label);
    REQUIRE(after);
    REQUIRE(after->size() == 1);
    CHECK(after->front().started == events->front().started);
    auto runs = stage.call("run", {{"instance_id", id}, {"command", kSteady}, {"experiment", "exp01"}});
    REQUIRE(runs);
    CHECK(runs->outcome == "running");
    auto both = stage.call(
        "run", {{"instance_id", id}, {"experiment", "exp01"}, {"restart", true}, {"canary", true}});
    REQUIRE_FALSE(both);
    CHECK(both.error().code == Code::invalid_argument);
  }

  THEN("what was installed since makes the verdict an old one") {
    const auto first = stage.deps().ledger.jobs((*rental)->label);
    auto set = stage.call_until("setup", {{"instance_id", id}, {"wait_seconds", 600}}, "installing");
    REQUIRE(set);
    auto again = stage.call("run", {{"instance_id", id},
                                    {"command", kSteady},
                                    {"experiment", "exp01"},
                                    {"canary", true},
                                    {"canary_minutes", 2},
                                    {"wait_seconds", 0}});
    REQUIRE(again);
    CHECK(again->outcome == "canary_running");
    const auto second = stage.deps().ledger.jobs((*rental)->label);
    REQUIRE((first && second));
    CHECK(second->front().started > first->front().started);
  }
}

SCENARIO("after a canary the real run ends its machine as it would without one") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 60});
  const json id = ready_machine(stage);
  const json call{{"instance_id", id}, {"command", kSteady},   {"experiment", "exp01"},
                  {"gpus", "0"},       {"auto_destroy", true}, {"wait_seconds", 600},
                  {"canary", true},    {"canary_minutes", 2}};
  auto said = stage.call_until("run", call, "canary_running");
  REQUIRE(said);
  REQUIRE_FALSE(said->next.empty());
  CHECK(said->next.front().arguments["gpus"] == "0");  // what was tried is what is proposed
  CHECK(said->next.front().arguments["auto_destroy"] == true);

  ReapRequest pass;
  pass.look_every = {};
  PassReport report = reap(stage.deps(), pass, {});
  REQUIRE(report.ours.size() == 1);
  INFO(to_words(report));
  CHECK(report.ours.front().bill == PassLine::Bill::bills);  // the work is still to come

  json real = said->next.front().arguments;
  real["command"] = "mkdir -p results; echo 42 >results/answer.txt";
  REQUIRE(stage.call("run", real));
  REQUIRE(stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}}));
  report = reap(stage.deps(), pass, {});
  REQUIRE(report.ours.size() == 1);
  INFO(to_words(report));
  CHECK(report.ours.front().bill == PassLine::Bill::none);
  REQUIRE(report.ours.front().receipt);
  CHECK(report.ours.front().receipt->complete);
}

SCENARIO("a canary that runs out of memory says which card has more") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = ready_machine(stage);
  auto said = canary(stage, id, kGreedy);
  INFO((said ? to_text(*said) : said.error().what));
  REQUIRE(said);
  CHECK(said->outcome == "canary_out_of_memory");
  CHECK(said->facts["canary"]["out_of_memory"] == true);
  CHECK(said->facts["canary"]["usd_for_all_here"].is_null());
  REQUIRE_FALSE(said->next.empty());
  CHECK(said->next.front().tool == "rent");
}
