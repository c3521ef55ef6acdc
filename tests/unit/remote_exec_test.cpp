// Commands on a real machine: outputs, ends, limits, and small files put there.
#include <sys/stat.h>

#include "core/files.h"
#include "core/text.h"
#include "tests/support/remote_bench.h"

using namespace vastgpu;
using namespace std::chrono_literals;

TEST_CASE("a command's outputs, input and end come back as they are") {
  NEEDS_SSHD();
  RemoteBench b;
  auto shell = b.connect();

  const auto both = shell->exec("cat; echo bad >&2; exit 7", {.input = std::string("a\0b\n", 4)}, {});
  REQUIRE(both);
  CHECK(both->out == std::string("a\0b\n", 4));
  CHECK(both->err == "bad\n");
  CHECK(both->exit_code == 7);
  CHECK_FALSE(both->truncated);

  CHECK(shell->exec("kill -9 $$", {}, {})->exit_code == 137);
  CHECK(shell->exec("kill -TERM $$", {}, {})->exit_code == 143);
  CHECK(shell->exec("no-such-program-here", {}, {})->exit_code == 127);
  CHECK(shell->exec("x='it'\"'\"'s'; printf '%s\\\\n' \"$x\"", {}, {})->out == "it's\\n");
  // Its stdin and outputs are closed, and it still works for a while.
  CHECK(shell->exec("exec <&- >&- 2>&-; sleep 0.1; exit 3", {.input = std::string(3'000'000, 'x')}, {})
            ->exit_code == 3);

  const auto longest = shell->exec(std::string(40'000, ' ') + "true", {}, {});
  REQUIRE_FALSE(longest);
  CHECK(longest.error().code == Code::invalid_argument);
}

TEST_CASE("large outputs on both sides and a large input cannot block each other") {
  NEEDS_SSHD();
  RemoteBench b;
  auto shell = b.connect();
  const std::string script = "head -c 5000000 /dev/zero >&2 & head -c 5000000 /dev/zero; wc -c; wait";
  const auto all = shell->exec(script, {.input = std::string(8'000'000, 'i'), .max_output = 6'000'000}, {});
  REQUIRE(all);
  CHECK(all->out.size() == 5'000'008);
  CHECK(all->out.substr(5'000'000) == "8000000\n");
  CHECK(all->err.size() == 5'000'000);
  CHECK_FALSE(all->truncated);

  const auto echoed = shell->exec("cat", {.input = std::string(8'000'000, 'e'), .max_output = 9'000'000}, {});
  REQUIRE(echoed);
  CHECK(echoed->out == std::string(8'000'000, 'e'));

  const auto cut = shell->exec(script, {.input = "x", .max_output = 1000}, {});
  REQUIRE(cut);
  CHECK(cut->out.size() == 1000);
  CHECK(cut->err.size() == 1000);
  CHECK(cut->truncated);
  CHECK(cut->exit_code == 0);
}

TEST_CASE("a limit or a stop ends the wait, and the connection goes on working") {
  NEEDS_SSHD();
  RemoteBench b;
  auto shell = b.connect();
  const auto late = shell->exec("sleep 20", {.limit = 100ms}, {});
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Code::unavailable);
  CHECK(late.error().effect == Effect::unknown);

  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  const auto stopped = shell->exec("sleep 20", {}, source.get_token());
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == Code::cancelled);

  const auto after = shell->exec("echo still here", {}, {});
  REQUIRE(after);
  CHECK(after->out == "still here\n");
}

TEST_CASE("a link that is killed is unavailable with an unknown effect; the next command gets a new one") {
  NEEDS_SSHD();
  RealSshd server;
  RemoteBench b(server);
  auto shell = b.connect();
  std::jthread killer([&] {
    while (!std::filesystem::exists(b.machine.path() / "started")) std::this_thread::yield();
    server.kill_connections();
  });
  const auto died =
      shell->exec("cd " + b.machine.path().string() + "; echo once >>started; exec sleep 5", {}, {});
  REQUIRE_FALSE(died);
  CHECK(died.error().code == Code::unavailable);
  CHECK(died.error().effect == Effect::unknown);
  const auto again = shell->exec("cat " + (b.machine.path() / "started").string(), {}, {});
  REQUIRE(again);
  CHECK(again->out == "once\n");  // what was asked before was not asked twice
}

TEST_CASE("put writes whole files with their mode, or nothing") {
  NEEDS_SSHD();
  RemoteBench b;
  auto shell = b.connect();
  const auto at = b.machine.path() / "new folder/it's here.sh";
  REQUIRE(shell->put(at.string(), "#!/bin/sh\necho ran\n", 0700, {}));
  CHECK(read_file(at, 1000) == "#!/bin/sh\necho ran\n");
  struct stat info {};
  ::stat(at.c_str(), &info);
  CHECK((info.st_mode & 07777) == 0700);
  REQUIRE(shell->put(at.string(), "", 0600, {}));
  CHECK(read_file(at, 1000) == "");
  CHECK(std::distance(std::filesystem::directory_iterator(at.parent_path()), {}) == 1);

  const auto refused = shell->put("/proc/nowhere/file", "x", 0600, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::wrong_state);
  CHECK_FALSE(shell->put("/tmp/", "x", 0600, {}));
}

TEST_CASE("wherever the link dies during put, the file is as before or as after") {
  NEEDS_SSHD();
  RemoteBench b;
  CutRelay relay(b.server.endpoint());
  const auto at = (b.machine.path() / "f").string();
  const std::string after(200'000, 'a');
  bool arrived = false;
  for (std::uint64_t cut = 100; !arrived; cut = cut * 3 + 500) {
    CAPTURE(cut);
    std::filesystem::remove(at);
    b.machine.write("f", "before");
    auto shell = b.connect_to(relay.endpoint());
    relay.cut_after(cut, CutRelay::Counts::from_client);
    arrived = shell->put(at, after, 0644, {}).has_value();
    const auto now = read_file(at, 1'000'000);
    REQUIRE(now);
    CHECK((*now == after || (*now == "before" && !arrived)));
  }
}

TEST_CASE("fifty machines at once") {
  NEEDS_SSHD();
  RemoteBench b;
  std::atomic<int> worked = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 50; ++i)
      threads.emplace_back([&, i] {
        const auto made = b.connector.connect(
            {.candidates = {b.server.endpoint()}, .pinned_host_key = {}, .limit = 60s}, {});
        if (!made) return;
        const auto said = made->shell->exec("echo " + std::to_string(i), {}, {});
        if (said && said->out == std::to_string(i) + "\n") ++worked;
      });
  }
  CHECK(worked == 50);
}
