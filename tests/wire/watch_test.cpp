// Servers of their own on one ledger: what one process changes, another one tells; what one began, another
// one ends.

#include <set>

#include "tests/support/kept_stage.h"
#include "tests/support/modern_child.h"
#include "tests/support/needs_machines.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

/// A stage whose servers are asked over their pipes.
struct WireStage : KeptStage {
  explicit WireStage(StageOptions options) : KeptStage(options) {}
  ModernChild server(bool tasks = false) {
    return {VASTGPU_BINARY, environment(), tasks, (folder().path() / "server.log").string()};
  }
  /// As a person at a shell does.
  void type(const std::string& tool, const json& arguments) {
    CHECK(start({"-q", "call", tool, dump(arguments)})->finish(60s) == 0);
  }
};

json listening(std::vector<std::string> uris) {
  return {{"notifications", {{"resourcesListChanged", true}, {"resourceSubscriptions", std::move(uris)}}}};
}

/// Reads until each of these was told about; an empty name is the list.
std::set<std::string> told_of(ModernChild& server, std::set<std::string> wanted) {
  const auto all = wanted;
  while (!wanted.empty()) {
    const json message = server.next();
    const std::string method = message.at("method");
    if (method == "notifications/resources/list_changed") wanted.erase("");
    if (method == "notifications/resources/updated")
      wanted.erase(message.at("params").at("uri").get<std::string>());
  }
  return all;
}

json end_of_task(ModernChild& server, const json& task) {
  for (;;) {
    json state = server.ask("tasks/get", {{"taskId", task}}).at("result");
    if (state.at("status") != "working") return state;
    std::this_thread::sleep_for(20ms);
  }
}

std::vector<std::string> completed(ModernChild& server, const json& ref, const std::string& name,
                                   const std::string& typed, json chosen = json::object()) {
  return server
      .ask("completion/complete", {{"ref", ref},
                                   {"argument", {{"name", name}, {"value", typed}}},
                                   {"context", {{"arguments", std::move(chosen)}}}})
      .at("result")
      .at("completion")
      .at("values");
}

}  // namespace

TEST_CASE("what the command line does, a server that watches tells, and asking makes no ledger") {
  WireStage stage({.machines = false});
  stage.fault({{"name", "never-boots"}});
  ModernChild watching = stage.server();
  const std::string file = "vast-gpu://instances", costs = "vast-gpu://costs";
  watching.send("l", "subscriptions/listen", listening({file, costs, "vast-gpu://rentals/nonsense"}));
  CHECK(watching.next().at("params").at("notifications") ==
        json{{"resourcesListChanged", true}, {"resourceSubscriptions", {costs, file}}});
  CHECK_FALSE(stage.house().known_account());  // nothing of an account was asked or made
  CHECK(completed(watching, {{"type", "ref/prompt"}, {"name", "vast-gpu"}}, "request", "destroy ").empty());

  const auto quote = stage.quote();  // in this process: a third one on the ledger
  REQUIRE(quote);
  CHECK(completed(watching, {{"type", "ref/prompt"}, {"name", "vast-gpu"}}, "request", "rent q").size() == 3);
  stage.type("rent", {{"quote_id", *quote}, {"wait_seconds", 0}});
  CHECK(told_of(watching, {"", costs}).size() == 2);
  const auto id = stage.deps().ledger.rentals(true)->at(0).instance;
  REQUIRE(id);
  const std::string rental = "vast-gpu://rentals/" + to_string(*id);
  const json read = watching.ask("resources/read", {{"uri", rental}}).at("result");
  CHECK(json::parse(read.at("contents")[0].at("text").get<std::string>()).at("status") == "booting");
  const json list = watching.ask("resources/list").at("result");
  INFO(dump(list));
  bool listed = false;
  for (const json& one : list.at("resources"))
    listed |= one.at("uri") == rental && one.at("annotations").at("priority") == 0.9;
  CHECK(listed);

  const json machine = {{"type", "ref/resource"}, {"uri", "vast-gpu://rentals/{instance_id}"}};
  CHECK(completed(watching, machine, "instance_id", "") == std::vector{to_string(*id)});
  CHECK(completed(watching, machine, "instance_id", "x").empty());
  CHECK(completed(watching, {{"type", "ref/prompt"}, {"name", "vast-gpu"}}, "request", "destroy ") ==
        std::vector{"destroy " + to_string(*id)});

  watching.send("m", "subscriptions/listen", listening({rental}));
  while (watching.next().at("method") != "notifications/subscriptions/acknowledged") {  // late news of before
  }
  stage.type("destroy", {{"instance_id", id->value}, {"discard_results", true}});
  CHECK(told_of(watching, {"", costs, rental}).size() == 3);
  const json total = watching.ask("resources/read", {{"uri", costs}}).at("result");
  CHECK(json::parse(total.at("contents")[0].at("text").get<std::string>()).at("rentals").size() == 1);
  stage.folder().write("project/vast-instances.json", "[]");  // any program may write it
  CHECK(told_of(watching, {file}).size() == 1);
  CHECK(watching.end() == 0);
}

