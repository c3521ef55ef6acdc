// Results outside results/, names that are not finished, and what a load test says, to the end of a machine.

#include "core/files.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;
namespace fs = std::filesystem;

SCENARIO("what was asked for once comes home at the end too, with what was not finished, marked") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  auto rented = stage.rent();
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  const json id{{"instance_id", rented->facts["instance_id"]}};
  const auto with = [&](json more) {
    more.update(id);
    return more;
  };
  auto rental = stage.deps().ledger.rental_by_instance({id["instance_id"].get<std::int64_t>()});
  REQUIRE(rental);
  const auto there = [&](const std::string& command) {
    auto shell = stage.house().connector().connect({{*(*rental)->ssh}, (*rental)->host_key}, {});
    REQUIRE(shell);
    auto done = shell->shell->exec("cd /workspace/project && " + command, {}, {});
    REQUIRE(done);
    INFO(done->err);
    REQUIRE(done->exit_code == 0);
  };
  there(
      "mkdir -p outputs/run1 results/tmp-checkpoint-1 .hidden && echo a,b > outputs/run1/m.csv && "
      "echo '{}' > results/ok.json && echo half > results/tmp-checkpoint-1/model.bin && echo w > best.model "
      "&& echo trap > .mcp.json && echo x > .hidden/x");

  auto refused = stage.call("collect", with({{"paths", {"../elsewhere/**"}}}));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::invalid_argument);

  auto first = stage.call("collect", with({{"paths", {"outputs/**"}}, {"verify", true}}));
  INFO((first ? first->summary + first->details : first.error().what));
  REQUIRE(first);
  CHECK(first->outcome == "collected");
  CHECK(fs::exists(stage.project() / "outputs/run1/m.csv"));
  CHECK(fs::exists(stage.project() / "results/ok.json"));
  CHECK_FALSE(fs::exists(stage.project() / "results/tmp-checkpoint-1"));
  CHECK(first->details.find("temporary name") != std::string::npos);

  auto same = stage.call("collect", id);
  REQUIRE(same);
  CHECK(same->outcome == "collected");
  CHECK(same->facts["receipt"]["fetched_now"] == 0);

  // Later: more of the same, a file that cannot be read again, and what CLAUDE.md names.
  there("mkdir outputs/run2 && echo c,d > outputs/run2/m.csv && echo '{\"cut\": ' > results/broken.json");
  const auto claude = read_file(stage.project() / "CLAUDE.md", 1'000'000).value_or("");
  stage.folder().write("project/CLAUDE.md", claude + "\n## Vast.ai\n- results: `*.model`, `*.json`\n");
  auto ended = stage.call_until("destroy", with({{"wait_seconds", 600}}), "destroying");
  INFO((ended ? ended->summary : ended.error().what));
  REQUIRE(ended);
  CHECK(ended->outcome == "destroyed");
  CHECK(fs::exists(stage.project() / "outputs/run2/m.csv"));
  CHECK(fs::exists(stage.project() / "best.model"));
  CHECK_FALSE(fs::exists(stage.project() / ".mcp.json"));
  CHECK(fs::exists(stage.project() / "results/tmp-checkpoint-1/model.bin"));
  const json& receipt = ended->facts["receipt"];
  CHECK(receipt["complete"] == true);
  CHECK(receipt["problems"].dump().find("temporary name") != std::string::npos);
  CHECK(receipt["checked"].dump().find("\"failed\"") != std::string::npos);
  CHECK(ended->summary.find("CANNOT BE LOADED") != std::string::npos);
  CHECK(stage.state()["live_contracts"] == 0);
}
