// Servers that never stop: they neither hold a call beyond its limit nor fill our memory, before any login.
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <thread>

#include "core/text.h"
#include "remote/loopback_port.h"
#include "remote/ssh_command.h"
#include "remote/ssh_link.h"
#include "remote/ssh_wire.h"
#include "tests/support/remote_bench.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

/// Greets with `greeting`, then sends `again` for as long as anybody is there.
struct Flood {
  Flood(std::string greeting, std::string again) : socket(*LoopbackPort::open(0)) {
    thread = std::jthread([this, greeting, again](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const Fd fd(::accept4(socket.v4(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!fd) {
          std::this_thread::sleep_for(2ms);
          continue;
        }
        const timeval patience{0, 200'000};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        bool there = ::send(fd.get(), greeting.data(), greeting.size(), MSG_NOSIGNAL) >= 0;
        while (there && !stop.stop_requested()) {
          const ssize_t n = ::send(fd.get(), again.data(), again.size(), MSG_NOSIGNAL);
          there = n > 0;
          sent += static_cast<std::size_t>(std::max<ssize_t>(n, 0));
        }
      }
    });
  }
  Endpoint endpoint() const { return {"127.0.0.1", socket.number()}; }
  LoopbackPort socket;
  std::atomic<std::size_t> sent = 0;
  std::jthread thread;
};

/// A packet as it is before keys are agreed on. @source RFC 4253, section 6
std::string packet(char type, std::size_t size) {
  std::string whole;
  put_u32(whole, static_cast<std::uint32_t>(size + 1 + 1 + 6));
  whole += '\6';
  whole += type;
  return whole + std::string(size + 6, 'x');
}

Error refusal_of(const Endpoint& at, std::chrono::milliseconds limit, std::stop_token stop = {}) {
  RemoteBench b;
  const auto made =
      b.connector.connect({.candidates = {at}, .pinned_host_key = {}, .limit = limit}, std::move(stop));
  REQUIRE_FALSE(made);
  return made.error();
}

}  // namespace

TEST_CASE("a server that talks without end instead of greeting is left at once") {
  NEEDS_SSHD();
  Flood flood("", "x\n");
  const auto began = std::chrono::steady_clock::now();
  const Error why = refusal_of(flood.endpoint(), 30s);
  CHECK(std::chrono::steady_clock::now() - began < 10s);
  CHECK(why.code == Code::unavailable);
  CHECK(why.what.find("does not greet") != std::string::npos);
}

TEST_CASE("a flood of packets that mean nothing ends with the limit, or a stop") {
  NEEDS_SSHD();
  std::string many;
  for (int i = 0; i < 8; ++i) many += packet(2, 32'004);  // SSH_MSG_IGNORE
  Flood flood("SSH-2.0-flood\r\n", many);
  const auto began = std::chrono::steady_clock::now();
  SECTION("the limit") {
    const Error why = refusal_of(flood.endpoint(), 700ms);
    CAPTURE(why.what);
    CHECK(why.code == Code::unavailable);
    CHECK(why.what.find("no answer within") != std::string::npos);
  }
  SECTION("a stop") {
    std::stop_source source;
    std::jthread soon([&] {
      while (flood.sent < 10'000'000) std::this_thread::sleep_for(5ms);
      source.request_stop();
    });
    CHECK(refusal_of(flood.endpoint(), 60s, source.get_token()).code == Code::cancelled);
  }
  CHECK(flood.sent > 5'000'000);
  CHECK(std::chrono::steady_clock::now() - began < 10s);
}

TEST_CASE("packets that the library would keep for ever end the connection before they fill the memory") {
  NEEDS_SSHD();
  Flood flood("SSH-2.0-flood\r\n", packet(82, 32'004));
  const Error why = refusal_of(flood.endpoint(), 30s);
  CAPTURE(why.what);
  CHECK(why.code == Code::unavailable);
  CHECK(why.what.find("far more than it was asked for") != std::string::npos);
  CHECK(flood.sent < SshBounds::kOwn + 16'000'000);  // the kernel's buffers on the way
}

TEST_CASE("a slow reader gets everything, and what waits for it stays within the window") {
  NEEDS_SSHD();
  RemoteBench b;
  auto shell = b.connect();
  Patience patience(60s, {});
  auto session = shell->link()->session(patience);
  REQUIRE(session);
  auto command =
      SshCommand::start(**session, "head -c 90000000 /dev/zero", SshCommand::Output::read, 0, patience);
  REQUIRE(command);
  std::array<char, 64 * 1024> piece;
  std::size_t all = 0;
  while (const auto n = (*command)->read(piece, patience)) {
    if (*n == 0) break;
    all += *n;
    std::this_thread::sleep_for(500us);
  }
  CHECK(all == 90'000'000);
  CHECK((*command)->finish(patience) == 0);
}
