#include "analysis/plan.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {
Plan parse(std::string_view text) { return parse_plan(text, "p"); }
}  // namespace

TEST_CASE("shape A: milestones with costs and a stated total") {
  const auto p = parse(
      "# Experiment Plan\n"
      "**Problem**: Llama-70B is too large for bees\n"
      "### Block 1: Hive sounds\n"
      "- Setup details: wav2vec2-base, bf16, batch 8, 2 GPUs\n"
      "- Compared systems: whisper-large\n"
      "- Priority: MUST-RUN\n"
      "## Run Order and Milestones\n"
      "| Milestone | Goal | Runs | Decision Gate | Cost | Risk |\n"
      "|---|---|---|---|---|---|\n"
      "| M0 | smoke | `python hive.py --tiny` | falls? | 0.5 GPU-h | - |\n"
      "| M1: Baselines | two | B1 | close? | 2h on 4 GPUs | slow |\n"
      "| M2 | main | B1 | better? | 3 seeds x 1.5h | none |\n"
      "| M4: Polish (NICE-TO-HAVE) | plots | B3 | - | ~4h | none |\n"
      "## Compute and Data Budget\n"
      "- Total estimated GPU-hours: ~17\n"
      "- Data preparation needs: 30 GB of clips\n"
      "- Human evaluation needs: 6 person-hours\n");
  REQUIRE(p.hours.total);
  CHECK(p.hours.total->high == 17);
  CHECK(p.hours.total->line == 15);
  REQUIRE(p.hours.costs.size() == 4);
  CHECK(p.hours.costs[0].gpu_hours.high == 0.5);
  CHECK(p.hours.costs[1].gpu_hours.high == 8);
  CHECK(p.hours.costs[1].gpu_hours.line == 11);
  CHECK(p.hours.costs[2].gpu_hours.high == 4.5);
  CHECK(p.hours.sum()->high == 17);
  CHECK(p.hours.must_run_sum() == 13.0);
  CHECK(p.gpus->high == 2);
  CHECK(p.bf16_line == 4);
  CHECK(p.data_gb->high == 30);
  CHECK(p.scripts == std::vector<std::string>{"hive.py"});
  REQUIRE(p.models.size() == 1);
  CHECK(p.models[0].model.name == "wav2vec2-base");
}

TEST_CASE("shape B: bold labels, a hardware line, no total") {
  const auto p = parse(
      "### Block 1: Rain\n- **Setup details**: U-Net, AdamW\n"
      "## Run Order\n"
      "| Milestone | Goal | Runs | Decision Gate | Cost |\n|--|--|--|--|--|\n"
      "| M0: Sanity | x | y | z | ~0.5h |\n"
      "| M1: Main | x | y | z | 3–5h |\n"
      "| **Total** | | | | |\n"
      "## Compute Budget\n- **Hardware**: 1x RTX 4090\n- **Biggest bottleneck**: clouds\n");
  CHECK_FALSE(p.hours.total);
  REQUIRE(p.hours.sum());
  CHECK(p.hours.sum()->low == 3.5);
  CHECK(p.hours.sum()->high == 5.5);
  CHECK(p.hours.sum()->assumed);
  REQUIRE(p.hardware);
  CHECK(p.hardware->card.name == "RTX 4090");
  CHECK(p.hardware->gpus == 1);
  CHECK(p.hardware->line == 10);
}

TEST_CASE("the Chinese template") {
  const auto p = parse(
      "# 实验计划\n"
      "### 实验块 1：主要结果\n- **实验设置**：Qwen2.5-1.5B，LoRA，bf16\n- **优先级**：必须运行\n"
      "## 运行顺序\n"
      "| 里程碑 | 目标 | 运行内容 | 决策关卡 | 预估耗时 |\n|---|---|---|---|---|\n"
      "| M0：检查 | 能跑 | 短跑 | 下降？ | 约 0.5 小时 |\n"
      "| M1：主实验 | 三个种子 | 块 1 | 更好？ | 6 GPU 小时 |\n"
      "## 算力预算\n- **预估总 GPU 小时**：约 6.5 小时\n- **硬件**：2×A100 40GB\n- **最大瓶颈**：数据\n");
  REQUIRE(p.hours.total);
  CHECK(p.hours.total->high == 6.5);
  CHECK(p.hours.total->line == 11);
  CHECK(p.hours.sum()->high == 6.5);
  CHECK(p.hardware->gpus == 2);
  CHECK(p.hardware->vram_gib == 40);
  REQUIRE(p.models.size() == 1);
  CHECK(p.models[0].method == Method::lora);
  CHECK(p.models[0].model.params_b == 1.5);
}

