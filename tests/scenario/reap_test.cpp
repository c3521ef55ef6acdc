// vast-gpu reap and vast-gpu panic as processes of their own: what they end, what they leave, what they
// answer.

#include <csignal>
#include <thread>

#include "core/files.h"
#include "core/text.h"
#include "fleet/rescue.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

struct Said {
  int code = -1;
  std::string text;
};

/// A process whose output is read later, so that several can run at once.
class Command {
 public:
  Command(RentalStage& stage, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {VASTGPU_BINARY, "-q"});
    auto child =
        Child::start(arguments, stage.environment(), (stage.folder().path() / "command.log").string());
    REQUIRE(child);
    child_ = std::make_unique<Child>(*std::move(child));
  }
  Said said() {
    Said s;
    while (const auto line = child_->read_line(std::chrono::seconds(90))) s.text += *line + "\n";
    s.code = child_->finish(std::chrono::seconds(5));
    return s;
  }

  void interrupt() { ::kill(child_->pid(), SIGINT); }

 private:
  std::unique_ptr<Child> child_;
};

Said said_by(RentalStage& stage, std::vector<std::string> arguments) {
  return Command(stage, std::move(arguments)).said();
}

bool mentions(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

json rent_and_run(RentalStage& stage, const std::string& command, const std::string& experiment,
                  const json& wish = json::object()) {
  auto rented = stage.rent(wish);
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  REQUIRE(rented->outcome == "ready");
  const json id = rented->facts["instance_id"];
  REQUIRE(stage.call("run", {{"instance_id", id}, {"command", command}, {"experiment", experiment}}));
  return id;
}

std::int64_t rent_beside(RentalStage& stage, const std::string& label) {
  const json offers = stage.admin("POST", "/api/v0/bundles/",
                                  {{"limit", 1}, {"num_gpus", {{"eq", 1}}}, {"rentable", {{"eq", true}}}});
  const json made = stage.admin(
      "PUT", "/api/v0/asks/" + std::to_string(offers["offers"][0]["id"].get<std::int64_t>()) + "/",
      {{"image", "ubuntu:22.04"}, {"disk", 10}, {"label", label}});
  stage.house().clock().sleep_for(std::chrono::seconds(10), {});
  return made["new_contract"];
}

bool alive(RentalStage& stage, const json& id) {
  const json truth = stage.state();
  return std::ranges::any_of(truth["contracts"],
                             [&](const json& c) { return c["id"] == id && c["alive"] == true; });
}

Status status_of(RentalStage& stage, const json& id) {
  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE(rental);
  REQUIRE(*rental);
  return (*rental)->status;
}

constexpr const char* kShort = "mkdir -p results && echo 42 >results/answer.txt";
constexpr const char* kEndless =
    "mkdir -p results; echo 1 >results/part.txt; while true; do /bin/sleep 0.05; done";

}  // namespace

SCENARIO("reap leaves what runs, ends what is over with a receipt, and never touches a stranger") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = rent_and_run(
      stage, std::string(kShort) + "; while [ ! -e /workspace/go ]; do /bin/sleep 0.05; done", "exp01");
  const auto theirs = rent_beside(stage, "their-job");

  const Said early = said_by(stage, {"reap"});
  INFO(early.text);
  CHECK(early.code == 1);
  CHECK(mentions(early.text, "exp01 is running"));
  CHECK(alive(stage, id));

  {
    auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
    REQUIRE(rental);
    auto shell = stage.house().connector().connect({{*(*rental)->ssh}, (*rental)->host_key}, {});
    REQUIRE(shell);
    REQUIRE(shell->shell->exec("touch /workspace/go", {}, {}));
  }
  REQUIRE(stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}}));

  // The project's word stands above that of the experiment.
  stage.folder().write("project/CLAUDE.md", "## Vast.ai\n- gpu: vast\n- auto_destroy: false\n");
  const Said kept = said_by(stage, {"reap", "--project", stage.project().string()});
  INFO(kept.text);
  CHECK(kept.code == 1);
  CHECK(mentions(kept.text, "auto_destroy is off"));
  CHECK(alive(stage, id));
  stage.folder().write("project/CLAUDE.md", "## Vast.ai\n- gpu: vast\n- max_budget: 5.00\n");

  const Said reaped = said_by(stage, {"reap", "--json"});
  INFO(reaped.text);
  CHECK(reaped.code == 0);
  auto facts = parse_json(reaped.text, "reap");
  REQUIRE(facts);
  REQUIRE((*facts)["rentals"].size() == 1);
  const json& line = (*facts)["rentals"][0];
  CHECK(line["bill"] == "gone");
  CHECK(line["receipt"]["complete"] == true);
  CHECK(line["cost"]["usd_own_count"].get<double>() <= line["cost"]["usd_worst_case"].get<double>());
  REQUIRE((*facts)["others_untouched"].size() == 1);
  CHECK((*facts)["others_untouched"][0]["instance_id"] == theirs);
  CHECK(read_file(stage.project() / "results" / "answer.txt", 100).value_or("") == "42\n");
  CHECK(fs::exists(stage.project() / "logs" / ("receipt-" + id.dump() + ".json")));
  CHECK_FALSE(alive(stage, id));
  CHECK(alive(stage, theirs));
  CHECK(said_by(stage, {"reap"}).code == 0);
}

