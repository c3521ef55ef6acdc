// What jobs teach, from the machine to the ledger: real bash, real SSH, the stand-in's nvidia-smi.

#include "fleet/learn.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;

namespace {

/// A trainer that waits for the file "go" (real time), with a slow bar in its log until then.
constexpr const char* kTrainer =
    "import os, sys, time\n"
    "for step in (10, 20):\n"
    "    print('step %d/100000 loss 2.1 0.50 it/s' % step, flush=True)\n"
    "while not os.path.exists('go'):\n"
    "    time.sleep(0.02)\n"
    "print(\"{'train_runtime': 40.0, 'train_samples_per_second': 20.0, 'train_steps_per_second': 2.5, "
    "'epoch': 1.0}\")\n";

constexpr const char* kGreedy =
    "import sys, time\n"
    "time.sleep(0.5)\n"
    "print('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 9.00 GiB.', flush=True)\n"
    "sys.exit(1)\n";

std::unique_ptr<Shell> shell_of(RentalStage& stage, const json& id) {
  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE((rental && *rental));
  auto connection = stage.house().connector().connect({{*(*rental)->ssh}, (*rental)->host_key}, {});
  REQUIRE(connection);
  return std::move(connection->shell);
}

/// Rented and set up, with the trainers there.
json ready_machine(RentalStage& stage) {
  stage.folder().write("project/slow.py", kTrainer);
  stage.folder().write("project/greedy.py", kGreedy);
  auto rented = stage.rent();
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  REQUIRE(stage.call_until("setup", {{"instance_id", id}, {"wait_seconds", 600}}, "installing"));
  return id;
}

std::vector<PastRun> runs_of(RentalStage& stage) {
  auto runs = past_runs(stage.deps(), stage.project());
  REQUIRE(runs);
  return *runs;
}

}  // namespace

