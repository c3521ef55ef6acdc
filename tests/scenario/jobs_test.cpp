// Experiments on real machines: a queue that shares the GPUs, environments, stop and restart, a container
// that is restarted under a job, the check before the start, logs that are followed, and what is said about
// trouble.

#include "core/files.h"
#include "core/text.h"
#include "fleet/guard.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

/// Holds the GPUs it sees until the file go-NAME is there (real time).
constexpr const char* kHold =
    "import os, sys, time\n"
    "print('sees', os.environ.get('CUDA_VISIBLE_DEVICES'), flush=True)\n"
    "while not os.path.exists('go-' + sys.argv[1]):\n"
    "    time.sleep(0.02)\n"
    "print('done', sys.argv[1], flush=True)\n";

std::unique_ptr<Shell> shell_of(RentalStage& stage, const json& id) {
  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE((rental && *rental));
  auto connection = stage.house().connector().connect({{*(*rental)->ssh}, (*rental)->host_key}, {});
  REQUIRE(connection);
  return std::move(connection->shell);
}

std::string said(Shell& shell, const std::string& command) {
  auto done = shell.exec(command, {}, {});
  INFO(command);
  REQUIRE(done);
  return std::string(trim(done->out));
}

/// Waits on the machine for a condition, at most 20 real seconds.
void until(Shell& shell, const std::string& condition) {
  CHECK(said(shell, "i=0; until " + condition +
                        "; do i=$((i+1)); [ $i -gt 400 ] && break; /bin/sleep 0.05; done; " + condition +
                        " && echo yes") == "yes");
}

json ready_machine(RentalStage& stage, const json& wish = json::object()) {
  stage.folder().write("project/hold.py", kHold);
  stage.folder().write("project/noted.py",
                       "import os, sys\nparser = '--resume_from_checkpoint'\nimport torch\n"
                       "torch.save({'step': 7}, 'results/last.pt')\nimport time\n"
                       "while not os.path.exists('go'):\n    time.sleep(0.02)\n");
  auto rented = stage.rent(wish);
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  auto set = stage.call_until("setup", {{"instance_id", id}, {"wait_seconds", 600}}, "installing");
  REQUIRE(set);
  return id;
}

Envelope answer(Result<Envelope> r) {
  INFO((r ? r->summary : r.error().what));
  REQUIRE(r);
  return *std::move(r);
}

const json& job_of(const Envelope& e, const std::string& experiment) {
  for (const json& j : e.facts["jobs"])
    if (j["experiment"] == experiment) return j;
  FAIL("no job " << experiment);
  throw 0;
}

std::vector<std::string> kinds(const Envelope& e, const std::string& experiment) {
  std::vector<std::string> words;
  for (const json& f : e.facts["findings"])
    if (f["experiment"] == experiment) words.push_back(f["kind"]);
  return words;
}

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

