// What a machine notes about a job's memory, watched by real bash with an nvidia-smi of our own, and what the
// ledger is told about a job that ended.

#include <cstdlib>
#include <fstream>

#include "core/files.h"
#include "core/text.h"
#include "fleet/learn.h"
#include "state/sqlite_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/state_samples.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {

/// Runs a job for a while under the watch; `nvidia_smi` is a shell script, or empty for a machine without
/// one. Gives what was noted.
std::string watched(const TempFolder& folder, const std::string& nvidia_smi, const std::string& job,
                    const std::string& gpus = "") {
  const auto bin = folder.path() / "bin";
  std::filesystem::create_directories(bin);
  for (const char* tool : {"timeout", "mv", "rm"}) {
    const std::string real = "/usr/bin/" + std::string(tool);
    std::filesystem::create_symlink(std::filesystem::exists(real) ? real : "/bin/" + std::string(tool),
                                    bin / tool);
  }
  if (!nvidia_smi.empty()) {
    folder.write("bin/nvidia-smi", "#!/bin/sh\ncd '" + folder.path().string() + "'\n" + nvidia_smi + "\n");
    std::filesystem::permissions(bin / "nvidia-smi", std::filesystem::perms::owner_all);
  }
  folder.write("run.sh", "export PATH='" + bin.string() + "'; cd '" + folder.path().string() +
                             "'; f=.; e=x\n" + watch_memory_script(gpus) + job +
                             "\nkill $watch 2>/dev/null; wait 2>/dev/null; :\n");
  const std::string run = "/bin/bash '" + (folder.path() / "run.sh").string() + "' 2>/dev/null";
  REQUIRE(std::system(run.c_str()) == 0);
  return read_file(folder.path() / "vram", 10'000).value_or("nothing");
}

Job ended_job(const std::string& experiment, int exit_code) {
  Job job;
  job.label = "vg-a";
  job.experiment = experiment;
  job.command = "python train.py --epochs 3";
  job.state = exit_code == 0 ? JobState::finished : JobState::failed;
  job.exit_code = exit_code;
  job.started = kSampleTime;
  return job;
}

}  // namespace

TEST_CASE("the watch notes per GPU what was held before and the most that was held") {
  const TempFolder folder;
  folder.write("used", "0, 3, 24564\n1, 2000, 24564\n");
  const std::string notes =
      watched(folder, "/bin/cat used",
              "echo '0, 14250, 24564\n1, 2000, 24564' >used.new; mv used.new used; /bin/sleep 0.9\n"
              "echo '0, 700, 24564\n1, 2600, 24564' >used.new; mv used.new used; /bin/sleep 1.2");
  CHECK(notes == "0 3 14250 24564\n1 2000 2600 24564\n");
  const MemorySeen seen = read_memory_notes(notes);
  REQUIRE(seen.gpus.size() == 2);
  REQUIRE(fullest(seen) != nullptr);
  CHECK(fullest(seen)->own() == Megabytes{14247});
  CHECK(gpus_used(seen) == 2);
}

TEST_CASE("the watch asks only for the GPUs that the job was given") {
  const TempFolder folder;
  CHECK(watched(folder, "echo \"$*\" >asked; echo 1, 5, 100", "/bin/sleep 0.1", "1,3") == "1 5 5 100\n");
  CHECK(read_file(folder.path() / "asked", 1000)->starts_with("-i 1,3 --query-gpu="));
  CHECK(gpus_of_job("0,1", "CUDA_VISIBLE_DEVICES=2 python x.py") == "0,1");
  CHECK(gpus_of_job("", "CUDA_VISIBLE_DEVICES=2 python x.py") == "2");
  CHECK(gpus_of_job("", "MY_CUDA_VISIBLE_DEVICES=2 python x.py").empty());
  for (const char* odd : {"GPU-1a2b", "0;rm -rf x", "-1", "0,,1", ",", "$(x)"})
    CHECK(gpus_of_job(odd, "").empty());
}

TEST_CASE("a machine without nvidia-smi, or with one that lies or fails, disturbs no job") {
  const TempFolder folder;
  SECTION("missing") { CHECK(watched(folder, "", "echo ran >ran").empty()); }
  SECTION("fails") { CHECK(watched(folder, "echo 'driver mismatch'; exit 9", "echo ran >ran").empty()); }
  SECTION("says nonsense") {
    const std::string nonsense =
        "printf '0, [N/A], 24564\\n0, -5, 24564\\n9999999, 1, 2\\n0, 1e999, 3\\n$(touch hacked), 1, 2\\n0, "
        "08, 100\\n'";
    CHECK(watched(folder, nonsense, "echo ran >ran") == "0 08 08 100\n");
    CHECK_FALSE(std::filesystem::exists(folder.path() / "hacked"));
  }
  CHECK(std::filesystem::exists(folder.path() / "ran"));
}

