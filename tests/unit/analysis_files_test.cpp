#include <sys/stat.h>

#include <fstream>

#include "analysis/analyse.h"
#include "analysis/bounded_files.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {
bool mentions(const std::vector<std::string>& lines, std::string_view word) {
  return join(lines, "\n").find(word) != std::string::npos;
}
}  // namespace

TEST_CASE("a project is read within limits, and what was refused is named") {
  TempFolder outside, project;
  outside.write("secret.md", "- max_budget: 9");
  project.write("good.py", "x = 1\n");
  project.write("binary.py", std::string("a\0b", 3));
  project.write("broken.py", "ok \xff\xfe end\n");
  project.write("huge.py", std::string(ProjectFiles::kMaxFileBytes + 1, 'x'));
  fs::create_directory(project.path() / "folder.py");
  fs::create_symlink(outside.path() / "secret.md", project.path() / "leaves.md");
  fs::create_symlink("loop_b", project.path() / "loop_a");
  fs::create_symlink("loop_a", project.path() / "loop_b");
  fs::create_symlink("good.py", project.path() / "inside.py");
  REQUIRE(::mkfifo((project.path() / "pipe.py").c_str(), 0600) == 0);

  ProjectFiles files(project.path());
  CHECK(files.read("good.py") == "x = 1\n");
  CHECK(files.read("inside.py") == "x = 1\n");
  CHECK(files.read("absent.py") == std::nullopt);
  CHECK(files.warnings.empty());

  CHECK_FALSE(files.read("binary.py"));
  CHECK_FALSE(files.read("huge.py"));
  CHECK_FALSE(files.read("folder.py"));
  CHECK_FALSE(files.read("leaves.md"));
  CHECK_FALSE(files.read("../" + outside.path().filename().string() + "/secret.md"));
  CHECK_FALSE(files.read("loop_a"));
  CHECK_FALSE(files.read("pipe.py"));
  const auto broken = files.read("broken.py");
  REQUIRE(broken);
  CHECK(broken->find("end") != std::string::npos);
  for (const char* name :
       {"binary.py", "huge.py", "folder.py", "leaves.md", "loop_a", "pipe.py", "broken.py"}) {
    CAPTURE(name);
    CHECK(mentions(files.warnings, name));
  }
}

TEST_CASE("looking for scripts skips environments and data, follows no linked folder and stops in time") {
  TempFolder project;
  project.write("train.py", "");
  project.write("src/model.py", "");
  project.write("venv/lib/x.py", "");
  project.write(".git/hook.py", "");
  project.write("data/y.py", "");
  project.write("a/b/c/d/e/f/g/deep.py", "");
  fs::create_directory_symlink(project.path(), project.path() / "src" / "again");

  ProjectFiles files(project.path());
  std::vector<std::string> names;
  for (const auto& f : files.find({".py"})) names.push_back(f.path.string());
  CHECK(names == std::vector<std::string>{"train.py", "src/model.py"});

  for (int i = 0; i < ProjectFiles::kMaxFiles + 5; ++i)
    std::ofstream(project.path() / ("n" + std::to_string(i) + ".py"));
  ProjectFiles crowded(project.path());
  CHECK(crowded.find({".py"}).size() == static_cast<std::size_t>(ProjectFiles::kMaxFiles));
  CHECK(mentions(crowded.warnings, "more files"));
}

TEST_CASE("not more than 20 MB are read in all") {
  TempFolder project;
  for (int i = 0; i < 12; ++i) project.write(std::to_string(i) + ".txt", std::string(1'900'000, 'x'));
  ProjectFiles files(project.path());
  int read = 0;
  for (int i = 0; i < 12; ++i) read += files.read(std::to_string(i) + ".txt") ? 1 : 0;
  CHECK(read == 10);
  CHECK(mentions(files.warnings, "20 MB"));
}

TEST_CASE("a folder that is not there gives defaults and says so") {
  const auto p = analyse("/no/such/folder", {});
  CHECK(p.vram.value == 8);
  CHECK_FALSE(p.hours);
  CHECK(mentions(p.warnings, "/no/such/folder"));
}

TEST_CASE("rubbish where a project should be neither hangs nor throws") {
  const auto noise = [](unsigned seed, std::size_t size) {
    std::string s;
    for (std::size_t i = 0; i < size; ++i) {
      seed = seed * 1103515245 + 12345;
      constexpr std::string_view kLikely = "0123456789.,-~|`'\"#*:()[]<>=$ \n\n\t\\xhgGPUB小时GPU";
      s += seed % 7 == 0 ? static_cast<char>(seed >> 16 | 1) : kLikely[(seed >> 16) % kLikely.size()];
    }
    return s;
  };
  for (unsigned seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    TempFolder project;
    project.write("CLAUDE.md", "## Vast.ai\n" + noise(seed, 3000));
    project.write("refine-logs/EXPERIMENT_PLAN.md",
                  "| M | GPU-hours |\n|---|---|\n" + noise(seed + 100, 20'000));
    project.write("train.py", noise(seed + 200, 20'000));
    project.write("run.sh", "torchrun train.py " + noise(seed + 300, 5000));
    project.write("requirements.txt", "torch==" + noise(seed + 400, 500));
    const auto p = analyse(project.path(), {.task = noise(seed + 500, 3000)});
    CHECK(p.gpus >= 1);
    CHECK(p.gpus <= 64);
    CHECK(p.vram.value > 0);
    CHECK_FALSE(dump(json(p)).empty());
    read_project_settings(project.path());
  }
  TempFolder long_lines;
  long_lines.write("refine-logs/EXPERIMENT_PLAN.md", std::string(1'900'000, '1'));
  long_lines.write("train.py", std::string(900'000, '(') + std::string(900'000, '"'));
  CHECK(analyse(long_lines.path(), {}).gpus == 1);
}
