// The whole story of a rental through the ten tools.

#include <cmath>

#include "core/files.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;
namespace fs = std::filesystem;

SCENARIO("a rental from provision to the cost report") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  auto rented = stage.rent();
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  REQUIRE(rented->outcome == "ready");
  const json id{{"instance_id", rented->facts["instance_id"]}};
  const auto with = [&](json more) {
    more.update(id);
    return more;
  };

  // The public record, as other tools read it.
  const json entry = stage.instance_file().at(0);
  CHECK(entry["status"] == "running");
  CHECK(entry["instance_id"] == id["instance_id"]);
  CHECK(entry["gpu_name"].get<std::string>().find(' ') == std::string::npos);
  CHECK(entry["created_at"].get<std::string>().ends_with("Z"));
  CHECK(entry["ssh_url"] == "ssh://root@" + entry["ssh_host"].get<std::string>() + ":" +
                                std::to_string(entry["ssh_port"].get<int>()));
  CHECK(entry["experiment"].is_null());
  CHECK(entry.dump().find("sandbox-key") == std::string::npos);

  stage.folder().write("project/.hidden/secret.json", "{}");
  stage.folder().write("project/data/big.json", "{}");
  auto ready = stage.call_until("setup", with({{"wait_seconds", 600}}), "installing");
  REQUIRE(ready);
  CHECK(ready->outcome == "ready");
  CHECK(ready->facts["packages"] == "requirements.txt");
  CHECK(ready->facts["sent_files"].get<int>() >= 2);
  auto again = stage.call("setup", with({{"wait_seconds", 600}}));
  REQUIRE(again);
  CHECK(again->facts["sent_files"] == 0);  // nothing changed, nothing travels

  const json job =
      with({{"command", "python train.py && while [ ! -e go ]; do /bin/sleep 0.05; done; echo over"},
            {"experiment", "exp01"}});
  REQUIRE(stage.call("run", job));
  CHECK(stage.instance_file().at(0)["experiment"] == "exp01");
  auto same = stage.call("run", job);  // the same command: nothing starts twice
  REQUIRE(same);
  auto other = stage.call("run", with({{"command", "python other.py"}, {"experiment", "exp01"}}));
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Code::wrong_state);

  auto seen = stage.call("monitor", id);
  REQUIRE(seen);
  CHECK(seen->outcome == "running");
  CHECK(seen->facts["guard"]["armed"] == true);
  CHECK(seen->facts["gpu_now"].get<std::string>().find("GiB") != std::string::npos);

  // Rule 6: nothing is destroyed while an experiment runs.
  auto refused = stage.call("destroy", id);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what.find("exp01 is still running") != std::string::npos);
  CHECK(stage.state()["live_contracts"] == 1);

  auto rental = stage.deps().ledger.rental_by_instance({id["instance_id"].get<std::int64_t>()});
  REQUIRE(rental);
  auto shell = stage.house().connector().connect({{*(*rental)->ssh}, (*rental)->host_key}, {});
  REQUIRE(shell);
  auto there = shell->shell->exec("find /workspace/project", {}, {});
  REQUIRE(there);
  CHECK(there->out.find("train.py") != std::string::npos);
  CHECK(there->out.find("secret.json") == std::string::npos);  // hidden folders and data stay at home
  CHECK(there->out.find("big.json") == std::string::npos);
  REQUIRE(shell->shell->exec("touch /workspace/project/go", {}, {}));
  auto over = stage.call("monitor", with({{"wait_seconds", 600}}));
  REQUIRE(over);
  CHECK(over->outcome == "finished");
  CHECK(over->details.find("over") != std::string::npos);
  CHECK(over->next.at(0).tool == "destroy");

  auto collected = stage.call("collect", id);
  REQUIRE(collected);
  CHECK(collected->outcome == "collected");
  CHECK(fs::exists(stage.project() / "results" / "metrics.json"));
  CHECK(fs::exists(stage.project() / "logs" / "exp01.log"));

  auto ended = stage.call_until("destroy", with({{"wait_seconds", 600}}), "destroying");
  INFO((ended ? ended->summary : ended.error().what));
  REQUIRE(ended);
  CHECK(ended->outcome == "destroyed");
  CHECK(ended->facts["receipt"]["complete"] == true);
  CHECK(ended->facts["cost"]["usd_charged"].is_number());
  double by_cause = 0;
  for (const json& cause : ended->facts["cost"]["difference_by_cause"])
    by_cause += cause["usd_difference"].get<double>();
  CHECK(std::abs(by_cause - (ended->facts["cost"]["usd_charged"].get<double>() -
                             ended->facts["cost"]["usd_estimated"].get<double>())) < 1e-4);
  CHECK(ended->facts["cost"]["difference_by_cause"].size() >= 4);
  CHECK(ended->facts["cost"]["usd_charged"].get<double>() <=
        ended->facts["cost"]["usd_worst_case"].get<double>());
  CHECK(stage.instance_file().at(0)["status"] == "destroyed");
  const json truth = stage.state();
  CHECK(truth["live_contracts"] == 0);
  CHECK(truth["billing_contracts"] == 0);
  auto twice = stage.call("destroy", id);  // harmless
  REQUIRE(twice);
  CHECK(twice->outcome == "destroyed");
  auto left = stage.call("list", json::object());
  REQUIRE(left);
  CHECK(left->outcome == "nothing_rented");
}