SCENARIO("experiments wait for free GPUs on their machine, in order, whoever is away meanwhile") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 60});
  const json id = ready_machine(stage, {{"hours", 8}});
  const auto hold = [&](const std::string& name) {
    return json{
        {"instance_id", id}, {"command", "python hold.py " + name}, {"experiment", name}, {"gpus", "auto"}};
  };
  CHECK(stage.call("run", hold("a"))->outcome == "queued");
  auto shell = shell_of(stage, id);
  until(*shell, "grep -q sees /workspace/a.log");
  CHECK(said(*shell, "cat /workspace/a.log") == "sees 0");
  CHECK(stage.call("run", hold("b"))->outcome == "queued");
  CHECK(stage.call("run", hold("b"))->outcome == "queued");  // the same: it does not wait twice
  CHECK(stage.call("run", hold("c"))->outcome == "queued");
  json many = hold("d");
  many.erase("gpus"), many["gpus_needed"] = 64;
  CHECK_FALSE(stage.call("run", many));  // for ever
  json other = hold("b");
  other["command"] = "python hold.py z";
  CHECK(stage.call("run", other).error().code == Code::wrong_state);

  auto seen = answer(stage.call("monitor", {{"instance_id", id}}));
  CHECK(job_of(seen, "a")["state"] == "running");
  CHECK(job_of(seen, "a")["gpus"] == "0");
  CHECK(job_of(seen, "b")["queue_place"] == 1);
  CHECK(job_of(seen, "c")["state"] == "queued");
  CHECK(seen.facts["queue"]["waiting"] == json::array({"b", "c"}));
  CHECK(seen.facts["foreign_screens"].empty());
  CHECK(has(kinds(seen, "b"), "queued"));
  CHECK(answer(stage.call("list", json::object())).details.find("b queued") != std::string::npos);

  // Its runner dies, and c is taken out: the next look starts a runner again, and b comes next.
  CHECK(said(*shell, "p=$(pgrep -f '[q]ueue/runner.sh'); kill -9 $p; echo killed") == "killed");
  CHECK(answer(stage.call("run", {{"instance_id", id}, {"experiment", "c"}, {"stop", true}})).outcome ==
        "stopped");
  CHECK(said(*shell, "touch /workspace/project/go-a; /bin/sleep 1; cat /workspace/b.log").empty());
  auto refused = stage.call("destroy", {{"instance_id", id}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what.find("b still waits in the queue") != std::string::npos);
  until(*shell, "grep -q 'sees 0' /workspace/b.log");
  seen = answer(stage.call("monitor", {{"instance_id", id}}));
  CHECK(job_of(seen, "a")["state"] == "finished");
  CHECK(job_of(seen, "b")["state"] == "running");
  CHECK(job_of(seen, "c")["state"] == "stopped");
  CHECK(said(*shell, "[ -e /workspace/c.log ] && cat /workspace/c.log").empty());

  // The end stops what runs and empties the queue first, so that nothing starts in between.
  CHECK(stage.call("run", hold("e"))->outcome == "queued");
  const auto ended = stage.call_until(
      "destroy", {{"instance_id", id}, {"stop_running", true}, {"wait_seconds", 600}}, "destroying");
  CHECK(answer(ended).outcome == "destroyed");
  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  auto jobs = stage.deps().ledger.jobs((*rental)->label);
  REQUIRE(jobs);
  for (const Job& j : *jobs) {
    CAPTURE(j.experiment);
    CHECK(j.state == (j.experiment == "a" ? JobState::finished : JobState::stopped));
  }
}

SCENARIO(
    "two GPUs are shared by need, beside what others hold, and what the queue started teaches like any "
    "other") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 60});
  const json id = ready_machine(stage, {{"hours", 8}, {"gpus", 2}});
  auto shell = shell_of(stage, id);
  REQUIRE(said(*shell, "nvidia-smi -L | wc -l") == "2");
  const auto run = [&](const std::string& name, const json& more) {
    json with{{"instance_id", id}, {"command", "python hold.py " + name}, {"experiment", name}};
    with.update(more);
    return answer(stage.call("run", with)).outcome;
  };
  // Somebody else computes on GPU 0: under 500 MiB it is not.
  said(*shell,
       "cd /workspace/project; CUDA_VISIBLE_DEVICES=0 setsid python hold.py theirs >/dev/null 2>&1 "
       "</dev/null &");
  until(*shell, "[ $(nvidia-smi -i 0 --query-gpu=memory.used --format=csv,noheader,nounits) -gt 500 ]");
  CHECK(run("a", {{"gpus", "auto"}}) == "queued");
  until(*shell, "grep -q 'sees 1' /workspace/a.log");
  CHECK(run("both", {{"gpus_needed", 2}}) == "queued");
  CHECK(run("behind", {{"gpus", "auto"}}) == "queued");
  said(*shell, "touch /workspace/project/go-theirs; /bin/sleep 2");
  CHECK(said(*shell, "cat /workspace/behind.log").empty());  // in order: it does not overtake
  CHECK(run("cpu", {{"gpus", "none"}}) == "running");        // sees none, and holds none
  until(*shell, "grep -q sees /workspace/cpu.log");
  CHECK(said(*shell, "cat /workspace/cpu.log") == "sees -1");
  said(*shell, "touch /workspace/project/go-a");
  until(*shell, "grep -q 'sees 0,1' /workspace/both.log");
  auto seen = answer(stage.call("monitor", {{"instance_id", id}}));
  CHECK(job_of(seen, "both")["gpus"] == "0,1");
  CHECK(job_of(seen, "behind")["state"] == "queued");
  said(*shell, "touch /workspace/project/go-both /workspace/project/go-cpu");
  until(*shell, "grep -q 'sees [01]' /workspace/behind.log");
  said(*shell, "touch /workspace/project/go-behind");
  seen = answer(stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}}));
  CHECK(seen.facts["queue"]["waiting"].empty());
  until(*shell, "[ -z \"$(pgrep -f '[q]ueue/runner.sh')\" ]");  // nobody waits: it went
  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  auto runs = stage.deps().ledger.runs_of_rental((*rental)->label);
  REQUIRE(runs);
  CHECK(runs->size() == 4);
  const auto both = std::ranges::find(*runs, "both", &PastRun::experiment);
  REQUIRE(both != runs->end());
  CHECK(both->exit_code == 0);
  CHECK(stage.call("destroy", {{"instance_id", id}, {"wait_seconds", 600}}));
}

