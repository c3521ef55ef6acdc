// Plans of many shapes and fields, each read as a careful person would.

#include "analysis/plan.h"
#include "core/text.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

Plan parse(std::string_view text) { return parse_plan(text, "p"); }

std::string names(const std::vector<PlanModel>& models) {
  std::vector<std::string> all;
  for (const PlanModel& m : models) all.push_back(m.model.name);
  return join(all, ", ");
}
std::string names(const std::vector<PlanDataset>& datasets) {
  std::vector<std::string> all;
  for (const PlanDataset& d : datasets) all.push_back(d.name);
  return join(all, ", ");
}
std::string cards(const Plan& p) {
  std::vector<std::string> all;
  for (const PlanCard& c : p.cards)
    all.push_back((c.count ? std::to_string(*c.count) : "?") + " " + c.card.written);
  return join(all, ", ");
}
double cost(const Plan& p, std::string_view key) {
  for (const PlanCost& c : p.hours.costs)
    if (c.key == key) return c.gpu_hours.high;
  return -1;
}

}  // namespace

TEST_CASE("phases as headings, a cap on top, front matter and an optional last phase") {
  const auto p = parse(
      "---\ntitle: Splice sites\nbudget: see below\n---\n"
      "# Experiment plan\n"
      "**Compute**: 2 nodes × 8 H100 80GB (shared); 8 of 16 usable for us\n"
      "**Hard cap**: 1,500 GPU-hours\n"
      "## Phase 1 — Data (≈40 GPU-hours)\n- Dataset: GENCODE v44, 12 GB raw; tracks 85 GB\n"
      "- Baselines: SpliceAI (reported with 4 V100s)\n"
      "## Phase 2 — Pretraining (≈620 GPU-hours)\n- Model: Caduceus-PS 40M, bf16\n"
      "- Peak memory observed in the pilot: 61 GiB per GPU\n"
      "## Phase 3 — Sweeps (120–180 GPU-hours)\n- 6 tasks, 3 seeds each\n"
      "## Phase 4 — Probing (optional, ~60 GPU-hours)\n"
      "## Budget\n- Total estimated GPU-hours: 780–840 (840–900 with Phase 4)\n- Wall-clock: about 9 days\n");
  REQUIRE(p.hours.total);
  CHECK(p.hours.total->low == 780);
  CHECK(p.hours.total->high == 840);
  CHECK(p.hours.ceiling->high == 1500);
  CHECK(p.hours.wall->high == 216);
  CHECK(cost(p, "3") == 180);
  CHECK(p.hours.costs[3].optional);
  CHECK(p.hours.costs[0].gpu_hours.line == 8);
  CHECK(cards(p) == "8 H100 80GB");
  CHECK(p.measured_gib->high == 61);
  CHECK(p.data_gb->high == 97);
  CHECK(p.seeds->high == 3);
  CHECK(names(p.models) == "Caduceus-PS");
}

TEST_CASE("clock columns, counted cards, a modified card, a kill rule") {
  const auto p = parse(
      "**Hardware:** 4x RTX 4090 (modified, 49140 MiB each)\n\n"
      "| Stage | GPUs | Wall-clock | GPU-hours |\n|:--|--:|--:|--:|\n"
      "| S0 smoke | 1 | 0.5 h | 0.5 |\n| S1 cache | 4 | 6 h | 24 |\n| S2 distil | 4 | 30 h | 120 |\n"
      "| S3 raters | – | 2 weeks | 0 |\n| **Sum** | | **~37 h** | **144.5** |\n\n"
      "Kill rule: any run above 150 % of its GPU-hours stops; never spend more than 60 GPU-hours on S1.\n"
      "Data: 60k textures (45 GB) + cached latents 30 GB. Disk: 250 GB.\n");
  CHECK(p.hours.total->high == 144.5);
  CHECK(p.hours.wall->high == 37);
  CHECK_FALSE(p.hours.ceiling);
  CHECK(cards(p) == "4 RTX 4090 48GB");
  CHECK(p.data_gb->high == 75);
  CHECK(p.disk_gb->high == 250);
  // Without the GPU-hours column, cards and clock give them.
  const auto by_clock = parse("| S | GPUs | Wall-clock |\n|--|--|--|\n| S1 | 4 | 6 h |\n| S2 | 2 | 3 h |\n");
  CHECK(by_clock.hours.sum()->high == 30);
  CHECK(by_clock.hours.costs[0].gpu_hours.how == "6.00 h x 4 GPUs");
}