SCENARIO("a failed experiment is a fact, and its results still come home") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  stage.folder().write("project/bad.py",
                       "import os, sys\nos.makedirs('results', exist_ok=True)\nopen('results/part.txt', "
                       "'w').write('half')\nsys.exit(3)\n");
  auto rented = stage.rent();
  REQUIRE(rented);
  const json id{{"instance_id", rented->facts["instance_id"]}};
  REQUIRE(
      stage.call_until("setup", {{"instance_id", id["instance_id"]}, {"wait_seconds", 600}}, "installing"));
  REQUIRE(stage.call(
      "run", {{"instance_id", id["instance_id"]}, {"command", "python bad.py"}, {"experiment", "bad-1"}}));
  auto over = stage.call("monitor", {{"experiment", "bad-1"}, {"wait_seconds", 600}});
  REQUIRE(over);
  CHECK(over->outcome == "failed");
  CHECK(over->summary.find("exit code 3") != std::string::npos);
  CHECK(over->next.at(0).tool == "collect");  // a failure is looked at before the machine goes
  auto ended =
      stage.call_until("destroy", {{"instance_id", id["instance_id"]}, {"wait_seconds", 600}}, "destroying");
  REQUIRE(ended);
  CHECK(fs::exists(stage.project() / "results" / "part.txt"));
}

SCENARIO("stop_running stops an experiment and keeps what it wrote") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  auto rented = stage.rent();
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  const json command =
      "mkdir -p results; echo first > results/first.txt; while true; do date >> results/grows.txt; "
      "/bin/sleep 0.02; done";
  REQUIRE(stage.call("run", {{"instance_id", id}, {"command", command}, {"experiment", "endless"}}));
  auto seen = stage.call("monitor", {{"instance_id", id}});
  REQUIRE(seen);
  REQUIRE(seen->outcome == "running");
  auto ended = stage.call_until(
      "destroy", {{"instance_id", id}, {"stop_running", true}, {"wait_seconds", 600}}, "destroying");
  INFO((ended ? ended->summary : ended.error().what));
  REQUIRE(ended);
  CHECK(ended->outcome == "destroyed");
  CHECK(fs::exists(stage.project() / "results" / "first.txt"));
  CHECK(fs::exists(stage.project() / "results" / "grows.txt"));
}

SCENARIO("two machines at once: destroy-all ends ours and leaves the stranger") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  auto one = stage.rent();
  REQUIRE(one);
  auto two = stage.rent({{"vram_gib", 16}});
  REQUIRE(two);
  // Somebody else on the same account, by another tool.
  const json offers = stage.admin("POST", "/api/v0/bundles/",
                                  {{"limit", 1}, {"num_gpus", {{"eq", 1}}}, {"rentable", {{"eq", true}}}});
  const auto ask = offers["offers"][0]["id"].get<std::int64_t>();
  const json theirs = stage.admin("PUT", "/api/v0/asks/" + std::to_string(ask) + "/",
                                  {{"image", "ubuntu:22.04"}, {"disk", 10}, {"label", "their-job"}});
  stage.house().clock().sleep_for(std::chrono::seconds(10), {});
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(listed->facts["instances"].size() == 3);
  auto ended = stage.call("destroy-all", {{"wait_seconds", 600}});
  INFO((ended ? to_text(*ended) : ended.error().what));
  REQUIRE(ended);
  CHECK(ended->outcome == "destroyed");
  CHECK(ended->facts["instances"].size() == 2);
  CHECK(ended->facts["others_untouched"].size() == 1);
  const json truth = stage.state();
  CHECK(truth["live_contracts"] == 1);
  for (const json& c : truth["contracts"])
    if (c["id"] == theirs["new_contract"]) CHECK(c["alive"] == true);
}

