// Which file is the plan, and texts that nobody means well with.

#include <chrono>
#include <filesystem>

#include "analysis/plan.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {
Plan read(const TempFolder& project, std::vector<std::string>* warnings = nullptr) {
  ProjectFiles files(project.path());
  Plan plan = read_plan(files);
  if (warnings != nullptr) *warnings = files.warnings;
  return plan;
}
std::string repeated(std::string_view piece, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += piece;
  return text;
}
}  // namespace

TEST_CASE("the newest dated copy serves where the fixed name is absent, and that is said") {
  TempFolder project;
  project.write("refine-logs/EXPERIMENT_PLAN_20260612_101500.md", "Total GPU-hours: 1\n");
  project.write("refine-logs/EXPERIMENT_PLAN_20260701.md", "Total GPU-hours: 2\n");
  project.write("refine-logs/OTHER_20260901.md", "Total GPU-hours: 9\n");
  const Plan dated = read(project);
  CHECK(dated.source == "refine-logs/EXPERIMENT_PLAN_20260701.md");
  CHECK(dated.hours.total->high == 2);
  REQUIRE(dated.notes.size() == 1);
  CHECK(dated.notes[0].find("EXPERIMENT_PLAN_20260701.md") != std::string::npos);

  project.write("EXPERIMENT_PLAN.md", "Total GPU-hours: 3\n");
  CHECK(read(project).hours.total->high == 2);  // refine-logs first
  project.write("refine-logs/EXPERIMENT_PLAN.md", "Total GPU-hours: 4\n");
  CHECK(read(project).hours.total->high == 4);
  CHECK(read(project).notes.empty());
}

TEST_CASE("a file that only names another is followed, inside the project") {
  TempFolder project;
  project.write("refine-logs/EXPERIMENT_PLAN.md", "See [the plan](../docs/plan_v3.md).\n");
  project.write("docs/plan_v3.md", "Total GPU-hours: 7\n");
  const Plan plan = read(project);
  CHECK(plan.source == "docs/plan_v3.md");
  CHECK(plan.hours.total->high == 7);
  CHECK(plan.notes[0].find("points to docs/plan_v3.md") != std::string::npos);

  std::vector<std::string> warnings;
  for (const char* outside : {"../../elsewhere.md\n", "/etc/passwd.md\n"}) {
    CAPTURE(outside);
    project.write("refine-logs/EXPERIMENT_PLAN.md", outside);
    CHECK(read(project, &warnings).source.empty());
    CHECK(join(warnings, "\n").find("out of the project") != std::string::npos);
  }
  project.write("refine-logs/EXPERIMENT_PLAN.md", "-> loop.md\n");
  project.write("refine-logs/loop.md", "-> EXPERIMENT_PLAN.md\n");
  CHECK(read(project, &warnings).source.empty());
  CHECK(join(warnings, "\n").find("circle") != std::string::npos);
  // Short, but a plan.
  project.write("refine-logs/EXPERIMENT_PLAN.md", "Total: 5 GPU-hours, details in notes.md\n");
  CHECK(read(project).hours.total->high == 5);
}

TEST_CASE("a folder in place of the plan is named, and the next file is read") {
  TempFolder project;
  std::filesystem::create_directories(project.path() / "refine-logs" / "EXPERIMENT_PLAN.md");
  project.write("EXPERIMENT_PLAN.md", "Total GPU-hours: 3\n");
  std::vector<std::string> warnings;
  CHECK(read(project, &warnings).hours.total->high == 3);
  CHECK(join(warnings, "\n").find("it is a folder") != std::string::npos);
}

TEST_CASE("numbers without sense are named by line and never used") {
  const auto p = parse_plan(
      "- Total estimated GPU-hours: 1e999\n\n| M | GPU-h |\n|--|--|\n| M0 | -5 |\n| M1 | 99999999999 |\n| M2 "
      "| 4 |\n",
      "p");
  CHECK_FALSE(p.hours.total);
  CHECK(p.hours.sum()->high == 4);
  const std::string warnings = join(p.hours.warnings, "\n");
  for (const char* line : {"line 1 ", "line 5 ", "line 6 "}) CHECK(warnings.find(line) != std::string::npos);
}

TEST_CASE("hostile texts end soon and give bounded facts") {
  constexpr std::size_t kSize = 20'000;  // a debug build has to be quick, too
  std::string indented;
  for (std::size_t i = 0; i < 600; ++i) indented += std::string(2 * i, ' ') + "- a\n";
  std::string cells = "| M | GPU-h |\n|--|--|\n";
  for (int i = 0; i < 2'000; ++i) cells += "| M" + std::to_string(i) + " | 1 |\n";
  const std::vector<std::string> texts = {repeated("[", kSize),
                                          repeated("[a]( ![b](<c ", kSize),
                                          repeated("*a_ ", kSize),
                                          repeated("~~a `", kSize),
                                          repeated(">", kSize),
                                          repeated("- ", kSize),
                                          indented,
                                          cells,
                                          repeated("a|b\n|-|-|\n", kSize),
                                          repeated("|" + repeated("1h|", 3900) + "\n", kSize),
                                          repeated("1 x 2 x 3h ", kSize),
                                          repeated("4x A100 80GB or ", kSize),
                                          repeated("<!-- <![CDATA[ <? ", kSize),
                                          repeated("# a 5 GPU-hours\n", kSize),
                                          repeated("---\n", kSize),
                                          repeated("\xff\xfe\xc3 5 GPU-hours\n", kSize),
                                          std::string("Total GPU-hours: 5\0\n", 20),
                                          std::string(kSize, '\0'),
                                          repeated("```\n", kSize),
                                          repeated("(((5h ", kSize),
                                          repeated("### Block 1: a\n- GPUh: 3\n", kSize)};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CAPTURE(i);
    const auto began = std::chrono::steady_clock::now();
    const json j = parse_plan(texts[i], "p");
    CHECK(std::chrono::steady_clock::now() - began <
          std::chrono::seconds(5));  // a debug build on a busy machine
    CHECK(dump(j).size() < 200'000);
  }
}