SCENARIO("two reaps at once end a finished job once, and both know that it is gone") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = rent_and_run(stage, kShort, "exp01");
  REQUIRE(stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}}));
  Command one(stage, {"reap"}), two(stage, {"reap"});
  const Said first = one.said(), second = two.said();
  INFO(first.text << second.text);
  CHECK(first.code == 0);
  CHECK(second.code == 0);
  CHECK_FALSE(alive(stage, id));
  CHECK(status_of(stage, id) == Status::destroyed);
  CHECK(read_file(stage.project() / "results" / "answer.txt", 100).value_or("") == "42\n");
}

SCENARIO("what cannot be known is 2, never 0, and nothing is written down as gone") {
  const std::string fault = GENERATE("api-down", "short-list=0", "deprecated=/api/v1/instances/", "auth-404");
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  auto id = stage.quote();
  REQUIRE(id);
  auto rented = stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 0}});
  REQUIRE(rented);
  const json instance = rented->facts["instance_id"];
  stage.house().clock().sleep_for(std::chrono::seconds(120), {});
  const Status before = status_of(stage, instance);
  const auto equals = fault.find('=');
  json wanted{{"name", fault.substr(0, equals)}};
  if (equals != std::string::npos) wanted["value"] = fault.substr(equals + 1);
  stage.fault(wanted);
  CAPTURE(fault);
  const Said unknown = said_by(stage, {"reap"});
  INFO(unknown.text);
  CHECK(unknown.code == 2);
  CHECK(mentions(unknown.text, "UNKNOWN"));
  auto facts = parse_json(said_by(stage, {"reap", "--json"}).text, "reap");
  REQUIRE(facts);
  CHECK((*facts)["exit_code"] == 2);
  stage.no_fault(wanted["name"]);
  CHECK(status_of(stage, instance) == before);
  CHECK(alive(stage, instance));
  const Said seen = said_by(stage, {"reap"});
  INFO(seen.text);
  CHECK(seen.code == 1);
}

SCENARIO("no key and no such folder are 2; a broken ledger is kept aside and made anew from the live list") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  CHECK(said_by(stage, {"reap"}).code == 0);
  CHECK(said_by(stage, {"reap", "--project", "/no/such/folder"}).code == 2);
  std::string ledger;
  for (const auto& entry : fs::directory_iterator(stage.folder().path() / "state"))
    if (entry.path().extension() == ".sqlite") ledger = "state/" + entry.path().filename().string();
  REQUIRE_FALSE(ledger.empty());
  stage.folder().write(ledger, std::string(8192, 'x'));
  fs::remove(stage.folder().path() / (ledger + "-wal"));
  const auto id = rent_beside(stage, "vg-project-0a1b2c3d4e5f");
  const Said broken = said_by(stage, {"reap"});
  INFO(broken.text);
  CHECK(broken.code == 1);
  CHECK(mentions(broken.text, std::to_string(id)));
  bool kept = false;
  for (const auto& entry : fs::directory_iterator(stage.folder().path() / "state"))
    kept |= mentions(entry.path().filename().string(), ".sqlite.damaged-");
  CHECK(kept);
  const auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(mentions(listed->details, "the ledger was damaged"));
  CHECK(listed->facts["ledger_rebuilt"].is_string());
}

