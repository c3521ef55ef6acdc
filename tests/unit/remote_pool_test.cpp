// Sessions that outlive the call that opened them, and commands that cost one round trip.
#include <signal.h>

#include <atomic>
#include <thread>

#include "core/text.h"
#include "tests/support/delay_relay.h"
#include "tests/support/remote_bench.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

SshTarget pinned(const RealSshd& server, const Endpoint& at) {
  return {.candidates = {at}, .pinned_host_key = server.fingerprint()};
}

std::unique_ptr<Shell> reach(SshConnector& connector, const SshTarget& target) {
  auto made = connector.connect(target, {});
  INFO((made ? "" : made.error().what));
  REQUIRE(made);
  return std::move(made->shell);
}

/// Who the machine thinks is calling: the same port is the same connection.
std::string caller_of(Shell& shell) {
  const auto said = shell.exec("echo $SSH_CONNECTION; echo $PPID", {}, {});
  REQUIRE(said);
  return said->out.substr(0, said->out.find('\n'));
}

template <class Condition>
bool becomes(const Condition& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

}  // namespace

TEST_CASE("the next call to a pinned machine uses the open session; one that trusts nobody yet does not") {
  NEEDS_SSHD();
  RemoteBench b;
  const auto target = pinned(b.server, b.server.endpoint());
  const std::string first = caller_of(*reach(b.connector, target));
  CHECK(caller_of(*reach(b.connector, target)) == first);
  CHECK(caller_of(*b.connect()) != first);
  SECTION("two at once have one each, and both are kept") {
    auto one = reach(b.connector, target);
    auto two = reach(b.connector, target);
    CHECK(caller_of(*one) != caller_of(*two));
    one.reset();
    two.reset();
    CHECK(b.connector.idle_sessions() == 2);
  }
  SECTION("another pin never gets it") {
    auto wrong = target;
    wrong.pinned_host_key = "SHA256:somebody else";
    const auto refused = b.connector.connect(wrong, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::corrupt);
  }
}

TEST_CASE("a session that died while nobody used it is replaced, and the command runs once") {
  NEEDS_SSHD();
  RealSshd server;
  RemoteBench b(server);
  auto options = b.options();
  options.pool.keep_alive = 100ms;
  SshConnector connector(options);
  const auto target = pinned(server, server.endpoint());
  const std::string first = caller_of(*reach(connector, target));
  REQUIRE(connector.idle_sessions() == 1);
  server.kill_connections();
  CHECK(becomes([&] { return connector.idle_sessions() == 0; }));
  auto shell = reach(connector, target);
  const auto file = b.machine.path() / "ran";
  REQUIRE(shell->exec("echo once >>" + file.string(), {}, {}));
  const auto ran = shell->exec("cat " + file.string(), {}, {});
  REQUIRE(ran);
  CHECK(ran->out == "once\n");
  CHECK(caller_of(*shell) != first);
}

TEST_CASE("an idle session shows signs of life; a machine that shows none is let go, a quiet one is closed") {
  NEEDS_SSHD();
  RealSshd server;
  RemoteBench b(server);
  auto options = b.options();
  SECTION("a frozen machine") {
    options.pool = {.keep_alive = 1s, .idle = 600s};
    SshConnector connector(options);
    const auto target = pinned(server, server.endpoint());
    auto shell = reach(connector, target);
    const auto parent = shell->exec("echo $PPID", {}, {});
    REQUIRE(parent);
    shell.reset();
    REQUIRE(connector.idle_sessions() == 1);
    CHECK(becomes([&] { return connector.signs_of_life() > 0; }));
    CHECK(connector.idle_sessions() == 1);  // it answered
    const auto pid = static_cast<pid_t>(std::stol(parent->out));
    REQUIRE(::kill(pid, SIGSTOP) == 0);
    CHECK(becomes([&] { return connector.idle_sessions() == 0; }));
    ::kill(pid, SIGCONT);
  }
  SECTION("nobody wants it") {
    options.pool = {.keep_alive = 20ms, .idle = 100ms};
    SshConnector connector(options);
    reach(connector, pinned(server, server.endpoint()));
    CHECK(becomes([&] { return connector.idle_sessions() == 0; }));
  }
}

TEST_CASE("a command on an open session costs one round trip; one with input two") {
  NEEDS_SSHD();
  RemoteBench b;
  constexpr auto kRoundTrip = 500ms;  // long enough that a busy test machine does not look like a second one
  DelayRelay far(b.server.endpoint(), kRoundTrip / 2);
  const auto target = pinned(b.server, far.endpoint());
  caller_of(*reach(b.connector, target));
  for (const std::string input : {"", "", "from here"}) {
    auto shell = reach(b.connector, target);
    const auto began = std::chrono::steady_clock::now();
    const auto said = shell->exec("cat; echo done", {.input = input}, {});
    const auto round_trips = (std::chrono::steady_clock::now() - began) / kRoundTrip;
    REQUIRE(said);
    CHECK(said->out == input + "done\n");
    CHECK(round_trips == (input.empty() ? 1 : 2));  // OpenSSH takes no input before it knows what it is for
  }
}

TEST_CASE("a server that allows one channel at a time is asked for no more") {
  NEEDS_SSHD();
  RealSshd server({}, "MaxSessions 1\n");
  RemoteBench b(server);
  auto shell = b.connect();
  for (int n = 0; n < 3; ++n) {
    const auto said = shell->exec("echo " + std::to_string(n), {}, {});
    INFO((said ? "" : said.error().what));
    REQUIRE(said);
    CHECK(said->out == std::to_string(n) + "\n");
  }
}

TEST_CASE("fifty machines at once, from one process") {
  NEEDS_SSHD();
  RealSshd server;
  RemoteBench b(server);
  const auto target = pinned(server, server.endpoint());
  std::atomic<int> good = 0;
  for (int round = 0; round < 2; ++round) {
    good = 0;
    std::vector<std::jthread> threads;
    for (int n = 0; n < 50; ++n)
      threads.emplace_back([&, n] {
        auto made = b.connector.connect(target, {});
        if (!made) return;
        const auto said = made->shell->exec("echo " + std::to_string(n), {}, {});
        if (said && said->out == std::to_string(n) + "\n") ++good;
      });
    threads.clear();
    CHECK(good == 50);
  }
  CHECK(b.connector.idle_sessions() <= 2);
}