SCENARIO("an environment reaches the job and nothing else") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = ready_machine(stage);
  stage.folder().write("project/my.env", "TOKEN='s3cret-one'\nSEED=1\n");
  auto run = answer(stage.call("run", {{"instance_id", id},
                                       {"experiment", "e1"},
                                       {"command", "echo \"$TOKEN $SEED $WORDS\" | sha256sum"},
                                       {"env_file", "my.env"},
                                       {"env", {{"SEED", 2}, {"WORDS", "it's s3cret-two"}}}}));
  CHECK(run.facts["env_names"] == json::array({"SEED", "TOKEN", "WORDS"}));
  auto over = answer(stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}}));
  CHECK(job_of(over, "e1")["log_tail"].get<std::string>().starts_with(
      sha256_hex("s3cret-one 2 it's s3cret-two\n")));
  auto shell = shell_of(stage, id);
  CHECK(said(*shell, "stat -c %a /workspace/.vast-gpu/jobs/e1/env") == "600");
  CHECK((to_text(run) + to_text(over)).find("s3cret") == std::string::npos);
  for (const auto& file : fs::recursive_directory_iterator(stage.folder().path() / "state"))
    if (file.is_regular_file())
      CHECK(read_file(file.path(), 100 << 20).value_or("").find("s3cret") == std::string::npos);
  // Started again it has the same environment; started anew it has none.
  CHECK(answer(stage.call("run", {{"instance_id", id}, {"experiment", "e1"}, {"restart", true}}))
            .facts["env_names"]
            .size() == 3);
  over = answer(stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}}));
  CHECK(job_of(over, "e1")["log_tail"].get<std::string>().starts_with(
      sha256_hex("s3cret-one 2 it's s3cret-two\n")));
  REQUIRE(stage.call("run", {{"instance_id", id}, {"experiment", "e1"}, {"command", "echo \"[$TOKEN]\""}}));
  over = answer(stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}}));
  CHECK(job_of(over, "e1")["log_tail"] == "[]");
  CHECK(said(*shell, "ls /workspace/.vast-gpu/jobs/e1/env 2>/dev/null").empty());
}

SCENARIO("a job is stopped and started again, and a container that was restarted under it is recognised") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 60});
  const json id = ready_machine(stage, {{"hours", 8}});
  CHECK(stage.call("run", {{"instance_id", id}, {"experiment", "e1"}, {"stop", true}}).error().code ==
        Code::not_found);
  REQUIRE(stage.call("run", {{"instance_id", id}, {"experiment", "e1"}, {"command", "python noted.py"}}));
  auto shell = shell_of(stage, id);
  until(*shell, "[ -e /workspace/project/results/last.pt ]");
  CHECK(answer(stage.call("run", {{"instance_id", id}, {"experiment", "e1"}, {"stop", true}})).outcome ==
        "stopped");
  auto seen = answer(stage.call("monitor", {{"instance_id", id}}));
  CHECK(seen.outcome == "stopped");
  REQUIRE(seen.next.at(0).tool == "run");
  CHECK(seen.next.at(0).arguments["restart"] == true);
  CHECK(seen.next.at(0).arguments["command"] == "python noted.py --resume_from_checkpoint results/last.pt");
  CHECK(answer(stage.call("run", seen.next.at(0).arguments)).outcome == "running");
  until(*shell, "pgrep -f resume_from_checkpoint >/dev/null");

  // The marketplace stops and starts the container: files stay, processes do not.
  REQUIRE(stage.deps().market.stop_instance({id.get<std::int64_t>()}, {}));
  shell.reset();
  stage.house().clock().sleep_for(std::chrono::minutes(2), {});
  REQUIRE(stage.deps().market.start_instance({id.get<std::int64_t>()}, {}));
  Result<Envelope> again = stage.call("monitor", {{"instance_id", id}});
  for (int look = 0; look < 60 && (!again || again->outcome != "lost"); ++look) {
    stage.house().clock().sleep_for(std::chrono::seconds(20), {});
    again = stage.call("monitor", {{"instance_id", id}});
    if (again && again->outcome == "stopped")
      (void)stage.call("extend", {{"instance_id", id}, {"hours", 0.25}});
  }
  seen = answer(again);
  CHECK(seen.outcome == "lost");
  CHECK(kinds(seen, "e1") == std::vector<std::string>{"container_restarted"});
  CHECK(job_of(seen, "e1")["note"].get<std::string>().starts_with(
      "the container was restarted under it at 20"));
  CHECK(seen.next.at(0).arguments["restart"] == true);
  CHECK(answer(stage.call(
                   "run",
                   {{"instance_id", id}, {"experiment", "e1"}, {"restart", true}, {"command", "echo back"}}))
            .outcome == "running");
  CHECK(answer(stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}})).outcome == "finished");
}

