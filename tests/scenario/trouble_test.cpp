// Bad input and trouble: one clear sentence, what to do next, no machine left running, no record lost.

#include "core/files.h"
#include "sandbox/machine.h"
#include "tests/support/catch.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {
bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}
bool says_what_to_do(const Error& e) { return !e.what.empty() && !e.next_step.empty(); }
}  // namespace

SCENARIO("no key: nothing is sent, and the answer says where a key goes") {
  RentalStage stage(VASTGPU_BINARY, {.api_key = "", .machines = false});
  auto profile = stage.call("provision", {{"task", "train"}, {"offers", false}});
  CHECK(profile);  // needs neither key nor network
  for (const std::string tool : {"provision", "list"}) {
    auto answer = stage.call(tool, json::object());
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Code::unauthenticated);
    CHECK(mentions(answer.error().next_step, "VAST_API_KEY"));
  }
}

SCENARIO("a wrong key, in both shapes that the marketplace uses") {
  const std::string shape = GENERATE("auth-404", "auth-401");
  RentalStage stage(
      VASTGPU_BINARY,
      {.faults = {shape}, .api_key = shape == "auth-401" ? "wrong-key" : "sandbox-key", .machines = false});
  auto answer = stage.call("provision", {{"task", "train"}});
  REQUIRE_FALSE(answer);
  CAPTURE(shape, answer.error().what);
  CHECK(answer.error().code == Code::unauthenticated);
  CHECK(says_what_to_do(answer.error()));
  auto list = stage.call("list", json::object());
  REQUIRE_FALSE(list);  // never "nothing rented"
  CHECK(list.error().code == Code::unauthenticated);
}

SCENARIO("no credit: refused before anything is rented") {
  RentalStage stage(VASTGPU_BINARY, {.credit = 0.0, .machines = false});
  auto answer = stage.rent();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::over_budget);
  CHECK(mentions(answer.error().next_step, "credit"));
  CHECK(stage.creates_sent() == 0);
}

SCENARIO("the marketplace refuses for lack of credit at the create") {
  RentalStage stage(VASTGPU_BINARY, {.faults = {"no-credit"}, .machines = false});
  auto answer = stage.rent();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::over_budget);
  CHECK(says_what_to_do(answer.error()));
  CHECK(stage.state()["live_contracts"] == 0);
  auto rentals = stage.deps().ledger.rentals(false);
  REQUIRE(rentals);
  REQUIRE(rentals->size() == 1);
  CHECK(rentals->front().status == Status::refused);  // on record, and over
}

SCENARIO("the worst case does not fit the budget") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  stage.folder().write("project/CLAUDE.md", "## Vast.ai\n- gpu: vast\n- max_budget: 0.01\n");
  auto answer = stage.call("provision", {{"task", "train"}, {"vram_gib", 8}, {"hours", 1}});
  REQUIRE(answer);
  CHECK(answer->outcome == "nothing_fits");
  CHECK(mentions(answer->summary, "budget"));
  CHECK(mentions(answer->summary, "short"));
}

SCENARIO("a tiny run is offered a bid beside the three options, at what bids cost now") {
  RentalStage stage(VASTGPU_BINARY, {.faults = {"dirty-data"}, .machines = false});
  auto answer = stage.call("provision", {{"task", "train"}, {"vram_gib", 8}, {"hours", 0.2}});
  REQUIRE(answer);
  CHECK(answer->facts["options"].size() == 3);
  const json bid = answer->facts["interruptible_proposal"];
  REQUIRE(bid.is_object());
  CHECK(bid["bid_usd_per_hour"].get<double>() > 0);
  CHECK(answer->facts["checkpoint_advice"].contains(bid["gpu"].get<std::string>()));
  CHECK(mentions(answer->details, "save a checkpoint every"));
  CHECK(bid["estimate"]["total_usd"].get<double>() <
        answer->facts["options"][0]["estimate"]["total_usd"].get<double>());
  auto rented = stage.call("rent", {{"quote_id", bid["quote_id"]}, {"wait_seconds", 0}});
  REQUIRE(rented);
  const json truth = stage.state();
  REQUIRE(truth["contracts"].size() == 1);
  CHECK(truth["contracts"][0]["intended_status"] == "running");  // the bid was high enough
}