TEST_CASE("notes that make no sense are ignored, and that is said") {
  CHECK(read_memory_notes("").odd.empty());
  CHECK(read_memory_notes("0 3 14250 24564;").gpus.size() == 1);
  std::string many;
  for (int i = 0; i < 100; ++i) many += std::to_string(i) + " 1 2 3\n";
  for (const std::string& lie :
       {std::string("0 3 -5 24564"), std::string("0 3 1e999 24564"), std::string("0 3 99999 24564"),
        std::string("0 500 400 24564"), std::string("0 3 14250"), std::string("0 3 14250 24564 7"),
        std::string("0 1 2 99999999999999999999"), std::string("\x1b[31mhello\n"), std::string(4000, '7'),
        many, std::string("0 1 2 3\n0 1 2 3\n"), std::string("0 1 2 3\ngarbage")}) {
    CAPTURE(lie.substr(0, 50));
    const MemorySeen seen = read_memory_notes(lie);
    CHECK(seen.gpus.empty());
    CHECK(seen.odd.find("ignored") != std::string::npos);
    CHECK(seen.odd.size() < 200);
    CHECK(seen.odd.find('\x1b') == std::string::npos);
    CHECK(fullest(seen) == nullptr);
  }
  CHECK(fullest(read_memory_notes("0 3 10 24564\n")) == nullptr);  // no CUDA context is that small
}

TEST_CASE("the script that a command runs") {
  CHECK(script_of("python train.py --epochs 3") == "train.py");
  CHECK(script_of("torchrun --nproc_per_node 2 src/train.py") == "src/train.py");
  CHECK(script_of("cd x && python -m pkg.train --lr 1") == "pkg.train");
  CHECK(script_of("python -m torch.distributed.run train.py") == "train.py");
  CHECK(script_of("bash scripts/go.sh") == "scripts/go.sh");
  CHECK(script_of("echo hello").empty());
}

TEST_CASE("what a job taught comes back newest first, once per job, at most fifty") {
  const TempFolder folder;
  auto ledger = SqliteLedger::open(folder.path() / "ledger.db");
  REQUIRE(ledger);
  const TimePoint now = kSampleTime + std::chrono::hours(9);
  Rental rental = sample_rental("vg-a", "q-1", 1);
  rental.instance = InstanceId{70010001};
  REQUIRE((*ledger)->add_quote(sample_quote("q-1")));
  REQUIRE((*ledger)->open_intent(rental, {}));

  JobEnd end;
  end.ran = Hours(2.5);
  end.memory = read_memory_notes("0 3 14250 24564\n1 3 3 24564\n");
  end.progress = read_progress("step 450/1000 loss 1.2, 3.1 it/s");
  end.out_of_memory = true;
  learn(**ledger, now, rental, ended_job("exp01", 0), end);
  end.ran = Hours(99);  // a later look does not change it
  learn(**ledger, now, rental, ended_job("exp01", 0), end);
  Job died = ended_job("exp02", 1);
  died.started += std::chrono::hours(1);
  JobEnd blind;
  blind.out_of_memory = true;
  learn(**ledger, now, rental, died, blind);

  const auto runs = (*ledger)->runs("/home/mira/project", kMostPastRuns);
  REQUIRE(runs);
  REQUIRE(runs->size() == 2);
  const PastRun &oom = (*runs)[0], &good = (*runs)[1];
  CHECK((good.experiment == "exp01" && good.command == "python train.py --epochs 3" &&
         good.script == "train.py"));
  CHECK((good.peak_vram == Megabytes{14247} && good.held_before == Megabytes{3} && good.num_gpus == 1));
  CHECK((good.gpu_name == "RTX 4090" && good.gpu_ram == Megabytes{24564}));
  CHECK((good.hours == Hours(2.5) && good.ended == good.started + std::chrono::minutes(150)));
  CHECK((good.rate == Approx(3.1) && good.rate_unit == "steps/s"));
  CHECK((good.steps_done == 450 && good.steps_total == 1000));
  CHECK((good.exit_code == 0 && !good.oom));  // it survived what its log shows
  CHECK(good.instance == InstanceId{70010001});
  CHECK((oom.experiment == "exp02" && oom.exit_code == 1 && oom.oom));
  CHECK(oom.recorded == now);
  CHECK_FALSE((oom.peak_vram || oom.hours || oom.rate || oom.steps_done));
  CHECK((oom.num_gpus == 2 && oom.gpu_ram == Megabytes{24564}));  // as rented and quoted
  CHECK((*ledger)->runs("/home/mira/other", kMostPastRuns)->empty());

  for (int i = 0; i < 60; ++i) learn(**ledger, now, rental, ended_job("more-" + std::to_string(i), 0), {});
  CHECK((*ledger)->runs("/home/mira/project", kMostPastRuns)->size() == 50);

  Job stray = ended_job("exp01", 0);
  stray.label = "vg-unknown";
  learn(**ledger, now, sample_rental("vg-unknown", "", 1), stray, end);  // refused, and nothing else happens
}
