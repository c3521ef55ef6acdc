// What other tools do by hand with ssh and screen works on our machines, and their files survive us.

#include <cstdio>

#include "core/files.h"
#include "core/text.h"
#include "sandbox/machine.h"
#include "tests/support/catch.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

/// The OpenSSH client, as people and other tools type it.
std::string by_hand(RentalStage& stage, const json& entry, const std::string& command) {
  const std::string line =
      "ssh -i " + shell_quote((stage.folder().path() / "state" / "ssh" / "id_ed25519").string()) +
      " -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -p " +
      std::to_string(entry["ssh_port"].get<int>()) + " root@" + entry["ssh_host"].get<std::string>() + " " +
      shell_quote(command) + " 2>&1";
  FILE* pipe = ::popen(line.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, n);
  ::pclose(pipe);
  return out;
}

}  // namespace

SCENARIO("the steps of other tools work by hand on a machine we rented") {
  if (const auto why = sandbox::machines_unavailable()) {
    WARN("skipped: " << *why);
    return;
  }
  RentalStage stage(VASTGPU_BINARY, {});
  // A file that another tool wrote, with everything that is odd about such files.
  stage.folder().write("project/vast-instances.json", R"([
  {"instance_id": 70010001, "offer_id": 60020002, "gpu_name": "RTX_4090", "num_gpus": 1, "dph": 0.3412,
   "ssh_url": "ssh://root@203.0.113.7:41022", "ssh_host": "203.0.113.7", "ssh_port": 41022, "created_at": "2026-10-02T08:15:00Z",
   "status": "destroyed", "experiment": "old", "estimated_hours": 3.5, "estimated_cost": 1.31, "their_key": [1, {"a": null}]},
  "not an object",
  {"instance_id": "70010009", "status": "loading", "ssh_user": null}
]
)");
  auto rented = stage.rent();
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  const json file = stage.instance_file();
  REQUIRE(file.size() == 4);
  CHECK(file[0]["their_key"] == json::parse(R"([1, {"a": null}])"));
  CHECK(file[1] == "not an object");
  CHECK(file[2] == json::parse(R"({"instance_id": "70010009", "status": "loading", "ssh_user": null})"));
  const json entry = file[3];
  REQUIRE(entry["instance_id"] == id);

  // Run an experiment of ours, then look at it as a monitoring tool would.
  REQUIRE(stage.call_until("setup", {{"instance_id", id}, {"wait_seconds", 600}}, "installing"));
  REQUIRE(stage.call(
      "run",
      {{"instance_id", id},
       {"command", "python train.py; echo words-on-screen; while [ ! -e go ]; do /bin/sleep 0.05; done"},
       {"experiment", "m1_base.seed0"}}));
  std::string screen;
  for (int look = 0; look < 100 && screen.find("words-on-screen") == std::string::npos; ++look)
    screen = by_hand(stage, entry, "screen -S m1_base.seed0 -X hardcopy /tmp/shot && tail -n 50 /tmp/shot");
  CHECK(screen.find("words-on-screen") != std::string::npos);
  CHECK(by_hand(stage, entry, "screen -ls").find(".m1_base.seed0\t") != std::string::npos);
  CHECK(by_hand(stage, entry, "ls /workspace/project/results").find("metrics.json") != std::string::npos);
  CHECK(by_hand(stage, entry, "ls /workspace/*.log").find("/workspace/m1_base.seed0.log") !=
        std::string::npos);
  CHECK(by_hand(stage, entry,
                "cd /workspace/project && python -c 'import torch; print(torch.cuda.is_available())'")
            .find("True") != std::string::npos);

  // Start a job by hand as another tool would: it is seen, and named as not ours.
  by_hand(stage, entry,
          "screen -dmS theirs bash -c 'cd /workspace/project && while true; do /bin/sleep 0.1; done'");
  auto seen = stage.call("monitor", {{"instance_id", id}});
  REQUIRE(seen);
  CHECK(seen->facts["foreign_screens"] == json::array({"theirs"}));

  // A model edits the file between our read and our write: its edit stays.
  json edited = stage.instance_file();
  edited[2]["note"] = "edited by hand";
  stage.folder().write("project/vast-instances.json", edited.dump(2));
  by_hand(stage, entry, "touch /workspace/project/go; screen -S theirs -X quit");
  auto over = stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}});
  REQUIRE(over);
  CHECK(over->outcome == "finished");
  auto ended = stage.call_until("destroy", {{"instance_id", id}, {"wait_seconds", 600}}, "destroying");
  REQUIRE(ended);
  const json after = stage.instance_file();
  REQUIRE(after.size() == 4);
  CHECK(after[2]["note"] == "edited by hand");
  CHECK(after[3]["status"] == "destroyed");
  CHECK(after[3]["experiment"] == "m1_base.seed0");
  CHECK(fs::exists(stage.project() / "results" / "metrics.json"));
  CHECK(fs::exists(stage.project() / "logs" / "m1_base.seed0.log"));
}