TEST_CASE("a Chinese plan with ranges, products, an optional block and a ceiling") {
  const auto p = parse(
      "# 实验计划\n### 实验块 1：主实验\n- **数据集 / 划分 / 任务**：Cityscapes\n"
      "- **实验设置**：SegFormer-B5，bf16，3 个种子\n- **优先级**：必须运行\n"
      "### 实验块 3：可视化\n- **优先级**：可选\n"
      "## 运行顺序\n| 里程碑 | 目标 | 运行内容 | 决策关卡 | 预估耗时 |\n|---|---|---|---|---|\n"
      "| M0：检查 | 能跑 | 短跑 | 下降？ | ~0.5 小时 |\n| M1：基线 | 复现 | 块 1 | 好？ | 6 至 8 GPU·h |\n"
      "| M2：主实验 | 三次 | 块 1 | 好？ | 3 × 8 卡时 |\n| M4：可视化 | 图 | 块 3 | - | 2 GPU小时 |\n"
      "## 算力预算\n- **预估总 GPU 小时**：约 32–35\n- **硬件**：1 张 RTX 4090（24GB）\n"
      "- 预算上限：80 GPU 小时\n- 标注：人工 40 小时\n- **显存**：峰值约 19.5 GiB（实测）\n");
  CHECK(p.hours.total->low == 32);
  CHECK(p.hours.total->high == 35);
  CHECK(p.hours.ceiling->high == 80);
  CHECK(cost(p, "m1") == 8);
  CHECK(cost(p, "m2") == 24);
  CHECK(p.hours.must_run_sum() == 32.5);
  CHECK(names(p.models) == "SegFormer-B5");
  CHECK(names(p.datasets) == "Cityscapes");
  CHECK(p.measured_gib->high == 19.5);
  CHECK(cards(p) == "1 RTX 4090");
}

TEST_CASE("hours of each run are multiplied by the runs beside them, unless the total stands there, too") {
  const auto both = parse(
      "| ID | What | Seeds | GPU-h / run | GPU-h total |\n|--|--|--|--|--|\n"
      "| R1 | probes | 5 | 0.8 | 4 |\n| R2 | sweep | 3 | 14 | 42 |\n\nIn total ~46 A100-hours on "
      "A100-80G.\n");
  CHECK(both.hours.sum()->high == 46);
  CHECK(both.hours.total->high == 46);
  CHECK(cards(both) == "? A100 80GB");
  const auto each = parse(
      "## Budget\n| Exp | Seeds | Hours per run |\n|--|--|--|\n| Exp 1 | 10 | 0.3 |\n| Exp 2 | 5 | 2 |\n");
  CHECK(each.hours.sum()->high == Approx(13));
  CHECK(each.hours.costs[1].gpu_hours.how.find("x 5 runs") != std::string::npos);
}

TEST_CASE("a nested list: parts are not added to the whole, people and CPUs are left out") {
  const auto p = parse(
      "## Compute Estimate\n- **M0 sanity**: 0.5 GPU-h\n- **M1 baselines**: 18 GPU-h\n  - PANNs: 6 GPU-h\n"
      "  - AST: 12 GPU-h\n- **M2 main**: 48 GPU-h (3 seeds × 16 GPU-h)\n- **M3 extras (nice-to-have)**: 20 "
      "GPU-h\n"
      "- Annotator time: 25 h\n- CPU features: 80 CPU-hours\n\n"
      "Requires at least 40 GB of VRAM. Dataset: AudioSet, FSD50K; about 1.1 TB unpacked.\n");
  CHECK(p.hours.sum()->high == 86.5);
  CHECK(p.hours.must_run_sum() == 66.5);
  CHECK(p.hours.costs.size() == 4);
  CHECK(p.min_vram_gib->high == 40);
  CHECK(p.data_gb->high == 1100);
  CHECK(names(p.datasets) == "AudioSet, FSD50K");
}