SCENARIO("what would end a job in its first minute is found before it starts") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  stage.folder().write("project/bad.py", "import os\ndef f(:\n    pass\n");
  stage.folder().write("project/lacks.py", "import numpy\nfrom helper import x\nimport not_in_the_image\n");
  stage.folder().write("project/helper.py", "x = open('/workspace/ran', 'w')\n");
  const json id = ready_machine(stage);
  const auto check = [&](const std::string& command, const json& more = json::object()) {
    json with{{"instance_id", id}, {"experiment", "e1"}, {"command", command}};
    with.update(more);
    return answer(stage.call("run", with));
  };
  auto bad = check("python bad.py");
  CHECK(bad.outcome == "refused");
  CHECK(bad.facts["preflight"][0]["kind"] == "syntax_error");
  CHECK(bad.facts["preflight"][0]["line"] == 2);
  bad = check("python lacks.py --data_dir ./data/train");
  CHECK(bad.outcome == "refused");
  CHECK(bad.summary.find("lacks.py line 3: no module named not_in_the_image") != std::string::npos);
  CHECK(bad.details.find("./data/train") != std::string::npos);
  CHECK(check("python gone.py").outcome == "refused");
  CHECK(check("python train.py", {{"gpus", "7"}}).facts["preflight"][0]["kind"] == "no_such_gpu");
  const auto checked =
      check("python train.py", {{"preflight_only", true}, {"gpus", "auto"}, {"env", {{"A", "s3cret"}}}});
  CHECK(checked.outcome == "checked");
  CHECK(checked.next.at(0).arguments["gpus"] == "auto");
  CHECK(to_text(checked).find("s3cret") == std::string::npos);
  auto shell = shell_of(stage, id);
  CHECK(said(*shell, "ls /workspace/ran /workspace/*.log 2>/dev/null").empty());  // nothing ran
  CHECK(check("python lacks.py", {{"skip_preflight", true}}).outcome == "running");
  auto over = answer(stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}}));
  CHECK(over.outcome == "failed");
  CHECK(has(kinds(over, "e1"), "failed"));
  CHECK(over.summary.find("exit code 1") != std::string::npos);
  CHECK(over.details.find("ModuleNotFoundError") != std::string::npos);
  CHECK(check("python train.py").outcome == "running");
}