TEST_CASE("totals in every spelling") {
  struct Case {
    const char* line;
    double high;
  };
  for (const Case& c :
       {Case{"**Budget**: ~490 GPU-hours", 490}, Case{"Planned budget: 1,820 GPUh", 1820},
        Case{"- **Total estimated GPU-hours**: 20-30", 30}, Case{"- Total GPU-days: 2", 48},
        Case{"- **Estimated total GPU-hours:** ~40 (10h wall on 4 GPUs)", 40},
        Case{"In total this takes about 75 A100-hours.", 75}, Case{"## Compute budget\n- Total: 12h", 12},
        Case{"- **总计**：约 60 GPU 小时", 60}, Case{"- Remaining GPU-hours: 5\n- Total GPU-hours: 50", 5}}) {
    CAPTURE(c.line);
    const auto p = parse(c.line);
    REQUIRE(p.hours.total);
    CHECK(p.hours.total->high == c.high);
  }
  for (const char* none :
       {"Budget: 3 days", "Budget ceiling: 900 GPUh", "Total > 12 GPU-days: halt",
        "- Already used: 40 GPU-hours", "Budget: $50", "Alarms per hour: 6",
        "- **Total estimated GPU-hours**: moderate", "## Compute budget\n- Total human hours: 12h"}) {
    CAPTURE(none);
    CHECK_FALSE(parse(none).hours.total);
  }
}

TEST_CASE("columns of people, robots and clocks are no GPU-hours") {
  const auto p = parse(
      "## Budget\n"
      "| Step | Wall-clock | Robot hours | Compute | Coding |\n|---|---|---|---|---|\n"
      "| S1 | 2h | 9h | ~7h GPU | 3h |\n| S2 | 1h | 1h | <2 CPUh | 1h |\n| Contingency | | | 50h | |\n| "
      "**Total** | 3h | 10h | **7h** | 4h |\n");
  CHECK(p.hours.total->high == 7);
  CHECK(p.hours.sum()->high == 7);
}

TEST_CASE("cumulative rows, repeated tables and days") {
  const auto cumulative =
      parse("| M | Cost |\n|--|--|\n| M1 | 6-10 GPUh |\n| M2 | cumulative 30-50 GPUh |\n");
  CHECK(cumulative.hours.sum()->low == 30);
  CHECK(cumulative.hours.sum()->high == 50);
  const auto twice = parse(
      "| M | Cost |\n|--|--|\n| M1: a | 6h |\n\nagain\n\n| Milestone | GPU-hours |\n|--|--|\n| M1 | 6 |\n| "
      "M2 | 2 |\n");
  CHECK(twice.hours.sum()->high == 8);
  CHECK(parse("| E | GPU-days |\n|--|--|\n| E1 | 0.5 |\n").hours.sum()->high == 12);
  const auto blocks =
      parse("### Block 1: a\n- GPUh: 3\n### Block 2: b\n- GPUh: 4\n- If it fails: 9 extra GPUh\n");
  CHECK(blocks.hours.sum()->high == 7);
}

TEST_CASE("words are no numbers, and steps without hours give no sum") {
  const auto words = parse("| M | Cost |\n|--|--|\n| M0 | Low |\n| M1 | Medium |\n");
  CHECK_FALSE(words.hours.total);
  CHECK_FALSE(words.hours.sum());
  CHECK(words.hours.unread == std::vector<std::string>{"M0", "M1"});
  const auto partial =
      parse("## Used so far\n- B0: 30 GPU-hours\n## Still to run\n- B1: see above\n- B2: 6 GPU-hours\n");
  CHECK_FALSE(partial.hours.sum());
  CHECK(partial.hours.sum_is_partial);
  const auto absurd = parse("- Total estimated GPU-hours: 1e999\n");
  CHECK_FALSE(absurd.hours.total);
  REQUIRE(absurd.hours.warnings.size() == 1);
  CHECK(absurd.hours.warnings[0].find("line 1") != std::string::npos);
}

TEST_CASE("hardware: usable cards, alternatives, measured memory") {
  const auto lent = parse("**硬件**: 8×A800-80GB(可用 2 张)\n");
  CHECK(lent.hardware->gpus == 2);
  const auto either =
      parse("- Hardware: RTX 3060 12GB or RTX 3090\n- peak 31 GiB per card\n- Data: 120 GB unpacked\n");
  CHECK(either.hardware->card.name == "RTX 3090");
  CHECK(either.hardware->vram_gib == 12);
  CHECK(either.hardware->alternatives);
  CHECK(either.measured_gib->high == 31);
  CHECK(either.data_gb->high == 120);
}

TEST_CASE("the plan in refine-logs comes before the one in the root") {
  TempFolder project;
  project.write("EXPERIMENT_PLAN.md", "Total GPU-hours: 1\n");
  ProjectFiles files(project.path());
  CHECK(read_plan(files).source == "EXPERIMENT_PLAN.md");
  project.write("refine-logs/EXPERIMENT_PLAN.md", "Total GPU-hours: 2\n");
  CHECK(read_plan(files).at(1) == "refine-logs/EXPERIMENT_PLAN.md line 1");
  CHECK(read_plan(files).hours.total->high == 2);
}