TEST_CASE("prose: the study's total, not the limit and not what is out of scope") {
  const auto p = parse(
      "We fine-tune Qwen2.5-VL-7B on DocVQA with LoRA. A pilot on one A100 40GB took 3.2 hours and peaked at "
      "36.8 GB.\n\n"
      "The full study (4 datasets, 3 epochs each) is estimated at 115 GPU-hours overall; the 72B model would "
      "need "
      "another 400 GPU-hours.\n\nWe never exceed 150 GPU-hours in total.\n");
  REQUIRE(p.hours.total);
  CHECK(p.hours.total->high == 115);
  CHECK(p.hours.ceiling->high == 150);
  CHECK(p.measured_gib->high == Approx(36.8));
  CHECK(names(p.datasets) == "DocVQA");
}

TEST_CASE("a plan for CPUs needs no GPU") {
  const auto p = parse(
      "**Hardware**: 32-core server, no GPU needed\n\n| Milestone | Cost |\n|--|--|\n| M0 | 1h |\n| M1 | 30 "
      "CPU-hours |\n");
  CHECK(p.needs_no_gpu);
  CHECK(p.hours.total->high == 0);
  CHECK(p.hours.sum()->high == 0);
  CHECK_FALSE(parse("- Hardware: 2x A100\n- M0 runs on CPU only\n- Total GPU-hours: 4\n").needs_no_gpu);
}

TEST_CASE("waves of A100-40G-h, cards that are only partly ours") {
  const auto p = parse(
      "Budget: ~490 A100-40G-h over four waves. 8 A100 40GB, of which 6 of 8 usable during the day.\n\n# "
      "Plan\n"
      "- Wave 1 (week 1): tokenizer, ~10 A100-40G-h\n- Wave 2 (weeks 2–3): CPT, 300–320 A100-40G-h\n"
      "- Wave 3 (week 4): SFT, ~100 A100-40G-h\n- Wave 4 (optional): long context, 60 A100-40G-h\n\n"
      "Base: `Qwen/Qwen3-1.7B-Base`. Corpora: SlimPajama-627B (48 GB), FineWeb-Edu.\n");
  CHECK(p.hours.total->high == 490);
  CHECK(p.hours.sum()->low == 470);
  CHECK(p.hours.must_run_sum() == 430);
  CHECK(cards(p) == "6 A100 40GB");
  CHECK(names(p.models) == "Qwen/Qwen3-1.7B-Base");
  CHECK(names(p.datasets) == "SlimPajama-627B, FineWeb-Edu");
}

TEST_CASE("planned, used and remaining: what remains is the work") {
  const auto p = parse(
      "| Item | Planned GPU-h | Used GPU-h | Remaining GPU-h |\n|--|--|--|--|\n| Pretrain | 200 | 180 | 20 "
      "|\n"
      "| Finetune | 80 | 10 | 70 |\n| **Total** | **280** | **190** | **90** |\n\nHardware: 8x H20 96GB, 2 "
      "usable.\n"
      "Latency target: 120 requests/hour.\n");
  CHECK(p.hours.total->high == 90);
  CHECK(p.hours.sum()->high == 90);
  CHECK(cards(p) == "2 H20 96GB");
}

TEST_CASE("work and rate: steps, epochs and tokens become hours that say how") {
  const auto steps =
      parse("## Main run\n- 8x H200\n- 200k iterations at 0.9 s/iter\n## Eval\n- 6 GPU-hours\n");
  CHECK(steps.hours.sum()->high == Approx(406));
  CHECK(steps.hours.costs[0].gpu_hours.how == "200000 steps / 1.11 per s = 50.00 h x 8 GPUs x 1 runs");
  CHECK(steps.hours.wall->high == Approx(50));
  const auto epochs =
      parse("### Block 1: graphs\n- Setup details: 400 epochs, 45 s per epoch, 4 seeds, one RTX 3090\n");
  CHECK(epochs.hours.sum()->high == Approx(20));
  const auto tokens = parse("### E1: small\n- 7B tokens\n- 1x H100 gives 145k tokens/s (measured)\n");
  CHECK(tokens.hours.sum()->high == Approx(13.41).epsilon(0.001));
  CHECK_FALSE(parse("### E1\n- 200k steps on 4x A100\n").hours.sum());   // no rate
  CHECK_FALSE(parse("### E1\n- 3 steps/s on 4x A100\n").hours.sum());    // no work
  CHECK_FALSE(parse("### E1\n- 90 epochs\n- 3 steps/s\n").hours.sum());  // of another kind
}

