// What earlier jobs of a project teach the next estimate, and what they must not.

#include <limits>

#include "analysis/analyse.h"
#include "analysis/evidence.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

const TimePoint kDay = TimePoint{} + 24h * 20'000;

/// A job of train.py on an RTX 3090 that ended well after ten hours and held 12 GiB.
PastRun good_run() {
  PastRun run;
  run.label = "vg-1";
  run.experiment = "first try";
  run.script = "train.py";
  run.gpu_name = "RTX 3090";
  run.gpu_ram = Megabytes{24'576};
  run.ended = kDay;
  run.hours = Hours(10);
  run.peak_vram = Megabytes{12 * 1024};
  return run;
}

struct Project {
  TempFolder folder;
  Project() {
    folder.write("train.py",
                 "import torch\nfrom transformers import AutoModelForCausalLM, Trainer\n"
                 "model = AutoModelForCausalLM.from_pretrained('facebook/opt-1.3b')\n"
                 "trainer = Trainer(model=model)\ntrainer.train()\n");
  }
  TaskProfile analysed(std::vector<PastRun> runs, json facts = {}, std::string task = {}) const {
    TaskRequest request;
    request.past_runs = std::move(runs);
    request.facts = std::move(facts);
    request.task = std::move(task);
    return analyse(folder.path(), request);
  }
};

const Evidence& evidence(const TaskProfile& p, const std::string& of) {
  for (const Evidence& e : p.evidence)
    if (e.quantity == of) return e;
  FAIL("no evidence of " << of);
  return p.evidence.front();
}
bool warned(const TaskProfile& p, const std::string& of) {
  return join(p.warnings, "\n").find(of) != std::string::npos;
}

}  // namespace

TEST_CASE("a measured peak beats the formula, and says which job it was") {
  const Project project;
  CHECK(evidence(project.analysed({}), "vram_gib").source.find("opt-1.3b") != std::string::npos);
  const auto p = project.analysed({good_run()});
  const Evidence& e = evidence(p, "vram_gib");
  CHECK(e.rank == rank::kMeasured);
  CHECK(e.source == "earlier job first try on RTX 3090, " + to_iso8601(kDay).substr(0, 10) + " (measured)");
  CHECK(p.vram_likely.value == Approx(12));
  CHECK(p.vram.value > 12);
  CHECK(p.vram.value < 15);
  REQUIRE_FALSE(e.overruled.empty());  // the formula is still told
}

TEST_CASE("of several runs the one that held most counts") {
  const Project project;
  PastRun more = good_run();
  more.peak_vram = Megabytes{15 * 1024};
  more.ended = kDay - 48h;
  CHECK(project.analysed({good_run(), more}).vram_likely.value == Approx(15));
}

TEST_CASE("a run that failed early is no measure of memory, one that held more than computed is") {
  const Project project;
  PastRun failed = good_run();
  failed.exit_code = 1;
  failed.peak_vram = Megabytes{1500};
  CHECK(evidence(project.analysed({failed}), "vram_gib").source.find("opt-1.3b") != std::string::npos);
  failed.peak_vram = Megabytes{45 * 1024};
  CHECK(project.analysed({failed}).vram_likely.value == Approx(45));
  PastRun stopped = good_run();
  stopped.exit_code = 143;  // on request, in the middle of its work
  CHECK(project.analysed({stopped}).vram_likely.value == Approx(12));
}

