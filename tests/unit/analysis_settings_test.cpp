#include "analysis/analyse.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {
ProjectSettings read(std::string_view claude) {
  TempFolder project;
  project.write("CLAUDE.md", claude);
  return read_project_settings(project.path());
}
}  // namespace

TEST_CASE("the keys of a Vast section are read with comments, backticks and dollars") {
  const auto s = read(
      "# Frog counter\n\n"
      "## Remote Server\n- gpu: remote\n- image: not/this:one\n\n"
      "## vast.AI (rented cards)\n"
      "- gpu: vast              # when the lab is full\n"
      "- auto_destroy: `false`  # keep it\n"
      "- **max_budget**: $1,250.75   # dollars\n"
      "- image: `acme/frogs:1.0#2-cuda12.4`  # ours\n"
      "- max_budget: 3\n\n"
      "## Notes\n- auto_destroy: true\n");
  CHECK(s.wants_vast);
  CHECK(s.source == "CLAUDE.md");
  CHECK(s.auto_destroy == false);
  REQUIRE(s.max_budget);
  CHECK(s.max_budget->value == Approx(1250.75));
  CHECK_FALSE(s.image);  // a bare # belongs to the value, and no image has one
  CHECK(join(s.warnings, "\n").find("max_budget stands twice") != std::string::npos);
  CHECK(join(s.warnings, "\n").find("image (CLAUDE.md line 11)") != std::string::npos);
}

TEST_CASE("auto_extend is read like auto_destroy") {
  CHECK_FALSE(read("## Vast.ai\n- gpu: vast\n").auto_extend);
  CHECK(read("## Vast.ai\n- auto_extend: false  # ask me\n").auto_extend == false);
  CHECK(read("- gpu: vast\n- auto_extend: yes\n").auto_extend == true);
  const auto odd = read("## Vast.ai\n- auto_extend: maybe\n");
  CHECK_FALSE(odd.auto_extend);
  CHECK(odd.warnings.size() == 1);
  CHECK_FALSE(read("## Modal\n- gpu: modal\n- auto_extend: true\n").auto_extend);
}

TEST_CASE("a heading alone wants Vast; another back end in its place does not") {
  CHECK(read("## Vast.ai\n").wants_vast);
  CHECK(read("intro\n\n## VAST.AI setup\nWe rent.\n").wants_vast);
  CHECK_FALSE(read("## Vast.aim\n").wants_vast);
  CHECK_FALSE(read("## Vast.ai\n- gpu: local\n").wants_vast);
  CHECK_FALSE(read("## Local Environment\n- gpu: local\n").wants_vast);
  CHECK_FALSE(read("nothing here").wants_vast);
}

TEST_CASE("keys are found under another heading or none, but not those of another back end") {
  const auto loose = read("- gpu: vast\n- max_budget: 7\n");
  CHECK(loose.wants_vast);
  CHECK(loose.max_budget->value == 7);

  const auto other =
      read("## GPU\n* gpu: vast\n* auto_destroy: true\n## Modal\n- gpu: modal\n- max_budget: 99\n");
  CHECK(other.wants_vast);
  CHECK(other.auto_destroy == true);
  CHECK_FALSE(other.max_budget);

  // A limit outside the section still limits.
  CHECK(read("## Vast.ai\n- gpu: vast\n\n## Money\n- max_budget: 4\n").max_budget->value == 4);
}

TEST_CASE("data paths stand in the Vast section, one a line") {
  const auto s = read(
      "## Vast.ai\n- gpu: vast\n- data: data/train  # 2 GB\n- data: `my set.csv`\n- data: data/train\n"
      "\n## Notes\n- data: elsewhere\n");
  CHECK(s.data == std::vector<std::string>{"data/train", "my set.csv"});
}