TEST_CASE("bare hours: the stated total says whether they are of the clock") {
  const std::string table = "\n\n| Milestone | Cost |\n|--|--|\n| M0 | 2h |\n| M1 | 30h |\n";
  const auto clock = parse("- **Hardware**: 8× A100-SXM4-80GB\n- **Total estimated GPU-hours**: 256" + table);
  CHECK(clock.hours.sum()->high == 256);
  CHECK(cost(clock, "m1") == 240);
  CHECK(cards(clock) == "8 A100 80GB");
  const auto gpu = parse("- **Hardware**: 8x A100\n- **Total estimated GPU-hours**: 32" + table);
  CHECK(gpu.hours.sum()->high == 32);
  const json open = parse("- **Hardware**: 8x A100" + table);
  CHECK(open["gpu_hours"]["low"] == 32);
  CHECK(open["gpu_hours"]["high"] == 256);
  CHECK(open["gpu_hours"]["total"].is_null());
  CHECK(open["gpu_hours"]["assumed"] == true);
}

TEST_CASE("low and high columns, contingency, cards that are alternatives") {
  const auto p = parse(
      "| Exp | Low (GPU-h) | High (GPU-h) | Human hours |\n|--|--|--|--|\n| E1 | 10 | 16 | 2 |\n| E2 | 20 | "
      "35 | 4 |\n"
      "| E3 flights | 0 | 0 | 40 |\n| Contingency | 5 | 10 | |\n\nGPU: RTX PRO 6000 (96 GB VRAM) or 2x RTX "
      "5090\n");
  CHECK(p.hours.sum()->low == 30);
  CHECK(p.hours.sum()->high == 51);
  CHECK(p.hours.with_reserve->high == 61);
  CHECK(p.hardware->alternatives);
  CHECK(cards(p) == "? RTX PRO 6000, 2 RTX 5090");
  CHECK(p.hardware->vram_gib == 32);
}

TEST_CASE("names and values in a table, a numbered order of runs") {
  const auto p = parse(
      "| Field | Value |\n|--|--|\n| Base model | `mistralai/Mistral-7B-v0.3` |\n| Hardware | 2× A100 80GB "
      "PCIe |\n"
      "| GPU-hours (planned) | 64 |\n| GPU-hours (hard cap) | 100 |\n| Human hours | 12 |\n\n## Milestones\n"
      "1. **M0** – smoke (≈ 1 GPU-hour)\n2. **M1** – SFT (24 GPU-hours)\n3. **M2** – ours (3 × 13 "
      "GPU-hours)\n");
  CHECK(p.hours.total->high == 64);
  CHECK(p.hours.ceiling->high == 100);
  CHECK(p.hours.sum()->high == 64);
  CHECK(cost(p, "m2") == 39);
  CHECK(cards(p) == "2 A100 80GB");
  CHECK(names(p.models) == "mistralai/Mistral-7B-v0.3");
}

TEST_CASE("an estimate and its ceiling on one line; what is struck, commented or superseded does not count") {
  const auto zh = parse("> 预算：总计约 260 GPU·h（上限 320 GPU·h），4×H800-80GB\n");
  CHECK(zh.hours.total->high == 260);
  CHECK(zh.hours.ceiling->high == 320);
  CHECK(cards(zh) == "4 H800 80GB");
  const auto capped = parse("**Budget**: ≤ 60 GPU-hours (hard ceiling 80)\n");
  CHECK(capped.hours.total->high == 60);
  CHECK(capped.hours.ceiling->high == 80);
  const auto struck = parse(
      "<!-- Total estimated GPU-hours: 900 -->\n- Total estimated GPU-hours: ~~300~~ 210\n- Hardware: ~~8x "
      "H100~~ 4x A6000\n\n"
      "## Previous version\n- Total GPU-hours: 500\n");
  CHECK(struck.hours.total->high == 210);
  CHECK(cards(struck) == "4 RTX A6000");
}