SCENARIO(
    "a log is followed by its bytes over truncation and rotation, and trouble is said with its evidence") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = ready_machine(stage, {{"hours", 8}});
  stage.folder().write("project/asks.py", "");
  REQUIRE(stage.call(
      "run", {{"instance_id", id},
              {"experiment", "e1"},
              {"command",
               "echo first; while [ ! -e go ]; do /bin/sleep 0.05; done; printf '1%%\\r2%%\\r3%%\\n'; "
               "echo \"{'loss': nan, 'epoch': 1}\"; while [ ! -e more ]; do /bin/sleep 0.05; done; "
               "printf 'Proceed ([y]/n)? '; read answer"}}));
  auto shell = shell_of(stage, id);
  until(*shell, "grep -q first /workspace/e1.log");
  auto seen = answer(stage.call("monitor", {{"instance_id", id}, {"experiment", "e1"}}));
  CHECK(job_of(seen, "e1")["log_tail"] == "first");
  json cursor = job_of(seen, "e1")["log_cursor"];
  REQUIRE(cursor.is_string());
  CHECK(seen.next.at(0).arguments["after"] == cursor);
  said(*shell, "touch /workspace/project/go");
  until(*shell, "grep -q loss /workspace/e1.log");
  seen = answer(stage.call("monitor", {{"instance_id", id}, {"experiment", "e1"}, {"after", cursor}}));
  CHECK(job_of(seen, "e1")["log_tail"] == "3%\n{'loss': nan, 'epoch': 1}");
  CHECK(kinds(seen, "e1") == std::vector<std::string>{"nan_loss"});
  cursor = job_of(seen, "e1")["log_cursor"];
  CHECK(job_of(answer(stage.call("monitor", {{"instance_id", id}, {"after", cursor}})), "e1")["log_tail"] ==
        "");
  // Rotated as logrotate does: what was left in the old file comes first.
  said(*shell, "cd /workspace; echo rest >>e1.log; mv e1.log e1.log.1; echo new >e1.log");
  seen = answer(stage.call("monitor", {{"instance_id", id}, {"after", cursor}}));
  CHECK(job_of(seen, "e1")["log_tail"] == "rest\nnew");
  CHECK(job_of(seen, "e1")["log_rotated"] == true);
  cursor = job_of(seen, "e1")["log_cursor"];
  said(*shell, ": >/workspace/e1.log; echo n >>/workspace/e1.log");
  CHECK(job_of(answer(stage.call("monitor", {{"instance_id", id}, {"after", cursor}})), "e1")["log_tail"] ==
        "n");
  CHECK(stage.call("monitor", {{"instance_id", id}, {"after", "x:y"}}).error().code ==
        Code::invalid_argument);
  // What it writes goes to the file that was renamed: put back, its last words are a question that waits.
  said(*shell, "cd /workspace; mv e1.log.1 e1.log; touch project/more");
  until(*shell, "grep -q Proceed /workspace/e1.log");
  for (int look = 0; look < 40; ++look) {
    seen = answer(stage.call("monitor", {{"instance_id", id}}));
    if (has(kinds(seen, "e1"), "waiting_for_input")) break;
    stage.house().clock().sleep_for(std::chrono::seconds(30), {});
  }
  CHECK(has(kinds(seen, "e1"), "waiting_for_input"));
  CHECK(seen.summary.find("Proceed ([y]/n)?") != std::string::npos);
  for (int look = 0; look < 60; ++look) {
    seen = answer(stage.call("monitor", {{"instance_id", id}}));
    if (has(kinds(seen, "e1"), "stalled")) break;
    stage.house().clock().sleep_for(std::chrono::seconds(30), {});
  }
  CHECK(has(kinds(seen, "e1"), "stalled"));
}

