// SIGKILL at every write of what ends rentals without an assistant: reap, the keeper with its child, and
// panic.

#include "tests/fault/crash_cases.h"

using namespace vastgpu;

namespace {

/// What looks after the rentals, and dies.
struct Pass {
  std::vector<std::string> command;
  bool stays = false;  ///< goes on until nothing is left, where the others make one pass
};
const Pass kReap{{"reap"}};
const Pass kKeep{{"keep"}, true};

/// As cron would, until nothing of ours bills.
void until_nothing_bills(CrashStory& s, const Pass& pass) {
  s.pass_until(pass.command, 0, pass.stays ? std::chrono::seconds(1) : std::chrono::seconds(60));
}

json run_one(CrashStory& s, const std::string& command) {
  const json id = s.rent(json::object(), "ready")["instance_id"];
  s.ask("run", {{"instance_id", id}, {"command", command}, {"experiment", "exp01"}});
  s.ask_while("monitor", {{"instance_id", id}, {"wait_seconds", 600}}, {"running"});
  s.close();
  return id;
}

}  // namespace

void finished(const Pass& pass) {
  if (machines_missing()) return;
  const auto play = [&](CrashStory& s) {
    run_one(s, kCrashJob);
    s.phase(pass.command[0], [&] { until_nothing_bills(s, pass); });
    check_results(s);
    s.check_end();
  };
  check(pass.command[0] + ", finished", die_everywhere(crash_options(), play, kSideBySide), 30);
}

TEST_CASE("killed at every write: a pass that collects and destroys what is finished: reap",
          "[crash][pass]") {
  finished(kReap);
}
TEST_CASE("killed at every write: a pass that collects and destroys what is finished: the keeper",
          "[crash][keep-pass]") {
  finished(kKeep);
}

void rescued(const Pass& pass) {
  if (machines_missing()) return;
  CrashOptions slow = crash_options();
  slow.speed = 120;  // a rescue has one grace of the guard, five minutes, for everything
  const auto play = [&](CrashStory& s) {
    const json id = s.rent(json::object(), "ready")["instance_id"];
    s.ask("run", {{"instance_id", id},
                  {"command", std::string(kCrashJob) + "; pkill -f guard[.]sh; touch results/done; "
                                                       "while :; do /bin/sleep 0.2; done"},
                  {"experiment", "exp01"}});
    s.ask_while("monitor", {{"instance_id", id}, {"wait_seconds", 30}}, {});
    s.close();
    s.end_lease(id);
    s.sleep_for(std::chrono::seconds(130));
    if (!pass.stays) s.phase(pass.command[0] + " stops", [&] { s.pass_until(pass.command, 1); });
    if (!pass.stays) s.sleep_for(std::chrono::minutes(4));
    s.phase(pass.command[0] + " rescues", [&] { until_nothing_bills(s, pass); });
    check_results(s);
    s.check_end();
  };
  check(pass.command[0] + ", dead guard", die_everywhere(slow, play, 2 * kSideBySide), 40);
}

TEST_CASE("killed at every write: a dead guard is stood in for, and its machine rescued: reap",
          "[crash][rescue]") {
  rescued(kReap);
}
// Minutes long, and the pass is the one above: by hand (docs/reliability.md).
TEST_CASE("killed at every write: a dead guard is stood in for, and its machine rescued: the keeper",
          "[.][crash][keep-rescue]") {
  rescued(kKeep);
}

void unsettled(const Pass& pass) {
  CrashOptions lost = crash_options();
  lost.machines = false;
  lost.faults = {"create-504", "not-visible=60"};
  const auto play = [&](CrashStory& s) {
    s.rent(json::object(), {}, 0);  // unsettled, unless this computer is slow
    s.close();
    s.sleep_for(std::chrono::seconds(70));
    if (!pass.stays) s.phase(pass.command[0] + " settles", [&] { s.pass_until(pass.command, 1); });
    s.end_lease(nullptr);
    s.phase(pass.command[0] + " ends", [&] { until_nothing_bills(s, pass); });
    s.check_end();
  };
  check(pass.command[0] + ", lost create", die_everywhere(lost, play, kSideBySide), 10);
}

TEST_CASE("killed at every write: a lost create is settled, and ended where it never got ready: reap",
          "[crash][unsettled]") {
  unsettled(kReap);
}
TEST_CASE("killed at every write: a lost create is settled, and ended where it never got ready: the keeper",
          "[crash][keep-unsettled]") {
  unsettled(kKeep);
}

TEST_CASE("killed at every write: the ledger is lost, reap adopts, panic ends", "[crash][adopt]") {
  CrashOptions bare = crash_options();
  bare.machines = false;
  const auto play = [](CrashStory& s) {
    s.rent(json::object(), "booting", 0);
    s.close();
    s.lose_ledger();
    s.sleep_for(std::chrono::seconds(20));
    s.phase("reap adopts", [&] { s.pass_until({"reap"}, 1); });
    s.phase("panic", [&] { s.pass_until({"panic", "--yes", "--discard-results"}, 0); });
    s.check_end();
  };
  check("lost ledger", die_everywhere(bare, play, kSideBySide), 16);
}