TEST_CASE("a rental whose server was killed is finished by the next one, with one contract") {
  NEEDS_MACHINES();
  WireStage stage({});
  auto first = std::make_unique<ModernChild>(stage.server(true));
  const auto quote = stage.quote();
  REQUIRE(quote);
  const json made = first->call("rent", {{"quote_id", *quote}});
  INFO(dump(made));
  REQUIRE(made.at("resultType") == "task");
  CHECK(made.at("statusMessage").get<std::string>().find("not ready yet") != std::string::npos);
  first->kill_it();

  ModernChild second = stage.server(true);
  const json rented = end_of_task(second, made.at("taskId"));
  INFO(dump(rented));
  CHECK(rented.at("status") == "completed");
  REQUIRE(rented.at("result").at("structuredContent").at("outcome") == "ready");
  CHECK(stage.creates_sent() == 1);
  const json id = rented.at("result").at("structuredContent").at("instance_id");

  // Work and its log: a look by another process is told, and can be read at home before it is collected.
  const json setup = end_of_task(second, second.call("setup", {{"instance_id", id}}).at("taskId"));
  CHECK(setup.at("result").at("isError") == false);
  const json run =
      second.call("run", {{"instance_id", id}, {"command", "python3 train.py"}, {"experiment", "e1"}});
  INFO(dump(run));
  REQUIRE(run.at("resultType") == "complete");
  const std::string log = "vast-gpu://logs/" + to_string(InstanceId{id.get<std::int64_t>()}) + "/e1";
  CHECK(dump(run.at("content")).find("resource_link") != std::string::npos);
  CHECK(run.at("structuredContent").at("details").get<std::string>().find(log) != std::string::npos);
  CHECK(completed(second, {{"type", "ref/resource"}, {"uri", "vast-gpu://logs/{instance_id}/{experiment}"}},
                  "experiment", "e", {{"instance_id", dump(id)}}) == std::vector<std::string>{"e1"});
  CHECK(completed(second, {{"type", "ref/resource"}, {"uri", "vast-gpu://logs/{instance_id}/{experiment}"}},
                  "experiment", "e", {{"instance_id", "1"}})
            .empty());
  second.send("l", "subscriptions/listen", listening({log}));
  CHECK(second.next().at("params").at("notifications").at("resourceSubscriptions") == json{log});
  stage.type("monitor", {{"instance_id", id}, {"wait_seconds", 600}});
  CHECK(told_of(second, {log}).size() == 1);
  const json read = second.ask("resources/read", {{"uri", log}}).at("result");
  CHECK(read.at("contents")[0].at("text").get<std::string>().find("trained") != std::string::npos);

  const json ended = end_of_task(second, second.call("destroy", {{"instance_id", id}}).at("taskId"));
  INFO(dump(ended));
  CHECK(ended.at("result").at("structuredContent").at("outcome") == "destroyed");
  CHECK(stage.state()["live_contracts"] == 0);
}