SCENARIO("a contract with our label that the ledger lost is adopted and named; panic ends it") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  const auto id = rent_beside(stage, "vg-project-0a1b2c3d4e5f");
  const auto theirs = rent_beside(stage, "vg");
  fs::create_directories(stage.folder().path() / "elsewhere");
  const Said other = said_by(stage, {"reap", "--project", (stage.folder().path() / "elsewhere").string()});
  INFO(other.text);
  CHECK(other.code == 0);
  CHECK(mentions(other.text, "unknown project"));

  const Said adopted = said_by(stage, {"reap"});
  INFO(adopted.text);
  CHECK(adopted.code == 1);
  CHECK(mentions(other.text, "[orphan]"));  // adopted when it was seen for the first time
  CHECK(mentions(adopted.text, "[ours]"));
  auto rental = stage.deps().ledger.rental_by_instance({id});
  REQUIRE(rental);
  REQUIRE(*rental);
  CHECK((*rental)->label == "vg-project-0a1b2c3d4e5f");
  CHECK(alive(stage, id));
  CHECK(mentions(said_by(stage, {"reap"}).text, "[ours]"));

  const Said refused = said_by(stage, {"panic"});
  CHECK(refused.code == 2);
  CHECK(alive(stage, id));
  const Said ended = said_by(stage, {"panic", "--yes", "--collect-seconds", "5"});
  INFO(ended.text);
  CHECK(ended.code == 0);
  CHECK(mentions(ended.text, "LOST"));  // somebody may have worked on it
  CHECK_FALSE(alive(stage, id));
  CHECK(alive(stage, theirs));
}

SCENARIO("the whole ledger is lost: machines are found by their label, and their results come home") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = rent_and_run(stage, kEndless, "exp01");
  const auto before = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE((before && *before));
  for (const auto& entry : fs::directory_iterator(stage.folder().path() / "state"))
    if (entry.path().filename().string().starts_with("ledger-")) fs::remove(entry.path());
  stage.restart_house();
  const Said adopted = said_by(stage, {"reap", "--project", stage.project().string()});
  INFO(adopted.text);
  CHECK(adopted.code == 1);
  CHECK(mentions(adopted.text, "[orphan]"));
  CHECK(mentions(adopted.text, "exp01"));  // its screen session is seen
  const auto again = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE((again && *again));
  CHECK_FALSE((*again)->adopted);  // rented from here, and its lease was sent along
  CHECK(std::chrono::abs((*again)->lease_end - (*before)->lease_end) <= std::chrono::seconds(1));
  CHECK(std::abs((*again)->worst_case.value - (*before)->worst_case.value) < 1e-3);
  CHECK(alive(stage, id));
  const Said ended = said_by(stage, {"panic", "--yes", "--collect-seconds", "3000"});
  INFO(ended.text);
  CHECK(ended.code == 0);
  CHECK_FALSE(mentions(ended.text, "LOST"));
  CHECK_FALSE(alive(stage, id));
  CHECK(fs::exists(stage.project() / "results" / "part.txt"));
}

SCENARIO("a create without an answer is settled by its label, a rental that vanished is written down") {
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"create-504"}, .machines = false});
  auto quote = stage.quote();
  REQUIRE(quote);
  (void)stage.call("rent", {{"quote_id", *quote}, {"wait_seconds", 0}});
  stage.house().clock().sleep_for(std::chrono::seconds(20), {});
  const Said seen = said_by(stage, {"reap"});
  INFO(seen.text);
  CHECK(seen.code == 1);
  const json truth = stage.state();
  REQUIRE(truth["live_contracts"] == 1);
  const json id = truth["contracts"][0]["id"];
  CHECK(status_of(stage, id) == Status::booting);
  stage.admin("DELETE", "/api/v0/instances/" + id.dump() + "/");
  stage.house().clock().sleep_for(std::chrono::seconds(90), {});
  const Said young = said_by(stage, {"reap"});  // the answer to a slow create may be minutes younger
  CHECK(young.code == 1);
  CHECK(mentions(young.text, "too new to be listed"));
  stage.house().clock().sleep_for(std::chrono::minutes(5), {});
  const Said vanished = said_by(stage, {"reap"});
  INFO(vanished.text);
  CHECK(vanished.code == 0);
  CHECK(mentions(vanished.text, "[vanished]"));
  CHECK(status_of(stage, id) == Status::destroyed);
}