SCENARIO("no SSH key anywhere: one is made, registered, and works") {
  if (sandbox::machines_unavailable()) return;
  RentalStage stage(VASTGPU_BINARY, {});
  auto rented = stage.rent();
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  CHECK(rented->outcome == "ready");
  const auto key = stage.folder().path() / "state" / "ssh" / "id_ed25519";
  REQUIRE(fs::exists(key));
  CHECK((fs::status(key).permissions() & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
  CHECK(stage.call("destroy", {{"instance_id", rented->facts["instance_id"]}, {"wait_seconds", 600}}));
}

SCENARIO("no SSH key can be made: said before money moves") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  auto id = stage.quote();
  REQUIRE(id);
  stage.folder().write("state/ssh", "a file where the folder should be");
  auto answer = stage.call("rent", {{"quote_id", *id}});
  REQUIRE_FALSE(answer);
  CHECK(says_what_to_do(answer.error()));
  CHECK(stage.creates_sent() == 0);
}

SCENARIO("a team account cannot hold keys: the key attached to the instance lets us in") {
  if (sandbox::machines_unavailable()) return;
  RentalStage stage(VASTGPU_BINARY, {.faults = {"team-keys"}});
  auto rented = stage.rent();
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  CHECK(rented->outcome == "ready");
  CHECK(stage.call("destroy", {{"instance_id", rented->facts["instance_id"]}, {"wait_seconds", 600}}));
}

SCENARIO("somebody else took the offer, in every shape: the quote's next machine is rented") {
  if (sandbox::machines_unavailable()) return;
  const std::string shape = GENERATE("400", "404", "410");
  RentalStage stage(VASTGPU_BINARY, {.faults = {"offer-gone=" + shape}});
  auto rented = stage.rent();
  INFO(shape << ": " << (rented ? rented->summary : rented.error().what));
  if (!rented) {  // no stand-in within the same limit: then the way out is named
    CHECK(rented.error().code == Code::not_found);
    CHECK(mentions(rented.error().next_step, "provision"));
    CHECK(stage.state()["live_contracts"] == 0);
    return;
  }
  CHECK(rented->outcome == "ready");
  CHECK(rented->facts["machines_given_up"].size() == 1);
  CHECK(stage.state()["live_contracts"] == 1);
  CHECK(stage.call("destroy", {{"instance_id", rented->facts["instance_id"]}, {"wait_seconds", 600}}));
}

SCENARIO("an unknown instance, for every tool that takes one") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  const std::vector<std::pair<std::string, json>> calls{
      {"setup", {{"instance_id", 999}}},
      {"run", {{"instance_id", 999}, {"command", "true"}, {"experiment", "x"}}},
      {"monitor", {{"instance_id", 999}}},
      {"collect", {{"instance_id", 999}}},
      {"extend", {{"instance_id", 999}, {"hours", 1}}},
      {"destroy", {{"instance_id", 999}}}};
  for (const auto& [tool, arguments] : calls) {
    auto answer = stage.call(tool, arguments);
    REQUIRE_FALSE(answer);
    CAPTURE(tool);
    CHECK(answer.error().code == Code::not_found);
    CHECK(mentions(answer.error().next_step, "list"));
  }
  auto quote = stage.call("rent", {{"quote_id", "q-nothing"}});
  REQUIRE_FALSE(quote);
  CHECK(quote.error().code == Code::not_found);
}

SCENARIO("a project without any file still gets options, and every number is marked as a guess") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  fs::create_directories(stage.folder().path() / "empty");
  auto answer = stage.call("provision", {{"project", (stage.folder().path() / "empty").string()}});
  REQUIRE(answer);
  CHECK(answer->outcome == "options");
  for (const json& e : answer->facts["profile"]["evidence"]) {
    CAPTURE(e.dump());
    CHECK((e["guess"] == true || e["source"].get<std::string>().starts_with("image")));
  }
  CHECK(answer->facts["profile"]["hours"].is_null());
  CHECK_FALSE(answer->facts["profile"]["unknown"].empty());
  auto nowhere = stage.call("provision", {{"project", "/no/such/folder"}});
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code == Code::invalid_argument);
}

SCENARIO("a broken instance file is kept, named, and does not stop the work") {
  if (sandbox::machines_unavailable()) return;
  RentalStage stage(VASTGPU_BINARY, {});
  const std::string broken = "[{\"instance_id\": 70010001, \"status\": \"runn";
  stage.folder().write("project/vast-instances.json", broken);
  auto rented = stage.rent();
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  CHECK(rented->outcome == "ready");
  REQUIRE(rented->facts["warnings"].size() == 1);
  CHECK(mentions(rented->facts["warnings"][0], "vast-instances.json"));
  CHECK(read_file(stage.project() / "vast-instances.json", 1000).value_or("") == broken);
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(listed->facts.contains("instance_file_problem"));
  CHECK(stage.call("destroy", {{"instance_id", rented->facts["instance_id"]}, {"wait_seconds", 600}}));
  CHECK(read_file(stage.project() / "vast-instances.json", 1000).value_or("") == broken);
}