TEST_CASE("a pasted sample counts only when nothing else is found") {
  const std::string sample = "```markdown\n## Vast.ai\n- gpu: vast\n- max_budget: 2.5\n```\n";
  const auto pasted = read("Settings:\n" + sample);
  CHECK(pasted.wants_vast);
  CHECK(pasted.max_budget->value == 2.5);

  const auto real = read(sample + "## Vast.ai\n- max_budget: 8\n");
  CHECK(real.max_budget->value == 8);
  CHECK_FALSE(read("<!--\n## Vast.ai\n- max_budget: 8\n-->\n").max_budget);
}

TEST_CASE("a budget that makes no sense is a warning with its line, never a value") {
  for (const char* bad : {"-5", "plenty", "6,50", "1e999", "nan", "inf", "$", "12 apples", "--3", "1,23,456",
                          "0x10", "99999999"}) {
    CAPTURE(bad);
    const auto s = read(std::string("## Vast.ai\n- max_budget: ") + bad + "\n");
    CHECK_FALSE(s.max_budget);
    REQUIRE(s.warnings.size() == 1);
    CHECK(s.warnings[0].find("line 2") != std::string::npos);
    CHECK(s.wants_vast);
  }
  CHECK(read("## Vast.ai\n- max_budget: 0\n").max_budget->value == 0);
  CHECK(read("## Vast.ai\n- max_budget: 20 USD\n").max_budget->value == 20);
  CHECK(read("## Vast.ai\n- max_budget:   # none yet\n").warnings.empty());
  CHECK(read("## Vast.ai\n- auto_destroy: maybe\n").warnings.size() == 1);
}

TEST_CASE("AGENTS.md serves where CLAUDE.md is absent or silent") {
  TempFolder project;
  project.write("AGENTS.md",
                "## Vast.ai\n- vast_instance: 4411\n- SSH: ssh -p 41022 root@192.0.2.7\n- Code dir: "
                "/workspace/p\n- auto_destroy: true\n"
                "- max_budget: 12\n");
  auto s = read_project_settings(project.path());
  CHECK(s.wants_vast);
  CHECK(s.auto_destroy == true);
  CHECK(s.source == "AGENTS.md");

  project.write("CLAUDE.md", "# House rules\n- be kind\n");
  s = read_project_settings(project.path());
  CHECK(s.source == "AGENTS.md");
  CHECK(s.max_budget->value == 12);

  project.write("CLAUDE.md", "## Vast.ai\n- gpu: vast\n- auto_destroy: false\n");
  s = read_project_settings(project.path());
  CHECK(s.auto_destroy == false);
  CHECK(s.max_budget->value == 12);
  CHECK(s.source == "CLAUDE.md, AGENTS.md");

  TempFolder empty;
  CHECK(read_project_settings(empty.path()).source.empty());
}

TEST_CASE("a secret in the file never comes out") {
  const auto s = read(
      "## Vast.ai\n- api_key: k3y-hunter2\n- max_budget: hunter2\n- image: "
      "user:hunter2@registry.example/x\n- auto_destroy: hunter2\n");
  CHECK_FALSE(s.image);
  CHECK(s.warnings.size() == 3);
  CHECK(join(s.warnings, "\n").find("hunter2") == std::string::npos);
}

TEST_CASE("logins and keys of any section stay out of every field") {
  const auto s = read(
      "# Secrets of the house\n\n## Remote Server\n- SSH: `ssh -p 2222 root@192.0.2.44`\n- password: "
      "correct-horse\n"
      "- GPU: 4x A100 (80GB each)\n\n## Vast.ai\n- gpu: vast\n- VAST_API_KEY=0123456789abcdef0123\n- "
      "api_key: 0123456789abcdef0123\n"
      "- SSH: ssh root@198.51.100.3 -i ~/.ssh/id_ed25519\n- max_budget: root@192.0.2.44\n- image: "
      "192.0.2.44:5000@correct-horse\n"
      "- auto_destroy: correct-horse\n");
  CHECK(s.wants_vast);
  std::string all = s.source + s.image.value_or("") + join(s.warnings, "\n");
  for (const char* secret :
       {"192.0.2.44", "198.51.100.3", "correct-horse", "0123456789abcdef", "id_ed25519"}) {
    CAPTURE(secret);
    CHECK(all.find(secret) == std::string::npos);
  }
}
