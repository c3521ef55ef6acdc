// SIGKILL at every write of the whole story: whatever the moment, the next process goes on with one contract,
// within the budget, and nothing is lost.

#include "tests/fault/crash_cases.h"

using namespace vastgpu;

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
    s.phase("run", [&] { s.ask("run", with({{"command", kCrashJob}, {"experiment", "exp01"}})); });
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
  check("the whole story", die_everywhere(crash_options(), play, kSideBySide), 100);
}

TEST_CASE("killed at every write: destroy-all", "[crash][destroy-all]") {
  if (machines_missing()) return;
  const auto play = [](CrashStory& s) {
    const json id = s.rent(json::object(), "ready")["instance_id"];
    s.ask("run", {{"instance_id", id}, {"command", kCrashJob}, {"experiment", "exp01"}});
    s.ask_while("monitor", {{"instance_id", id}, {"wait_seconds", 600}}, {"running"});
    s.phase("destroy-all", [&] { s.ask_while("destroy-all", {{"wait_seconds", 600}}, {"some_left"}); });
    check_results(s);
    s.check_end();
  };
  check("destroy-all", die_everywhere(crash_options(), play, kSideBySide), 30);
}

TEST_CASE("killed at every write: the create's answer is lost, and destroying lags", "[crash][unlucky]") {
  CrashOptions unlucky = crash_options();
  unlucky.machines = false;  // it never gets ready, and need not
  unlucky.faults = {"create-504", "destroy-lag=30"};
  const auto play = [](CrashStory& s) {
    json id;
    s.phase("rent", [&] { id = s.rent(json::object(), "booting", 20)["instance_id"]; });
    s.phase("destroy", [&] {
      s.ask_while("destroy", {{"instance_id", id}, {"discard_results", true}, {"wait_seconds", 600}},
                  {"destroying"});
    });
    s.check_end();
  };
  check("create-504", die_everywhere(unlucky, play, kSideBySide), 40);
}

TEST_CASE("killed at every write: a bad host, and the next machine in its place", "[crash][unlucky]") {
  CrashOptions unlucky = crash_options();
  unlucky.machines = false;
  unlucky.speed = 300;  // nothing but requests
  unlucky.faults = {"bad-host", "destroy-lag=10"};
  const auto play = [](CrashStory& s) {
    s.phase("rent", [&] { s.rent(json::object(), "booting"); });
    if (s.whole() && s.contracts() < 2) throw CrashTrouble("no stand-in was rented");
    s.phase("destroy-all", [&] {
      s.ask_while("destroy-all", {{"discard_results", true}, {"wait_seconds", 600}}, {"some_left"});
    });
    s.check_end();
  };
  check("bad host", die_everywhere(unlucky, play, kSideBySide), 50);
}