SCENARIO("extend moves the lease on the machine, within the budget") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  auto rented = stage.rent();
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  const auto before = stage.call("monitor", {{"instance_id", id}});
  REQUIRE(before);
  auto moved = stage.call("extend", {{"instance_id", id}, {"hours", 2}});
  REQUIRE(moved);
  CHECK(moved->facts["machine_told"] == true);
  CHECK(moved->facts["usd_worst_case"].get<double>() > before->facts["usd_worst_case"].get<double>());
  stage.house().clock().sleep_for(std::chrono::seconds(70), {});  // the guard re-reads every 30 s
  auto after = stage.call("monitor", {{"instance_id", id}});
  REQUIRE(after);
  CHECK(after->facts["guard"]["lease_end_on_machine"] == after->facts["lease_ends_at"]);
  CHECK(after->facts["lease_ends_at"] != before->facts["lease_ends_at"]);
  auto absurd = stage.call("extend", {{"instance_id", id}, {"hours", 700}});
  REQUIRE_FALSE(absurd);
  CHECK((absurd.error().code == Code::over_budget || absurd.error().code == Code::wrong_state));
  CHECK(stage.call("destroy", {{"instance_id", id}, {"discard_results", true}, {"wait_seconds", 600}}));
}

SCENARIO("nobody comes back: the guard on the machine stops it at the end of its lease") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 600});
  auto id = stage.quote({{"lease_hours", 0.5}});
  REQUIRE(id);
  auto rented = stage.call_until("rent", {{"quote_id", *id}, {"wait_seconds", 600}}, "booting");
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  REQUIRE(rented->outcome == "ready");
  const double worst = rented->facts["usd_worst_case"];
  {
    auto rental = stage.deps().ledger.rental_by_instance({rented->facts["instance_id"].get<std::int64_t>()});
    REQUIRE(rental);
    auto shell = stage.house().connector().connect({{*(*rental)->ssh}, (*rental)->host_key}, {});
    REQUIRE(shell);
    REQUIRE(shell->shell->exec("echo precious >/workspace/project/results/kept.txt", {}, {}));
  }
  // Nothing of ours runs from here on; the lease passes.
  stage.house().clock().sleep_for(std::chrono::minutes(45), {});
  const json truth = stage.state();
  REQUIRE(truth["contracts"].size() == 1);
  CHECK(truth["contracts"][0]["intended_status"] == "stopped");
  CHECK(truth["contracts"][0]["billed"]["total"].get<double>() <= worst);
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(listed->facts["instances"][0]["status"] == "stopped");

  // The disk is kept: the results are rescued by a short new lease, and only then does the machine go.
  const json instance = rented->facts["instance_id"];
  auto refused = stage.call("destroy", {{"instance_id", instance}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().next_step.find("extend") != std::string::npos);
  auto started = stage.call_until(
      "extend", {{"instance_id", instance}, {"hours", 0.5}, {"wait_seconds", 600}}, "starting");
  INFO((started ? started->summary : started.error().what));
  REQUIRE(started);
  CHECK(started->outcome == "extended");
  auto ended = stage.call_until("destroy", {{"instance_id", instance}, {"wait_seconds", 600}}, "destroying");
  INFO((ended ? ended->summary : ended.error().what));
  REQUIRE(ended);
  CHECK(ended->outcome == "destroyed");
  CHECK(fs::exists(stage.project() / "results" / "kept.txt"));
  CHECK(stage.state()["contracts"][0]["billed"]["total"].get<double>() <=
        ended->facts["cost"]["usd_worst_case"].get<double>());
}