TEST_CASE("limits behind the number, must-run beside the total, all runs in one line") {
  const auto days = parse(
      "Compute: 3 GPU-weeks on 3090s at most; expected 11 GPU-days.\n\n| # | Name | GPU-days | Wall (days) "
      "|\n|--|--|--|--|\n"
      "| 1 | Baselines | 2.5 | 1 |\n| 2 | Ours | 8.5 | 2 |\nDataset: rooms (12 GB).\n");
  CHECK(days.hours.total->high == 264);
  CHECK(days.hours.ceiling->high == 504);
  CHECK(days.hours.sum()->high == 264);
  CHECK(days.hours.unread.empty());
  CHECK(cards(days) == "? RTX 3090");
  const auto zh = parse(
      "**算力预算**：总计 1,280 卡时（必须 960 卡时，可选 320 卡时）\n\n| 里程碑 | 优先级 | 预估 "
      "|\n|--|--|--|\n"
      "| M1 | 必须 | 40h × 24 卡 |\n| M2 | 可选 | 20h × 16 卡 |\n");
  CHECK(zh.hours.total->high == 1280);
  CHECK(zh.hours.must_run->high == 960);
  CHECK(zh.hours.sum()->high == 1280);
  const auto runs = parse(
      "## Compute\n- Hardware: 8x RTX 2080 Ti (11 GB)\n- Each run: 1 GPU, ~3.5 h; 9 tasks × 5 seeds × 4 = "
      "180 runs → 630 GPU-hours\n"
      "- Max per run: 6 h (kill)\n- Evaluation: 20 GPU-hours\n- **Total: 650 GPU-hours (~3.4 days wall on 8 "
      "GPUs)**\n");
  CHECK(runs.hours.total->high == 650);
  CHECK(runs.hours.sum()->high == 650);
  CHECK(runs.hours.wall->high == Approx(81.6));
  CHECK(runs.runs->high == 180);
  CHECK(runs.gpus_per_run->high == 1);
}

TEST_CASE("hours that are no GPU time give none") {
  for (const char* text : {"Budget: small. We have one day of cluster time.\n| Step | Effort | Time "
                           "|\n|--|--|--|\n| A | low | Monday |\n",
                           "Expect 2,000 requests per hour and 24-hour windows.\n",
                           "- FA/hour: 0.3\n- Kill any run over 24 GPU-hours\n",
                           "| M | Robot hours | Coding |\n|--|--|--|\n| M1 | 5h | 3h |\n",
                           "- If it fails: at most 40 extra GPU-hours on repair\n",
                           "Total > 12 GPU-days → halt\n", "## Already used\n- M0: 30 GPU-hours\n"}) {
    CAPTURE(text);
    const json j = parse(text);
    CHECK(j["gpu_hours"]["total"].is_null());
    CHECK(j["gpu_hours"]["high"].is_null());
    CHECK(j["milestones"].empty());
  }
}

TEST_CASE("every number of the facts names its line, and secrets stay out of them") {
  const json j = parse(
      "- Total estimated GPU-hours: 12\n- Hardware: 2x A100 80GB\n- Model: sk-ant-0123456789abcdef, "
      "U-Net\n\n## Order\n"
      "| M | GPU-h |\n|--|--|\n| M1 ssh root@192.0.2.9 password: hunter2 | 12 |\n");
  CHECK(j["gpu_hours"]["line"] == 1);
  CHECK(j["hardware"][0]["line"] == 2);
  CHECK(j["milestones"][0]["line"] == 8);
  CHECK(j["min_vram_gib"]["line"] == 2);
  CHECK(j["models"][0]["name"] == "U-Net");
  for (const char* secret : {"hunter2", "192.0.2.9", "0123456789abcdef"})
    CHECK(dump(j).find(secret) == std::string::npos);
}