SCENARIO("a job teaches what it took: while it runs, when it ended, and after a restart of ours") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  CHECK_FALSE(stage.house().open_known());  // no ledger yet: nothing is opened or made
  const json id = ready_machine(stage);
  REQUIRE(stage.call(
      "run", {{"instance_id", id}, {"command", "python slow.py --lr 1e-4"}, {"experiment", "exp01"}}));
  auto shell = shell_of(stage, id);
  // Until the watch has seen the memory twice; nothing else waits for this.
  REQUIRE(shell->exec(
      "i=0; while ! grep -q ' [0-9][0-9][0-9][0-9]* [0-9]*$' /workspace/.vast-gpu/jobs/exp01/vram && "
      "[ $i -lt 200 ]; do i=$((i+1)); /bin/sleep 0.05; done; /bin/sleep 1",
      {}, {}));
  auto seen = stage.call("monitor", {{"instance_id", id}});
  REQUIRE(seen);
  INFO(to_text(*seen));
  CHECK(seen->outcome == "running");
  REQUIRE(seen->facts["peak_vram_mib"].is_number());
  const double peak = seen->facts["peak_vram_mib"];
  CHECK(peak > 1000);
  CHECK(seen->facts["rate"] == json{{"value", 0.5}, {"unit", "steps/s"}});
  CHECK(seen->facts["eta_hours"].get<double>() == Approx((100'000 - 20) / 0.5 / 3600));
  CHECK(seen->summary.find("but the lease ends in") != std::string::npos);
  CHECK(seen->next.at(0).tool == "extend");
  CHECK(seen->details.find("GiB of GPU memory") != std::string::npos);
  CHECK(runs_of(stage).empty());  // not before it ended

  REQUIRE(shell->exec("touch /workspace/project/go", {}, {}));
  auto over = stage.call("monitor", {{"instance_id", id}, {"wait_seconds", 600}});
  REQUIRE(over);
  CHECK(over->outcome == "finished");
  CHECK(over->facts["eta_hours"].is_null());
  auto again = stage.call("monitor", {{"instance_id", id}});
  REQUIRE(again);
  CHECK(again->facts["peak_vram_mib"].get<double>() >= peak);

  // Died of too little memory; nobody looks before the machine is destroyed. Another one is stopped by us.
  REQUIRE(stage.call("run", {{"instance_id", id}, {"command", "python greedy.py"}, {"experiment", "exp02"}}));
  REQUIRE(
      shell->exec("while [ ! -e /workspace/.vast-gpu/jobs/exp02/exit ]; do /bin/sleep 0.05; done", {}, {}));
  REQUIRE(stage.call(
      "run", {{"instance_id", id}, {"command", "rm -f go; python slow.py"}, {"experiment", "exp03"}}));
  auto ended = stage.call_until(
      "destroy", {{"instance_id", id}, {"stop_running", true}, {"wait_seconds", 600}}, "destroying");
  INFO((ended ? ended->summary : ended.error().what));
  REQUIRE(ended);

  stage.restart_house();
  const auto known = stage.house().open_known();
  REQUIRE(known);
  const auto runs = past_runs(*known, stage.project());
  REQUIRE(runs);
  REQUIRE(runs->size() == 3);
  const PastRun &good = (*runs)[2], &oom = (*runs)[1], &stopped = (*runs)[0];
  CHECK((good.experiment == "exp01" && good.exit_code == 0 && !good.oom && good.script == "slow.py"));
  CHECK(good.command == "python slow.py --lr 1e-4");
  REQUIRE(good.peak_vram);
  CHECK(good.peak_vram->value >= peak);
  REQUIRE(good.gpu_ram);
  CHECK(good.peak_vram->value < good.gpu_ram->value);
  CHECK(good.num_gpus == 1);
  CHECK((good.rate == Approx(2.5) && good.rate_unit == "steps/s"));
  CHECK(good.steps_total == 100'000);
  REQUIRE(good.hours);
  CHECK((good.hours->count() > 0 && *good.hours < Hours(1)));
  CHECK(good.instance == InstanceId{id.get<std::int64_t>()});
  CHECK((oom.experiment == "exp02" && oom.exit_code == 1 && oom.oom));
  CHECK((stopped.experiment == "exp03" && stopped.exit_code == 143 && !stopped.oom));
  CHECK(stage.call("provision", {{"task", "train again"}, {"offers", false}}));
}

SCENARIO("a machine that lies about memory, time and exit is bounded, ignored, and that is said") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const json id = ready_machine(stage);
  auto shell = shell_of(stage, id);
  const std::vector<std::string> lies{
      "yes '0 3 14250 24564' | head -c 10000000 >vram",
      "echo '0 3 -14250 24564' >vram",
      "echo '0 3 1e999 24564' >vram",
      "head -c 10000000 /dev/urandom >vram",
      "rm -f vram; mkfifo vram",
      "rm vram; mkdir vram; echo 999999999999999999999 >ended",
      "rm -f vram; echo 99999999999999999 >ended; echo -7 >began; printf '1\\n2\\n3' >exit"};
  int n = 0;
  for (const std::string& lie : lies) {
    const std::string name = "lie-" + std::to_string(++n);
    REQUIRE(stage.call("run", {{"instance_id", id}, {"command", "echo done"}, {"experiment", name}}));
    REQUIRE(shell->exec("cd /workspace/.vast-gpu/jobs/" + name +
                            " && while [ ! -e exit ]; do /bin/sleep 0.05; done; /bin/sleep 0.3; " + lie,
                        {}, {}));
  }
  auto collected = stage.call("collect", {{"instance_id", id}});
  INFO((collected ? collected->summary : collected.error().what));
  REQUIRE(collected);
  const auto runs = runs_of(stage);
  REQUIRE(runs.size() == lies.size());
  for (const PastRun& run : runs) {
    CAPTURE(run.experiment);
    CHECK_FALSE(run.peak_vram);
    CHECK_FALSE(run.oom);
    if (run.hours) CHECK((run.hours->count() >= 0 && *run.hours < Hours(24)));
  }
  CHECK_FALSE((runs[0].hours || runs[1].hours));  // of the last two lies
  auto seen = stage.call("monitor", {{"instance_id", id}});
  REQUIRE(seen);
  CHECK(seen->facts["warnings"].size() == 4);
  for (const json& warning : seen->facts["warnings"]) {
    CHECK(warning.get<std::string>().find("ignored") != std::string::npos);
    CHECK(warning.get<std::string>().size() < 250);
  }
  CHECK(to_text(*seen).size() < 10'000);
  CHECK(runs_of(stage).size() == lies.size());  // looking again writes nothing
}