SCENARIO(
    "while another process holds a rental: reap cannot know, and an interrupted panic gives nothing up") {
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .machines = false});
  auto quote = stage.quote();
  REQUIRE(quote);
  auto rented = stage.call("rent", {{"quote_id", *quote}, {"wait_seconds", 0}});
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  const Deps deps = stage.deps();
  auto rental = deps.ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE(rental);
  auto ending = deps.ledger.change_rental((*rental)->label, [](Rental& now) -> Result<void> {
    now.status = Status::destroying;
    return {};
  });
  REQUIRE(ending);
  {
    auto held = FileLock::acquire(deps.settings.state_folder / "locks", ending->label, deps.clock,
                                  deps.clock.now(), {});
    REQUIRE(held);
    const Said unknown = said_by(stage, {"reap"});
    INFO(unknown.text);
    CHECK(unknown.code == 2);
    CHECK(mentions(unknown.text, "another call is working on this rental"));

    const auto looks = [&] {  // at the whole account
      const json routes = stage.state()["requests"];
      int sent = 0;
      for (const auto& [route, count] : routes.items())
        if (route.starts_with("GET /api/v1/instances")) sent += count.get<int>();
      return sent;
    };
    const int before = looks();
    Command panicking(stage, {"panic", "--yes", "--collect-seconds", "3600"});
    while (looks() == before) std::this_thread::yield();
    panicking.interrupt();
    const Said interrupted = panicking.said();
    INFO(interrupted.text);
    CHECK(interrupted.code == 2);
    CHECK_FALSE(mentions(interrupted.text, "LOST"));
    CHECK(alive(stage, id));
  }
  CHECK(said_by(stage, {"reap"}).code == 0);
  CHECK_FALSE(alive(stage, id));
}

SCENARIO("panic ends three machines at once, asks again where a destroy fails, and brings results home") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 100});
  const std::vector<json> ids{rent_and_run(stage, kShort, "exp01"), rent_and_run(stage, kEndless, "exp02"),
                              rent_and_run(stage, "true", "exp03")};
  const auto theirs = rent_beside(stage, "their-job");
  stage.fault({{"name", "api-down"}, {"route", "DELETE /api/v0/instances/" + ids[0].dump()}, {"times", 6}});
  const Said ended = said_by(stage, {"panic", "--yes", "--collect-seconds", "3000"});
  INFO(ended.text);
  CHECK(ended.code == 0);
  CHECK_FALSE(mentions(ended.text, "LOST"));
  CHECK(mentions(ended.text, "total cost $"));
  for (const json& id : ids) {
    CHECK_FALSE(alive(stage, id));
    CHECK(status_of(stage, id) == Status::destroyed);
  }
  CHECK(alive(stage, theirs));
  CHECK(fs::exists(stage.project() / "results" / "answer.txt"));
  CHECK(fs::exists(stage.project() / "results" / "part.txt"));
}

SCENARIO("panic destroys a machine whose SSH is dead and names what was lost") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = rent_and_run(stage, kEndless, "exp01");
  stage.fault({{"name", "offline"}, {"value", "0:0"}, {"instance", id}});
  stage.house().clock().sleep_for(std::chrono::seconds(30), {});
  const Said seen = said_by(stage, {"reap"});
  INFO(seen.text);
  CHECK(seen.code == 1);
  const Said ended = said_by(stage, {"panic", "--yes"});
  INFO(ended.text);
  CHECK(ended.code == 0);
  CHECK(mentions(ended.text, "LOST: results and logs of exp01"));
  CHECK_FALSE(alive(stage, id));
}