/// Every machine of the quote fails in the same way: all are destroyed, confirmed gone, and remembered.
void every_machine_fails(const std::string& fault, const std::string& words, double speed) {
  if (sandbox::machines_unavailable()) return;
  RentalStage stage(VASTGPU_BINARY, {.speed = speed, .faults = {fault}});
  auto rented = stage.rent();
  CAPTURE(fault);
  REQUIRE_FALSE(rented);
  INFO(rented.error().what);
  CHECK(rented.error().code == Code::not_found);
  CHECK(mentions(rented.error().what, words));
  CHECK(mentions(rented.error().next_step, "provision"));
  const json truth = stage.state();
  CHECK(truth["live_contracts"] == 0);
  CHECK(truth["billing_contracts"] == 0);
  auto deps = stage.deps();
  auto failures = deps.ledger.machine_failures({});
  REQUIRE(failures);
  CHECK(failures->size() == truth["contracts"].size());
  auto rentals = deps.ledger.rentals(false);
  REQUIRE(rentals);
  for (const Rental& r : *rentals) CHECK((r.status == Status::destroyed || r.status == Status::refused));
  // The next search leaves them out.
  auto options = stage.call("provision", {{"task", "train"}, {"vram_gib", 8}, {"hours", 1}});
  REQUIRE(options);
  for (const json& o : options->facts["options"])
    for (const MachineFailure& f : *failures) CHECK(o["machine_id"] != f.machine.value);
}

SCENARIO("machines that never boot") { every_machine_fails("never-boots*", "not ready within", 300); }
SCENARIO("machines whose SSH port refuses") { every_machine_fails("ssh-refused*", "not ready within", 300); }
SCENARIO("machines that accept no key") { every_machine_fails("ssh-denied*", "not ready within", 300); }
SCENARIO("machines that cannot start containers") {
  every_machine_fails("bad-host*", "cannot start containers", 150);
}
SCENARIO("machines with another GPU than was sold") { every_machine_fails("wrong-gpu*", "sold were", 150); }

SCENARIO("a wrong image name is our mistake: one machine is tried, not all of them") {
  RentalStage stage(VASTGPU_BINARY, {.faults = {"bad-image*"}, .machines = false});
  auto rented = stage.rent();
  REQUIRE_FALSE(rented);
  CHECK(rented.error().code == Code::invalid_argument);
  CHECK(mentions(rented.error().next_step, "image"));
  CHECK(stage.creates_sent() == 1);
  CHECK(stage.state()["live_contracts"] == 0);
}

SCENARIO("only the relay leads in: it is used") {
  if (sandbox::machines_unavailable()) return;
  RentalStage stage(VASTGPU_BINARY, {.faults = {"proxy-only"}});
  auto rented = stage.rent();
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  CHECK(rented->outcome == "ready");
  CHECK(stage.instance_file().at(0)["ssh_host"] == "127.0.0.1");
  CHECK(stage.call("destroy", {{"instance_id", rented->facts["instance_id"]}, {"wait_seconds", 600}}));
}

SCENARIO("the create happened but its answer was lost: the label finds it, and no second create is sent") {
  if (sandbox::machines_unavailable()) return;
  RentalStage stage(VASTGPU_BINARY, {.faults = {"create-504"}});
  auto id = stage.quote();
  REQUIRE(id);
  Result<Envelope> rented = fail({});
  for (int turn = 0; turn < 20; ++turn) {
    rented = stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 600}});
    REQUIRE(rented);
    if (rented->outcome == "ready") break;
  }
  CHECK(rented->outcome == "ready");
  CHECK(stage.creates_sent() == 1);
  CHECK(stage.state()["live_contracts"] == 1);
  CHECK(stage.call("destroy", {{"instance_id", rented->facts["instance_id"]}, {"wait_seconds", 600}}));
}

