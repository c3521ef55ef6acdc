// What may be collected besides results/, and where it lands.
#include "fleet/result_paths.h"

#include "analysis/analyse.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

TEST_CASE("paths of results: what is taken and what is refused") {
  CHECK(result_path("outputs/**") == "outputs/**");
  CHECK(result_path("./outputs//a/") == "outputs/a/");
  CHECK(result_path("/workspace/project/runs/*/m.csv") == "runs/*/m.csv");
  CHECK(result_path("model.pt") == "model.pt");
  CHECK(result_path("*.csv") == "*.csv");
  for (const char* bad : {"", "/", ".", "../x", "a/../../b", "/etc/passwd", "*", "**", "**/x", "*/x",
                          ".git/x", ".mcp.json", "a\nb", "/workspace/other", "?"}) {
    CAPTURE(bad);
    const auto got = result_path(bad);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == Code::invalid_argument);
    CHECK_FALSE(got.error().next_step.empty());
  }
}

TEST_CASE("each folder that is named is a source of its own, so that nothing lands in another") {
  const auto sources =
      sources_of({"outputs/**", "runs/*/m.csv", "runs/best/**", "model.pt", "*.csv", "weights", "../evil"},
                 "/home/me/p");
  REQUIRE(sources.size() == 4);
  CHECK(sources[0].remote_folder == "/workspace/project/outputs");
  CHECK(sources[0].local_folder == "/home/me/p/outputs");
  CHECK(sources[0].patterns.empty());
  CHECK(sources[1].patterns == std::vector<std::string>{"/*/m.csv", "/best/**"});
  CHECK(sources[2].remote_folder == "/workspace/project/weights");
  CHECK(sources[3].remote_folder == "/workspace/project");
  CHECK_FALSE(sources[3].recursive);
  CHECK(sources[3].patterns == std::vector<std::string>{"/model.pt", "/[!.]*.csv"});
}

TEST_CASE("CLAUDE.md names further results under its Vast heading") {
  TempFolder project;
  project.write("CLAUDE.md",
                "- results: not/here\n## Vast.ai\n- results: outputs/**, runs  # both\n- results: `*.csv`\n");
  CHECK(read_project_settings(project.path()).results ==
        std::vector<std::string>{"outputs/**", "runs", "*.csv"});
}
