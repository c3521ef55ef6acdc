// SIGKILL at every write of the whole story: whatever the moment, the next process goes on with one contract,
// within the budget, and nothing is lost.

#include <iostream>

#include "sandbox/machine.h"
#include "tests/support/catch.h"
#include "tests/support/crash_rounds.h"

using namespace vastgpu;

namespace {

constexpr int kSideBySide = 5;  // they mostly wait: for the scaled clock, and for each other's processes

const char* const kJob =
    "mkdir -p results/deep && echo 42 >results/answer.txt && seq 1 30000 >results/deep/steps.txt && "
    ": >results/empty.txt";

std::string steps() {
  std::string all;
  for (int i = 1; i <= 30000; ++i) all += std::to_string(i) + "\n";
  return all;
}

void check_results(CrashStory& s) {
  s.check_file("results/answer.txt", "42\n");
  s.check_file("results/deep/steps.txt", steps());
  s.check_file("results/empty.txt", "");
}

CrashOptions options() { return {.program = VASTGPU_BINARY, .crashing = VASTGPU_CRASHING}; }

/// Prints the figures and holds that every rule held at every point.
void check(const std::string& name, const CrashCount& count, int at_least) {
  std::cout << to_words(name, count) << std::flush;
  for (const std::string& trouble : count.trouble) UNSCOPED_INFO(trouble);
  CHECK(count.trouble.empty());
  CHECK(count.points >= at_least);
}

bool machines_missing() {
  const auto why = sandbox::machines_unavailable();
  if (why) WARN("skipped: " << *why);
  return why.has_value();
}

}  // namespace

TEST_CASE("killed at every write: the whole story", "[crash][story]") {
  if (machines_missing()) return;
  const auto play = [](CrashStory& s) {
    json id;
    s.write("project/code/model.py", "layers = 12\n" + std::string(3000, '#') + "\n");
    s.side_phase("provision", [&] {
      s.ask("provision", {{"task", "train a small model"}, {"vram_gib", 8}, {"hours", 1}});
    });
    s.phase("rent", [&] { id["instance_id"] = s.rent(json::object(), "ready")["instance_id"]; });
    s.check_listed(id["instance_id"], "status", "running");
    const auto with = [&](json more) {
      more.update(id);
      return more;
    };
    s.side_phase("setup", [&] { s.ask_while("setup", with({{"wait_seconds", 600}}), {"installing"}); });
    s.phase("run", [&] { s.ask("run", with({{"command", kJob}, {"experiment", "exp01"}})); });
    s.check_listed(id["instance_id"], "experiment", "exp01");
    s.phase("monitor", [&] { s.ask_while("monitor", with({{"wait_seconds", 600}}), {"running"}); });
    s.side_phase("collect", [&] {
      s.ask("collect", id);
      check_results(s);
    });
    s.side_phase("extend", [&] { s.ask("extend", with({{"hours", 0.5}})); });
    s.phase("destroy", [&] { s.ask_while("destroy", with({{"wait_seconds", 600}}), {"destroying"}); });
    check_results(s);
    s.check_end();
  };
  check("the whole story", die_everywhere(options(), play, kSideBySide), 100);
}