SCENARIO("a create whose answer was lost makes at most one machine, however late its contract shows") {
  // Lost for good; or made, and in no list for seven minutes, longer than an intent without a contract is
  // kept open.
  const bool appears = GENERATE(false, true);
  const std::vector<std::string> faults = appears ? std::vector<std::string>{"create-504", "not-visible=420"}
                                                  : std::vector<std::string>{"create-504-lost"};
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = faults, .machines = false});
  auto id = stage.quote();
  REQUIRE(id);
  Result<Envelope> rented = fail({});
  for (int turn = 0; turn < 10; ++turn) {
    rented = stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 600}});
    if (!rented || rented->outcome != "unsettled") break;
  }
  CAPTURE(appears);
  REQUIRE_FALSE(rented);
  CHECK(rented.error().code == Code::not_found);
  CHECK(mentions(rented.error().what, "never confirmed"));
  CHECK_FALSE(
      stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 0}}));  // the quote is over, also next time
  CHECK(stage.creates_sent() == 1);
  stage.house().clock().sleep_for(std::chrono::minutes(8), {});
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(listed->facts["instances"].size() == (appears ? 1u : 0u));
  if (!appears) return;
  CHECK(listed->facts["instances"][0]["kind"] == "adopted");
  CHECK(stage.call_until(
      "destroy", {{"instance_id", listed->facts["instances"][0]["instance_id"]}, {"wait_seconds", 600}},
      "destroying"));
  CHECK(stage.state()["live_contracts"] == 0);
}

SCENARIO("a call that is cancelled while booting loses nothing, and calling again continues") {
  if (sandbox::machines_unavailable()) return;
  RentalStage stage(VASTGPU_BINARY, {});
  auto id = stage.quote();
  REQUIRE(id);
  std::stop_source stop;
  std::jthread canceller([&] {
    while (stage.creates_sent() == 0) std::this_thread::yield();
    stop.request_stop();
  });
  auto cancelled = stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 600}}, stop.get_token());
  canceller.join();
  CHECK((!cancelled || cancelled->outcome != "ready"));
  stage.restart_house();  // as if the server had died, too
  Result<Envelope> rented = fail({});
  for (int turn = 0; turn < 20; ++turn) {
    rented = stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 600}});
    REQUIRE(rented);
    if (rented->outcome == "ready") break;
  }
  CHECK(rented->outcome == "ready");
  CHECK(stage.creates_sent() == 1);
  CHECK(stage.call("destroy", {{"instance_id", rented->facts["instance_id"]}, {"wait_seconds", 600}}));
}

SCENARIO(
    "a listing that fails, is short or repeats itself is unknown: nothing is rented, nothing is called "
    "gone") {
  const std::string fault =
      GENERATE("short-list=0", "deprecated=/api/v1/instances/", "gateway-502", "api-down");
  RentalStage stage(VASTGPU_BINARY, {.speed = 600, .machines = false});
  auto id = stage.quote();
  REQUIRE(id);
  if (fault.starts_with("short-list")) {  // something must be there to be short of
    const json offers = stage.admin("POST", "/api/v0/bundles/", {{"limit", 1}, {"rentable", {{"eq", true}}}});
    stage.admin("PUT", "/api/v0/asks/" + std::to_string(offers["offers"][0]["id"].get<std::int64_t>()) + "/",
                {{"image", "ubuntu:22.04"}, {"disk", 10}});
    stage.house().clock().sleep_for(std::chrono::seconds(10), {});
  }
  const int before = stage.creates_sent();
  const auto equals = fault.find('=');
  json wanted{{"name", fault.substr(0, equals)}};
  if (equals != std::string::npos) wanted["value"] = fault.substr(equals + 1);
  stage.fault(wanted);
  CAPTURE(fault);
  auto listed = stage.call("list", json::object());
  REQUIRE_FALSE(listed);
  CHECK(mentions(listed.error().what, "unknown"));
  auto rented = stage.call("rent", {{"quote_id", *id}});
  REQUIRE_FALSE(rented);
  stage.no_fault(wanted["name"]);
  CHECK(stage.creates_sent() == before);
}

SCENARIO("a destroyed machine lingers on the list, or comes back: it is gone only when it is gone") {
  if (sandbox::machines_unavailable()) return;
  const std::string fault = GENERATE("destroy-lag=90", "destroy-resurrects=6");
  RentalStage stage(VASTGPU_BINARY, {.faults = {fault}});
  auto rented = stage.rent();
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  auto ended = stage.call_until(
      "destroy", {{"instance_id", id}, {"discard_results", true}, {"wait_seconds", 20}}, "destroying");
  CAPTURE(fault);
  REQUIRE(ended);
  CHECK(ended->outcome == "destroyed");
  stage.house().clock().sleep_for(std::chrono::seconds(60), {});
  // Should it come back after all, the next look says so and ending it again works.
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  if (!listed->facts["instances"].empty()) {
    CHECK(listed->facts["instances"][0]["kind"] == "returned");
    auto again = stage.call_until("destroy", {{"instance_id", id}, {"wait_seconds", 600}}, "destroying");
    REQUIRE(again);
    CHECK(again->outcome == "destroyed");
  }
  CHECK(stage.state()["live_contracts"] == 0);
}

