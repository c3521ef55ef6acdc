// Setup on a whole machine: code by rules, data by name, requirements that draw in others, deletions.
#include <fstream>

#include "fleet/reach.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;
namespace fs = std::filesystem;

SCENARIO("setup brings code, data and requirements, says what stayed at home, and deletes only when asked") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  TempFolder& home = stage.folder();
  home.write("project/requirements.txt", "numpy\n-r more.txt\n-c limits.txt\n-e .\n");
  home.write("project/more.txt", "scipy\n");
  home.write("project/limits.txt", "scipy<9\n");
  home.write("project/setup.py", "");
  home.write("project/.gitignore", "scratch/\n");
  home.write("project/scratch/x.py", "x");
  home.write("project/old.py", "old");
  home.write("project/.env", "SECRET=1");
  home.write("project/data/train.bin", std::string(40'000'000, 'd'));
  home.write("corpus/words.txt", "w");
  auto rented = stage.rent();
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  const auto run = [&](const std::string& command) {
    const Deps d = stage.deps();
    auto rental = rental_of(d, id.get<InstanceId>());
    REQUIRE(rental);
    auto shell = reach(d, *rental, {});
    REQUIRE(shell);
    auto done = (*shell)->exec(command, {}, {});
    REQUIRE(done);
    return done->out;
  };

  auto refused = stage.call("setup", {{"instance_id", id}, {"data", {"data"}}, {"max_upload_gb", 0.01}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what.find("more than the limit of 10.0 MB") != std::string::npos);
  CHECK(refused.error().what.find("train.bin") != std::string::npos);

  const json wanted{
      {"instance_id", id}, {"data", {"data", (home.path() / "corpus").string()}}, {"wait_seconds", 600}};
  auto ready = stage.call_until("setup", wanted, "installing");
  if (!ready) FAIL(ready.error().what);
  INFO(ready->summary << ready->details);
  CHECK(ready->outcome == "ready");
  CHECK(ready->facts["stayed_home"]["by_ignore_files"] == 1);
  CHECK(ready->facts["stayed_home"]["may_hold_secrets"].get<int>() >= 1);
  CHECK(ready->facts["data"].size() == 2);
  CHECK(run("cd /workspace/project && ls -A . && pip freeze && stat -c %s data/train.bin && cat "
            "/workspace/data/corpus/words.txt && ls /workspace/requirements.txt")
            .find("40000000\nw/workspace/requirements.txt") != std::string::npos);
  const std::string there = run("ls -A /workspace/project; pip freeze");
  CHECK(there.find("old.py") != std::string::npos);
  CHECK(there.find("scipy") != std::string::npos);
  for (const char* absent : {"scratch", ".env", ".vast-gpu", ".gitignore"}) {
    CAPTURE(absent);
    CHECK(there.find(absent) == std::string::npos);
  }

  auto again = stage.call("setup", wanted);
  REQUIRE(again);
  CHECK(again->facts["sent_files"] == 0);
  CHECK(again->facts["link"]["round_trips"] == 1);
  CHECK(again->facts["data"][0]["link"]["round_trips"] == 1);

  fs::remove(stage.project() / "old.py");
  run("touch /workspace/project/theirs.py");
  auto cleaned = stage.call("setup", {{"instance_id", id}, {"delete_extra", true}, {"wait_seconds", 600}});
  REQUIRE(cleaned);
  CHECK(cleaned->facts["deleted"] == 1);
  const std::string after = run("ls -A /workspace/project");
  CHECK(after.find("old.py") == std::string::npos);
  CHECK(after.find("theirs.py") != std::string::npos);
  CHECK(run("ls /workspace/project/data").find("train.bin") != std::string::npos);
  REQUIRE(stage.call_until("destroy", {{"instance_id", id}, {"wait_seconds", 600}}, "destroying"));
}