SCENARIO("panic while the API is down says unknown and writes nothing as gone") {
  RentalStage stage(VASTGPU_BINARY, {.speed = 1500, .machines = false});
  auto quote = stage.quote();
  REQUIRE(quote);
  auto rented = stage.call("rent", {{"quote_id", *quote}, {"wait_seconds", 0}});
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  stage.fault({{"name", "api-down"}});
  const Said unknown = said_by(stage, {"panic", "--yes", "--discard-results"});
  INFO(unknown.text);
  CHECK(unknown.code == 2);
  CHECK(status_of(stage, id) == Status::destroying);
  stage.no_fault("api-down");
  CHECK(alive(stage, id));
  CHECK(said_by(stage, {"reap"}).code == 0);  // its end was asked for
  CHECK_FALSE(alive(stage, id));
}

SCENARIO("a lease that ended: reap starts the machine once for its results, within what was shown") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 100});
  auto quote = stage.quote({{"lease_hours", 0.5}});
  REQUIRE(quote);
  auto rented = stage.call_until("rent", {{"quote_id", *quote}, {"wait_seconds", 600}}, "booting");
  REQUIRE(rented);
  REQUIRE(rented->outcome == "ready");
  const json id = rented->facts["instance_id"];
  const double worst = rented->facts["usd_worst_case"];
  REQUIRE(stage.call("run", {{"instance_id", id}, {"command", kEndless}, {"experiment", "exp01"}}));
  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE(rental);
  stage.house().clock().sleep_until((*rental)->lease_end + std::chrono::seconds(75), {});
  const Said early = said_by(stage, {"reap"});
  INFO(early.text);
  CHECK(early.code == 1);
  CHECK(mentions(early.text, "stopped at the end of its lease"));
  stage.house().clock().sleep_until((*rental)->lease_end + std::chrono::minutes(5), {});
  const Said reaped = said_by(stage, {"reap"});
  INFO(reaped.text);
  CHECK(reaped.code == 0);
  CHECK(mentions(reaped.text, "started once for its results"));
  CHECK(fs::exists(stage.project() / "results" / "part.txt"));
  CHECK_FALSE(alive(stage, id));
  CHECK(stage.state()["contracts"][0]["billed"]["total"].get<double>() <= worst);
}

SCENARIO("a lease that ended on a machine whose guard is dead: reap stops it") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 100});
  auto quote = stage.quote({{"lease_hours", 0.5}});
  REQUIRE(quote);
  auto rented = stage.call_until("rent", {{"quote_id", *quote}, {"wait_seconds", 600}}, "booting");
  REQUIRE(rented);
  REQUIRE(rented->outcome == "ready");
  const json id = rented->facts["instance_id"];
  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE(rental);
  {
    auto shell = stage.house().connector().connect({{*(*rental)->ssh}, (*rental)->host_key}, {});
    REQUIRE(shell);
    REQUIRE(shell->shell->exec("pkill -f guard.sh", {}, {}));
  }
  stage.house().clock().sleep_until((*rental)->lease_end + std::chrono::seconds(150), {});
  const Said stopped = said_by(stage, {"reap"});
  INFO(stopped.text);
  CHECK(stopped.code == 1);
  CHECK(mentions(stopped.text, "its guard did not stop it: we did"));
  CHECK(stage.state()["contracts"][0]["intended_status"] == "stopped");
}

TEST_CASE("a rescue is paid from what was shown, or not done") {
  Rental r;
  r.created = TimePoint(std::chrono::hours(1000));
  r.lease_end = r.created + std::chrono::hours(2);
  r.price = UsdPerHour{1.2};
  r.worst_case = Usd{2.52};  // two hours, five minutes, two cents of traffic
  const UsdPerHour storage{0.01};
  CHECK(rescue_fits(r, std::nullopt, storage, r.lease_end + std::chrono::minutes(10)));
  CHECK_FALSE(rescue_fits(r, std::nullopt, storage, r.lease_end + std::chrono::hours(3)));
  CHECK_FALSE(rescue_fits(r, Usd{2.45}, storage, r.lease_end));  // the provider has counted more than we did
  CHECK(rescue_fits(r, Usd{0.5}, storage, r.lease_end));         // or posts late
  CHECK_FALSE(rescue_fits(r, std::nullopt, storage, r.lease_end + std::chrono::minutes(10), 50));
}