TEST_CASE("after an out-of-memory death more than that card is asked for") {
  const Project project;
  PastRun died = good_run();
  died.oom = true;
  died.exit_code = 1;
  died.gpu_ram = Megabytes{81'920};
  auto p = project.analysed({died});
  CHECK(p.vram.value > 80);
  CHECK(p.vram_likely.value >= 80);
  CHECK(p.vram_low <= p.vram_likely);
  CHECK(warned(p, "ran out of memory with 80 GiB"));
  CHECK(evidence(p, "vram_gib").source.find("ran out of memory with 80 GiB") != std::string::npos);
  CHECK_FALSE(evidence(p, "vram_gib").overruled.empty());
  // Also where an older run of another variant was measured far below.
  PastRun older = good_run();
  older.ended = kDay - 24h;
  CHECK(project.analysed({died, older}).vram.value > 80);
  // And where nothing else is known of the task.
  const TempFolder empty;
  TaskRequest request;
  request.past_runs = {died};
  CHECK(analyse(empty.path(), request).vram.value > 80);
}

TEST_CASE("an out-of-memory death that was mended since, or that the user knows of, raises nothing") {
  const Project project;
  PastRun died = good_run();
  died.oom = true;
  died.exit_code = 1;
  died.gpu_ram = Megabytes{81'920};
  died.ended = kDay - 24h;
  CHECK(project.analysed({good_run(), died}).vram.value < 15);
  const auto p = project.analysed({died}, {{"vram_gib", 40}});
  CHECK(p.vram.value == Approx(40));
  CHECK(warned(p, "ran out of memory"));
}

TEST_CASE("hours come from the newest run that ended well, moved to the card that is asked about") {
  const Project project;
  PastRun older = good_run();
  older.hours = Hours(30);
  older.ended = kDay - 24h;
  const auto p = project.analysed({older, good_run()});
  REQUIRE(p.gpu_hours);
  CHECK(p.gpu_hours->count() == Approx(10));
  CHECK(evidence(p, "gpu_hours").source.find("first try") != std::string::npos);

  const auto faster = project.analysed({good_run()}, {{"gpu", "H100 SXM"}});
  REQUIRE(faster.gpu_hours);
  CHECK(faster.gpu_hours->count() < 10);
  CHECK(faster.gpu_hours->count() > 1);

  PastRun four = good_run();
  four.num_gpus = 4;
  CHECK(project.analysed({four}).gpu_hours->count() == Approx(40));
}

TEST_CASE("a run that failed gives no hours") {
  const Project project;
  for (const int code : {1, 137, 143}) {
    PastRun failed = good_run();
    failed.exit_code = code;
    CHECK_FALSE(project.analysed({failed}).gpu_hours);
  }
  PastRun died = good_run();
  died.oom = true;
  CHECK_FALSE(project.analysed({died}).gpu_hours);
}

TEST_CASE("another script's run is another task") {
  const Project project;
  PastRun other = good_run();
  other.script = "preprocess.py";
  other.peak_vram = Megabytes{70 * 1024};
  const auto p = project.analysed({other});
  CHECK_FALSE(p.gpu_hours);
  CHECK(evidence(p, "vram_gib").source.find("earlier") == std::string::npos);
  other.oom = true;
  other.gpu_ram = Megabytes{81'920};
  CHECK(project.analysed({other}).vram.value < 80);
}

TEST_CASE("a smoke run does not stand for a plan of a hundred GPU-hours") {
  const Project project;
  project.folder.write(
      "refine-logs/EXPERIMENT_PLAN.md",
      "# Experiment Plan\n\n## Compute and Data Budget\n\n- Total estimated GPU-hours: 100\n");
  PastRun smoke = good_run();
  smoke.hours = Hours(0.05);
  CHECK(project.analysed({smoke}).gpu_hours->count() == Approx(100));
  PastRun whole = good_run();
  whole.hours = Hours(80);
  CHECK(project.analysed({whole}).gpu_hours->count() == Approx(80));

  const Project summed;  // a plan without a total, whose costs add up
  summed.folder.write("refine-logs/EXPERIMENT_PLAN.md",
                      "| Milestone | GPU-hours |\n|--|--|\n| M0 | 30 |\n| M1 | 60 |\n");
  CHECK(summed.analysed({smoke}).gpu_hours->count() == Approx(90));
}

TEST_CASE("an amount that the user names beats the plan, and what is computed of it stays a computation") {
  const Project project;
  project.folder.write("refine-logs/EXPERIMENT_PLAN.md", "# Plan\n\n- Total estimated GPU-hours: 1000\n");
  const auto p = project.analysed({}, {{"samples", 500'000}, {"epochs", 3}, {"batch", 8}, {"seq", 1024}});
  const Evidence& e = evidence(p, "gpu_hours");
  CHECK(e.source.starts_with("computed: "));
  CHECK(e.rank == rank::kScript);
  CHECK(join(e.overruled, "; ").find("1000 GPU-hours") != std::string::npos);
}

TEST_CASE(
    "a smoke run does not stand for an amount of work that the user names, nor a long one for a short") {
  const Project project;
  PastRun smoke = good_run();
  smoke.hours = Hours(0.02);
  const json large{{"samples", 500'000}, {"epochs", 3}, {"batch", 8}, {"seq", 1024}};
  const double alone = project.analysed({}, large).gpu_hours->count();
  CHECK(alone > 20);
  CHECK(project.analysed({smoke}, large).gpu_hours->count() == Approx(alone));

  const json little{{"samples", 100}, {"epochs", 1}, {"batch", 8}, {"seq", 1024}};
  PastRun whole = good_run();
  whole.hours = Hours(500);
  CHECK(project.analysed({whole}, little).gpu_hours->count() < 5);
}

TEST_CASE("a larger task than what ran then is not held to the old peak") {
  const Project project;
  for (const json& facts : std::initializer_list<json>{
           {{"model", "llama-2-70b"}, {"method", "lora"}, {"bits", 16}, {"batch", 1}, {"seq", 1024}},
           {{"batch", 64}, {"seq", 2048}}}) {  // the script's own model, far more of it at once
    const auto p = project.analysed({good_run()}, facts);
    INFO(facts.dump());
    CHECK(p.vram.value > 30);
    CHECK(warned(p, "seems larger"));
  }
  CHECK(project.analysed({good_run()}, {}, "fine-tune llama-2-70b").vram.value > 30);
  // The same task in other words is.
  CHECK(project.analysed({good_run()}, {{"precision", "bf16"}}).vram.value < 15);
}

TEST_CASE("what no machine can have measured is ignored") {
  const Project project;
  const double formula = project.analysed({}).vram.value;
  for (const double odd : {1e300, -5.0, 0.0, std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()}) {
    CAPTURE(odd);
    PastRun run = good_run();
    run.peak_vram = Megabytes{odd};
    run.hours = Hours(odd);
    auto p = project.analysed({run});
    CHECK(p.vram.value == Approx(formula));
    CHECK_FALSE(p.gpu_hours);
    run.oom = true;
    run.gpu_ram = Megabytes{odd};
    p = project.analysed({run});
    CHECK(p.vram.value == Approx(formula));
    // A good run behind a broken newer one still counts.
    run.ended = kDay + 24h;
    CHECK(project.analysed({run, good_run()}).gpu_hours->count() == Approx(10));
  }
  PastRun crowd = good_run();
  crowd.num_gpus = 2'000'000'000;
  crowd.experiment = std::string(100'000, 'x') + "\x1b[31m";
  const auto p = project.analysed({crowd});
  CHECK_FALSE(p.gpu_hours);
  CHECK(dump(json(p)).size() < 20'000);
}