SCENARIO("a machine that vanished by itself is noticed, and its record says so") {
  if (sandbox::machines_unavailable()) return;
  RentalStage stage(VASTGPU_BINARY, {});
  auto rented = stage.rent();
  REQUIRE(rented);
  const auto id = rented->facts["instance_id"].get<std::int64_t>();
  stage.admin("DELETE", "/api/v0/instances/" + std::to_string(id) + "/");
  stage.house().clock().sleep_for(std::chrono::seconds(90), {});
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(listed->facts["vanished"].size() == 1);
  CHECK(stage.instance_file().at(0)["status"] == "destroyed");
}

SCENARIO("results cannot be brought home: the machine stays until the user says to lose them") {
  if (sandbox::machines_unavailable()) return;
  RentalStage stage(VASTGPU_BINARY, {});
  auto rented = stage.rent();
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  stage.admin("PUT", "/api/v0/instances/" + id.dump() + "/",
              {{"state", "stopped"}});  // by somebody else: SSH is gone
  stage.house().clock().sleep_for(std::chrono::seconds(20), {});
  auto refused = stage.call("destroy", {{"instance_id", id}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::wrong_state);
  CHECK(mentions(refused.error().what, "nothing was destroyed"));
  CHECK(mentions(refused.error().next_step, "discard_results"));
  CHECK(stage.state()["live_contracts"] == 1);
  auto lost = stage.call_until(
      "destroy", {{"instance_id", id}, {"discard_results", true}, {"wait_seconds", 600}}, "destroying");
  REQUIRE(lost);
  CHECK(lost->outcome == "destroyed");
  CHECK(stage.state()["live_contracts"] == 0);
}

SCENARIO("the price rises after renting: the machine is ended, not just complained about") {
  if (sandbox::machines_unavailable()) return;
  RentalStage stage(VASTGPU_BINARY, {.faults = {"repricing=1.5"}});
  auto rented = stage.rent();
  INFO((rented ? rented->summary : rented.error().what));
  if (rented) {  // a stand-in took over at the price that was agreed
    REQUIRE(rented->facts["machines_given_up"].size() == 1);
    CHECK(mentions(rented->facts["machines_given_up"][0], "price rose"));
    CHECK(stage.call(
        "destroy",
        {{"instance_id", rented->facts["instance_id"]}, {"discard_results", true}, {"wait_seconds", 600}}));
  } else {
    CHECK(mentions(rented.error().what, "price rose"));
  }
  CHECK(stage.state()["live_contracts"] == 0);
}

SCENARIO("a budget that cannot be read, or is misspelt, is not no budget") {
  const std::string line =
      GENERATE("max_budget: 0,01", "max_budget: five dollars", "max-budget: 5", "max_bugdet: 5");
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  stage.folder().write("project/CLAUDE.md", "## Vast.ai\n- gpu: vast\n- " + line + "\n");
  auto rented = stage.rent();
  CAPTURE(line);
  REQUIRE_FALSE(rented);
  CHECK(rented.error().code == Code::invalid_argument);
  CHECK(mentions(rented.error().what, "line 3"));
  CHECK(stage.creates_sent() == 0);
}

SCENARIO("credit below the worst case: the marketplace would end the work half way") {
  RentalStage stage(VASTGPU_BINARY, {.credit = 0.05, .machines = false});
  auto rented = stage.rent({{"hours", 5}});
  REQUIRE_FALSE(rented);
  CHECK(rented.error().code == Code::over_budget);
  CHECK(mentions(rented.error().what, "can cost up to"));
  CHECK(stage.creates_sent() == 0);
}

SCENARIO("the home folder is not a project") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  for (const std::string& folder : {(stage.folder().path() / "home").string(), std::string("/")}) {
    auto answer = stage.call("provision", {{"project", folder}});
    REQUIRE_FALSE(answer);
    CHECK(mentions(answer.error().what, "not a project folder"));
  }
}
