// The keeper as a process of its own: who starts it, what it does alone, what it survives, when it ends.

#include "server/keeper.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

#include "core/files.h"
#include "core/text.h"
#include "server/keeper_log.h"
#include "server/ledger_tasks.h"
#include "server/stretch.h"
#include "tests/support/catch.h"
#include "tests/support/kept_stage.h"
#include "tests/support/needs_machines.h"

using namespace vastgpu;
using namespace std::chrono_literals;

SCENARIO("a rental whose server was killed is collected and destroyed by the keeper alone") {
  NEEDS_MACHINES();
  KeptStage stage({.keeper = true});
  const auto quote = stage.quote();
  REQUIRE(quote);
  auto server = stage.start({"-q", "serve"});
  json rent = stage.ask(*server, "rent", {{"quote_id", *quote}, {"wait_seconds", 600}});
  for (int turn = 0; turn < 20 && rent["structuredContent"]["outcome"] == "booting"; ++turn)
    rent = stage.ask(*server, "rent", {{"quote_id", *quote}, {"wait_seconds", 600}});
  INFO(dump(rent));
  REQUIRE(rent["structuredContent"]["outcome"] == "ready");
  CHECK(stage.keeper_comes());  // since the intent, not only now
  const json id = rent["structuredContent"]["instance_id"];
  json setup = stage.ask(*server, "setup", {{"instance_id", id}});
  for (int turn = 0; turn < 20 && setup["structuredContent"]["outcome"] == "installing"; ++turn)
    setup = stage.ask(*server, "setup", {{"instance_id", id}});
  INFO(dump(setup));
  REQUIRE_FALSE(setup.value("isError", false));
  const json run = stage.ask(*server, "run",
                             {{"instance_id", id}, {"command", "python3 train.py"}, {"experiment", "alone"}});
  INFO(dump(run));
  REQUIRE_FALSE(run.value("isError", false));

  // No zombie of the start is left in the server, and the keeper is nobody's child but init's.
  const int keeper = stage.keeper();
  CHECK(children_of(server->pid()).empty());
  ::kill(server->pid(), SIGKILL);
  // The keeper holds no end of the server's pipes: the client sees the end at once.
  CHECK_FALSE(server->read_line(5s));
  CHECK(server->finish(5s) == 128 + SIGKILL);
  CHECK(lives(keeper));

  INFO(stage.keeper_log());
  CHECK(within(60s, [&] { return stage.state()["live_contracts"] == 0; }));
  CHECK(std::filesystem::exists(stage.project() / "results" / "metrics.json"));
  CHECK(stage.keeper_goes(60s));
  CHECK(within(5s, [&] { return stage.keeper_log().find("nothing of ours bills") != std::string::npos; }));
  CHECK(stage.instance_file()[0]["status"] == "destroyed");
  struct stat info {};
  REQUIRE(::stat((stage.folder().path() / "state" / "keeper.log").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600U);
}

SCENARIO("an end that was asked of a server which died is brought about by the keeper") {
  KeptStage stage({.machines = false});
  const auto quote = stage.quote();
  REQUIRE(quote);
  stage.fault({{"name", "never-boots"}});
  REQUIRE(stage.call("rent", {{"quote_id", *quote}, {"wait_seconds", 0}}));
  KeeperBoard board;
  (void)keep_once(stage.house(), board, {});
  REQUIRE(stage.state()["live_contracts"] == 1);  // it is not asked for
  LedgerTasks tasks(ledger_of(stage.house()));
  const auto id = stage.deps().ledger.rentals(true)->at(0).instance;
  REQUIRE(tasks.add({.id = "asked",
                     .tool = "destroy",
                     .arguments = {{"instance_id", id.value().value}},
                     .created = tasks.now(),
                     .updated = tasks.now()},
                    {}, {}));
  (void)keep_once(stage.house(), board, {});
  CHECK(stage.state()["live_contracts"] == 0);
  const auto ended = tasks.find("asked").value();
  REQUIRE(ended);
  CHECK(ended->status == "completed");
  INFO(ended->message);
  CHECK(ended->result.value().at("isError") == false);
}

SCENARIO("one keeper at a time, and the next call replaces one that was killed") {
  KeptStage stage({.machines = false, .keeper = true});
  const auto quote = stage.quote();
  REQUIRE(quote);
  // Booting for ever, as far as this story goes.
  stage.fault({{"name", "never-boots"}});
  REQUIRE(stage.call("rent", {{"quote_id", *quote}, {"wait_seconds", 0}}));

  CHECK(stage.keeper() == 0);  // this process has no program to start one as
  REQUIRE(stage.start({"-q", "call", "list"})->finish(20s) == 0);
  REQUIRE(stage.keeper_comes());
  const int first = stage.keeper();

  WHEN("another one is started") {
    auto second = stage.start({"-q", "keep"});
    THEN("it names the first and leaves with 0") {
      const auto line = second->read_line(10s);
      REQUIRE(line);
      CHECK(line->find(text("pid ", first)) != std::string::npos);
      CHECK(second->finish(5s) == 0);
      CHECK(stage.keeper() == first);
    }
  }
  WHEN("it is killed at once") {
    ::kill(first, SIGKILL);
    REQUIRE(within(5s, [&] { return stage.keeper() == 0; }));
    THEN("the next tool call starts another") {
      REQUIRE(stage.start({"-q", "call", "list"})->finish(20s) == 0);
      REQUIRE(stage.keeper_comes());
      CHECK(stage.keeper() != first);
    }
  }
  WHEN("a server starts where only the ledger says so") {
    ::kill(first, SIGKILL);
    REQUIRE(within(5s, [&] { return stage.keeper() == 0; }));
    auto server = stage.start({"-q", "serve"});
    THEN("it starts one without being asked anything, and outlives it") {
      REQUIRE(stage.keeper_comes());
      const int second = stage.keeper();
      CHECK(second != first);
      CHECK(server->finish(5s) == 0);
      CHECK(lives(second));
    }
  }
  WHEN("it is asked to end") {
    ::kill(first, SIGTERM);
    THEN("it does, and says so") {
      CHECK(stage.keeper_goes(10s));
      CHECK(stage.keeper_log().find("keeper ends: signal 15") != std::string::npos);
    }
  }
  WHEN("the settings switch keepers off meanwhile") {
    stage.folder().write("state/settings.json", R"({"keeper": false})");
    THEN("it ends by itself, and none is started") {
      CHECK(stage.keeper_goes(10s));
      REQUIRE(stage.start({"-q", "call", "list"})->finish(20s) == 0);
      CHECK(stage.keeper() == 0);
    }
  }
}

SCENARIO("a keeper goes on when a stretch of its work is killed or hangs") {
  KeptStage stage({.machines = false, .keeper = true});
  const auto quote = stage.quote();
  REQUIRE(quote);
  stage.fault({{"name", "never-boots"}});
  REQUIRE(stage.call("rent", {{"quote_id", *quote}, {"wait_seconds", 0}}));
  const bool hangs = GENERATE(false, true);
  auto keeper = stage.start({"keep"});
  REQUIRE(stage.keeper_comes());
  std::vector<int> working;
  REQUIRE(within(20s, [&] { return !(working = children_of(keeper->pid())).empty(); }));
  const std::size_t before = stage.deps().ledger.layers("")->size();
  CHECK(before <= 1);
  if (hangs) {
    ::kill(working.front(), SIGSTOP);  // for twenty minutes of its clock: eight seconds
    CHECK(within(30s, [&] { return stage.keeper_log().find("hangs") != std::string::npos; }));
  } else {
    ::kill(working.front(), SIGSEGV);
    CHECK(within(10s, [&] { return stage.keeper_log().find("signal 11") != std::string::npos; }));
  }
  const TimePoint then = stage.house().clock().now();
  CHECK(within(20s, [&] {
    const auto layers = stage.deps().ledger.layers("");
    return layers && !layers->empty() && layers->front().at > then;
  }));
  ::kill(keeper->pid(), SIGINT);
  CHECK(keeper->finish(10s) != 137);
}

SCENARIO("no keeper where the environment says so") {
  KeptStage stage({.machines = false, .keeper = false});
  const auto quote = stage.quote();
  REQUIRE(quote);
  REQUIRE(stage.call("rent", {{"quote_id", *quote}, {"wait_seconds", 0}}));
  REQUIRE(stage.start({"-q", "call", "list"})->finish(20s) == 0);
  CHECK(stage.keeper() == 0);
  auto asked = stage.start({"-q", "keep", "--detached"});
  CHECK(asked->read_line(10s) == "no keeper: VAST_GPU_KEEPER is off");
  CHECK(asked->finish(5s) == 0);
}

SCENARIO("install keeper adds one crontab line, once, and uninstall takes it away") {
  KeptStage stage({.api_key = "", .machines = false});
  // A crontab program that keeps its table in a file, and no systemd.
  const auto table = stage.folder().write("table", "0 4 * * * backup\n");
  const auto tool = [&](const std::string& name, const std::string& body) {
    const auto path = stage.folder().write("bin/" + name, "#!/bin/sh\n" + body);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  };
  tool("crontab", text("case $1 in -l) cat ", table.string(), ";; -r) rm ", table.string(), ";; -) cat >",
                       table.string(), ";; esac\n"));
  tool("systemctl", "exit 1\n");
  const std::string path = (stage.folder().path() / "bin").string() + ":" + std::getenv("PATH");
  const auto said = [&](std::vector<std::string> arguments) {
    auto environment = stage.environment();
    environment["PATH"] = path;
    environment["VAST_API_KEY"] = "only-in-the-environment";
    arguments.insert(arguments.begin(), VASTGPU_BINARY);
    auto child = Child::start(arguments, environment, "");
    REQUIRE(child);
    std::string out;
    while (const auto line = child->read_line(20s)) out += *line + "\n";
    return out + text("-> ", child->finish(5s));
  };
  const auto read = [&] { return read_file(table, 1 << 20).value_or("none"); };

  CHECK(said({"install", "keeper", "--dry-run"}).find("would add to your crontab") != std::string::npos);
  CHECK(read() == "0 4 * * * backup\n");
  const std::string first = said({"install", "keeper"});
  INFO(first);
  CHECK(first.find("added a line") != std::string::npos);
  CHECK(first.find("ATTENTION: no API key in a file") != std::string::npos);
  CHECK(first.ends_with("-> 1"));
  const std::string now = read();
  CHECK(now.starts_with("0 4 * * * backup\n*/5 * * * * VAST_GPU_STATE="));
  CHECK(now.find("only-in-the-environment") == std::string::npos);
  stage.folder().write("home/.config/vastai/vast_api_key", "k");
  const std::string second = said({"install", "keeper"});
  CHECK(second == "nothing to change in your crontab\n-> 0");
  CHECK(read() == now);
  CHECK(said({"uninstall", "keeper"}).ends_with("-> 0"));
  CHECK(read() == "0 4 * * * backup\n");

  const std::string units = said({"install", "keeper", "--print", "systemd"});
  CHECK(units.find("systemd/user/vast-gpu-keeper.timer") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(stage.folder().path() / "home/.config/systemd"));
}

TEST_CASE("the keeper's log is cut at its limit and keeps one older file") {
  const TempFolder folder;
  const KeeperLog log(folder.path(), 1000);
  for (int i = 0; i < 100; ++i) log.write(text("line ", i, " \x1b[31m", std::string(50, 'x')));
  CHECK(std::filesystem::file_size(log.path()) <= 1000);
  CHECK(std::filesystem::file_size(log.path().string() + ".1") <= 1000);
  const auto last = read_file(log.path(), 2000);
  REQUIRE(last);
  CHECK(last->find("line 99 ") != std::string::npos);
  CHECK(last->find('\x1b') == std::string::npos);
}