SCENARIO("a machine that lies in every file a look reads is bounded, and speaks for no other job") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = ready_machine(stage, {{"hours", 8}});
  auto shell = shell_of(stage, id);
  REQUIRE(stage.call("run", {{"instance_id", id},
                             {"experiment", "honest"},
                             {"command", "while [ ! -e go ]; do /bin/sleep 0.05; done"}}));
  REQUIRE(stage.call("run", {{"instance_id", id},
                             {"experiment", "liar"},
                             {"command", "while [ ! -e go ]; do /bin/sleep 0.05; done"}}));
  until(
      *shell,
      "[ -e /workspace/.vast-gpu/jobs/liar/heartbeat ] && [ -e /workspace/.vast-gpu/jobs/honest/heartbeat ]");
  const std::vector<std::string> lies{
      "cd jobs/liar; yes '1800000000 1 1 0:99' | head -c 20000000 >pulse; yes 0 | head -c 9000000 >gpus; yes "
      "x | head -c 9000000 >container",
      "cd jobs/liar; rm -f pulse gpus; mkfifo pulse gpus; printf '0 exit=0;' >heartbeat; printf '1; "
      "killed_end=9' >killed",
      "printf '\\n@@vast-gpu-0000000000000000 job honest\\nexit=0; beat=\\n' >>/workspace/liar.log; printf "
      "'\\n@@vast-gpu-00 end\\n' >>/workspace/liar.log",
      "mkdir -p queue; cd queue; for i in 1 2 3 4 5 6 7 8 9; do for j in 0 1 2 3 4 5 6 7 8 9; do for k in 0 "
      "1 2 3 4 5 6 7 8 9; do : >000000000$i$j$k-fake$k; done; done; done; yes why | head -c 5000000 >why",
      "rm -rf queue; : >queue",
      "mkdir -p ~/.aris_queue/runs/r1 ~/.aris_queue/runs/r2; yes '[' | tr -d '\\n' | head -c 3000000 "
      ">~/.aris_queue/runs/r1/queue_state.json; mkfifo ~/.aris_queue/runs/r2/queue_state.json",
      "rm -f /workspace/liar.log; mkfifo /workspace/liar.log; mkdir -p /tmp/aris-watchdog; yes alert | head "
      "-c 5000000 | tr -d '\\n' >/tmp/aris-watchdog/alerts.log"};
  for (const std::string& lie : lies) {
    CAPTURE(lie);
    said(*shell, "cd /workspace/.vast-gpu && { " + lie + "; }");
    const auto seen = answer(stage.call("monitor", {{"instance_id", id}, {"experiment", "honest"}}));
    CHECK(seen.outcome == "running");
    CHECK(to_structured(seen).dump(-1, ' ', true, json::error_handler_t::replace).size() < 200'000);
    CHECK(job_of(seen, "honest")["state"] == "running");
    CHECK(seen.summary.find("alert") == std::string::npos);
  }
}

SCENARIO(
    "what still waited when the lease ended does not start on the machine that is woken for its results") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 100});
  stage.folder().write("project/hold.py", kHold);
  auto rented = stage.rent({{"lease_hours", 0.5}});
  REQUIRE(rented);
  REQUIRE(rented->outcome == "ready");
  const json id = rented->facts["instance_id"];
  const std::string command =
      "mkdir -p results; echo 1 >results/part.txt; python -c 'import time; time.sleep(1000)'";
  for (const char* name : {"a", "b"})
    CHECK(
        stage
            .call("run", {{"instance_id", id}, {"experiment", name}, {"command", command}, {"gpus", "auto"}})
            ->outcome == "queued");
  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE((rental && *rental));
  const auto pass = [&] {
    auto child = Child::start({VASTGPU_BINARY, "-q", "reap"}, stage.environment(),
                              (stage.folder().path() / "reap.log").string());
    REQUIRE(child);
    std::string words;
    while (const auto line = child->read_line(std::chrono::seconds(60))) words += *line + "\n";
    child->finish(std::chrono::seconds(5));
    return words;
  };
  stage.house().clock().sleep_until((*rental)->lease_end + std::chrono::seconds(75), {});
  (void)pass();
  stage.house().clock().sleep_until((*rental)->lease_end + std::chrono::minutes(5), {});
  const std::string reaped = pass();
  INFO(reaped);
  CHECK(reaped.find("started once for its results") != std::string::npos);
  CHECK(reaped.find("read back as gone") != std::string::npos);
  CHECK(fs::exists(stage.project() / "results" / "part.txt"));
  CHECK(fs::exists(stage.project() / "logs" / "a.log"));
  auto jobs = stage.deps().ledger.jobs((*rental)->label);
  REQUIRE(jobs);
  for (const Job& j : *jobs) CHECK(j.state == JobState::lost);
}