SCENARIO("a queue that another tool keeps on our machine is work that is left") {
  if (const auto why = sandbox::machines_unavailable()) {
    WARN("skipped: " << *why);
    return;
  }
  RentalStage stage(VASTGPU_BINARY, {});
  auto rented = stage.rent();
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  const json entry = stage.instance_file().at(0);
  const auto state = [&](const std::string& one, const std::string& two) {
    by_hand(stage, entry,
            "mkdir -p ~/.aris_queue/runs/20261002T081500Z /tmp/aris-watchdog; cd "
            "~/.aris_queue/runs/20261002T081500Z; echo '" +
                json{{"meta", {{"project", "p"}}},
                     {"phases", json::array()},
                     {"jobs", json::array({{{"id", "a"}, {"status", one}, {"screen_name", "EQ_a"}},
                                           {{"id", "b"}, {"status", two}, {"screen_name", "EQ_b"}}})}}
                    .dump() +
                "' >queue_state.json; echo 'train DEAD' >/tmp/aris-watchdog/alerts.log");
  };
  state("running", "pending");
  REQUIRE(stage.call("run", {{"instance_id", id}, {"command", "true"}, {"experiment", "exp01"}}));
  auto seen = stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}});
  REQUIRE(seen);
  CHECK(seen->outcome == "finished");
  CHECK(seen->facts["their_queues"][0]["pending"] == 1);
  CHECK(seen->facts["their_queues"][0]["open"] == true);
  CHECK(seen->facts["watchdog"]["alerts"] == json::array({"train DEAD"}));
  CHECK(seen->next.back().tool != "destroy");  // although it finished and auto_destroy is on
  auto refused = stage.call("destroy", {{"instance_id", id}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what.find("their queue 20261002T081500Z: 1 pending, 1 running") != std::string::npos);
  const auto pass = [&] {
    auto child = Child::start({VASTGPU_BINARY, "-q", "reap"}, stage.environment(),
                              (stage.folder().path() / "reap.log").string());
    REQUIRE(child);
    std::string words;
    while (const auto line = child->read_line(std::chrono::seconds(60))) words += *line + "\n";
    child->finish(std::chrono::seconds(5));
    return words;
  };
  CHECK(pass().find("their queue 20261002T081500Z") != std::string::npos);
  REQUIRE(stage.call("monitor", {{"instance_id", id}}));  // it is there
  state("completed", "stuck");
  CHECK(pass().find("read back as gone") != std::string::npos);
  CHECK(stage.instance_file().at(0)["status"] == "destroyed");
}

SCENARIO("collecting again while a log grows replaces what we brought, and leaves no copies about") {
  if (const auto why = sandbox::machines_unavailable()) {
    WARN("skipped: " << *why);
    return;
  }
  RentalStage stage(VASTGPU_BINARY, {});
  auto rented = stage.rent();
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  const json entry = stage.instance_file().at(0);
  for (int round = 1; round <= 3; ++round) {
    by_hand(stage, entry,
            "mkdir -p /workspace/project/results; echo round " + std::to_string(round) +
                " >> /workspace/project/results/grows.txt");
    auto collected = stage.call("collect", {{"instance_id", id}});
    REQUIRE(collected);
    CHECK(collected->outcome == "collected");
  }
  CHECK(read_file(stage.project() / "results" / "grows.txt", 1000).value_or("") ==
        "round 1\nround 2\nround 3\n");
  CHECK(std::distance(fs::directory_iterator(stage.project() / "results"), {}) == 1);
  CHECK(stage.call("destroy", {{"instance_id", id}, {"wait_seconds", 600}}));
}