SCENARIO("what a command leaves in the background ends with it, and its exit code is its own") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 20});
  const json id = ready_machine(stage, {{"hours", 8}});
  const auto run = [&](const std::string& name, const std::string& command) {
    REQUIRE(stage.call("run", {{"instance_id", id}, {"experiment", name}, {"command", command}}));
    return answer(stage.call("monitor", {{"instance_id", id}, {"experiment", name}, {"wait_seconds", 600}}));
  };
  auto shell = shell_of(stage, id);
  // One holds the log, the other none of our files and no signal.
  auto seen = run("e1",
                  "/bin/sleep 1001 & ( trap '' TERM HUP; /bin/sleep 1002; /bin/sleep 1002 ) >/dev/null "
                  "2>&1 & echo done");
  CHECK(seen.outcome == "finished");
  CHECK(job_of(seen, "e1")["log_tail"].get<std::string>().starts_with("done"));
  until(*shell, "[ -z \"$(pgrep -f 'sleep 100[12]')$(screen -ls | grep e1)\" ]");
  seen = run("e2", "echo 'the last line'; exit 3");
  CHECK(seen.outcome == "failed");
  CHECK(job_of(seen, "e2")["exit_code"] == 3);
  CHECK(job_of(seen, "e2")["log_tail"] == "the last line");

  // A start whose answer was lost, and a look that saw its end before the caller asked again.
  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  const auto known = stage.deps().ledger.jobs((*rental)->label);
  REQUIRE((known && !known->empty()));
  Job unheard = known->front();
  REQUIRE(unheard.experiment == "e2");
  unheard.answered = false;
  REQUIRE(stage.deps().ledger.put_job(unheard));
  const std::string began = said(*shell, "cat /workspace/.vast-gpu/jobs/e2/began");
  seen = run("e2", "echo 'the last line'; exit 3");
  CHECK(said(*shell, "cat /workspace/.vast-gpu/jobs/e2/began") == began);
  CHECK(said(*shell, "ls /workspace/e2.log*") == "/workspace/e2.log");
  seen = run("e2", "echo 'the last line'; exit 3");  // now somebody was told: another run
  CHECK(said(*shell, "cat /workspace/.vast-gpu/jobs/e2/began") != began);
}

SCENARIO("a machine whose nvidia-smi hangs is looked at, works on, and ends with a receipt") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 20});
  const json id = ready_machine(stage, {{"hours", 8}});
  auto shell = shell_of(stage, id);
  REQUIRE(said(*shell,
               "p=$(command -v nvidia-smi); printf '#!/bin/sh\\nexec /bin/sleep 1000\\n' >$p.new && "
               "chmod 755 $p.new && mv $p.new $p && echo hangs") == "hangs");
  REQUIRE(stage.call("run", {{"instance_id", id},
                             {"experiment", "e1"},
                             {"gpus", "none"},
                             {"command", "mkdir -p results; echo 42 >results/answer.txt"}}));
  CHECK(stage.call("run", {{"instance_id", id}, {"experiment", "e2"}, {"gpus", "auto"}, {"command", "true"}})
            ->outcome == "queued");
  until(*shell, "[ -e /workspace/.vast-gpu/jobs/e1/exit ]");
  auto seen = answer(stage.call("monitor", {{"instance_id", id}, {"experiment", "e1"}}));
  CHECK(job_of(seen, "e1")["state"] == "finished");
  CHECK(job_of(seen, "e2")["state"] == "queued");
  const auto ended = answer(stage.call_until(
      "destroy", {{"instance_id", id}, {"stop_running", true}, {"wait_seconds", 600}}, "destroying"));
  CHECK(ended.outcome == "destroyed");
  CHECK(read_file(stage.project() / "results" / "answer.txt", 100).value_or("") == "42\n");
}

SCENARIO("a machine that stops while it is watched is told as stopped, and a cut link is not told at all") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = ready_machine(stage);
  const json which{{"instance_id", id}};
  json job = which;
  job.update({{"command", "python hold.py now"}, {"experiment", "exp01"}});
  answer(stage.call("run", job));

  // The session that a look is held over breaks; the next one goes on.
  bool cut = false;
  stage.on_progress = [&](const std::string&) {
    if (std::exchange(cut, true)) return;
    CHECK(said(*shell_of(stage, id), "kill -9 $(pgrep -o -f 'sshd: root' | grep -v $PPID) 2>&1; echo cut") ==
          "cut");
  };
  json look = which;
  look["wait_seconds"] = 120;
  const Envelope seen = answer(stage.call("monitor", look));
  CHECK(cut);
  CHECK(seen.outcome == "running");

  bool stopped = false;
  stage.on_progress = [&](const std::string&) {
    if (!std::exchange(stopped, true))
      REQUIRE(stage.deps().market.stop_instance({id.get<std::int64_t>()}, {}));
  };
  look["wait_seconds"] = 600;
  const Envelope told = answer(stage.call("monitor", look));
  CHECK(stopped);
  CHECK(told.outcome == "stopped");
  REQUIRE_FALSE(told.next.empty());
  CHECK(told.next.front().tool == "extend");
}
