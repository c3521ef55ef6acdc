// Local ports through a real sshd: many at once, large both ways, half-closed, stalled, cut and back.
#include <arpa/inet.h>
#include <httplib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <ctime>
#include <thread>

#include "core/files.h"
#include "core/text.h"
#include "remote/tunnel.h"
#include "tests/support/remote_bench.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

/// A web server on loopback, as the one that runs on the machine.
struct Site {
  Site() {
    server.Get("/hello",
               [](const httplib::Request&, httplib::Response& r) { r.set_content("hi", "text/plain"); });
    server.Get("/big", [this](const httplib::Request&, httplib::Response& r) {
      r.set_content(big, "application/octet-stream");
    });
    server.Post("/size", [](const httplib::Request& q, httplib::Response& r) {
      r.set_content(sha256_hex(q.body), "text/plain");
    });
    server.new_task_queue = [] { return new httplib::ThreadPool(24); };
    port = static_cast<std::uint16_t>(server.bind_to_any_port("127.0.0.1"));
    thread = std::thread([this] { server.listen_after_bind(); });
    while (!server.is_running()) std::this_thread::sleep_for(1ms);
  }
  ~Site() {
    server.stop();
    thread.join();
  }
  std::string big = std::string(40'000'000, 'x');
  httplib::Server server;
  std::uint16_t port = 0;
  std::thread thread;
};

httplib::Client client_of(const OpenPort& at, const std::string& host = "127.0.0.1") {
  httplib::Client client(host, at.local);
  client.set_read_timeout(30s);
  client.set_connection_timeout(5s);
  return client;
}

Fd plain_connection(std::uint16_t port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 ? std::move(fd) : Fd();
}

/// Listens once on loopback and hands the connection to `serve`.
struct OneShot {
  explicit OneShot(std::function<void(int)> serve) : socket(*LoopbackPort::open(0)) {
    thread = std::jthread([this, serve = std::move(serve)](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const Fd fd(::accept4(socket.v4(), nullptr, nullptr, SOCK_CLOEXEC));
        if (fd) return serve(fd.get());
        std::this_thread::sleep_for(2ms);
      }
    });
  }
  LoopbackPort socket;
  std::jthread thread;
};

bool soon(const std::function<bool()>& is, std::chrono::milliseconds limit = 15s) {
  for (const auto until = std::chrono::steady_clock::now() + limit;
       std::chrono::steady_clock::now() < until;) {
    if (is()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return is();
}

}  // namespace

TEST_CASE("a page of the machine opens under a local port, over both loopback families") {
  NEEDS_SSHD();
  RemoteBench b;
  Site site;
  const auto tunnel = Tunnel::over(b.connect(), {});
  const auto open = tunnel->add({site.port, 0});
  REQUIRE(open);
  CHECK((open->remote == site.port && open->moved));  // its own number is taken: the site is on this computer
  for (const std::string host : {"127.0.0.1", "::1"}) {
    const auto got = client_of(*open, host).Get("/hello");
    REQUIRE(got);
    CHECK(got->body == "hi");
  }
  CHECK(tunnel->add({site.port, 0})->local == open->local);  // asked again: the same
  CHECK(tunnel->ports().size() == 1);
  const auto nobody = tunnel->add({1, site.port});  // nothing listens on port 1
  REQUIRE(nobody);
  CHECK_FALSE(client_of(*nobody).Get("/hello"));
  CHECK(client_of(*open).Get("/hello"));
}

TEST_CASE("twenty connections at once, each with its own bytes") {
  NEEDS_SSHD();
  RemoteBench b;
  Site site;
  const auto tunnel = Tunnel::over(b.connect(), {});
  const OpenPort open = *tunnel->add({site.port, 0});
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 20; ++i)
      clients.emplace_back([&, i] {
        const std::string mine(300'000 + static_cast<std::size_t>(i) * 1000, static_cast<char>('a' + i));
        const auto got = client_of(open).Post("/size", mine, "text/plain");
        if (got && got->body == sha256_hex(mine)) ++right;
      });
  }
  CHECK(right == 20);
  CHECK(soon([&] { return tunnel->connections() == 0; }));
}

TEST_CASE("40 MB down and up, byte for byte") {
  NEEDS_SSHD();
  RemoteBench b;
  Site site;
  const auto tunnel = Tunnel::over(b.connect(), {});
  const OpenPort open = *tunnel->add({site.port, 0});
  const auto down = client_of(open).Get("/big");
  REQUIRE(down);
  CHECK(down->body == site.big);
  const auto up = client_of(open).Post("/size", site.big, "application/octet-stream");
  REQUIRE(up);
  CHECK(up->body == sha256_hex(site.big));
}

TEST_CASE("the end of one direction is passed on and leaves the other open") {
  NEEDS_SSHD();
  RemoteBench b;
  OneShot counter([](int fd) {  // answers only after the client's end
    std::size_t count = 0;
    std::array<char, 4096> piece;
    while (const ssize_t n = ::recv(fd, piece.data(), piece.size(), 0)) {
      if (n < 0) return;
      count += static_cast<std::size_t>(n);
    }
    const std::string answer = text(count, " bytes");
    ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
  });
  const auto tunnel = Tunnel::over(b.connect(), {});
  const Fd client = plain_connection(tunnel->add({counter.socket.number(), 0})->local);
  REQUIRE(client);
  REQUIRE(::send(client.get(), "twelve bytes", 12, 0) == 12);
  ::shutdown(client.get(), SHUT_WR);
  std::array<char, 64> answer;
  const ssize_t n = ::recv(client.get(), answer.data(), answer.size(), MSG_WAITALL);
  CHECK(std::string(answer.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))) == "12 bytes");
}

TEST_CASE("a client that never reads stops nobody else, and what waits for it is bounded") {
  NEEDS_SSHD();
  RemoteBench b;
  Site site;
  std::atomic<std::size_t> poured = 0;
  OneShot pourer([&poured](int fd) {
    const std::string piece(65536, 'y');
    const timeval patience{3, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    for (;;) {
      const ssize_t n = ::send(fd, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      poured += static_cast<std::size_t>(n);
    }
  });
  const auto tunnel = Tunnel::over(b.connect(), {});
  const OpenPort open = *tunnel->add({site.port, 0});
  const Fd deaf = plain_connection(tunnel->add({pourer.socket.number(), 0})->local);
  REQUIRE(deaf);
  std::size_t before = 0;
  REQUIRE(soon([&] {  // it has stopped pouring
    const std::size_t now = poured;
    std::this_thread::sleep_for(300ms);
    return now > 0 && now == std::exchange(before, poured.load());
  }));
  CHECK(poured < 20'000'000);  // ours, libssh2's window, sshd's and the kernel's buffers on the way
  const auto got = client_of(open).Get("/hello");
  CHECK((got && got->body == "hi"));
  const auto big = client_of(open).Get("/big");
  CHECK((big && big->body.size() == site.big.size()));
}

TEST_CASE("a slow client gets everything, and what waits for it stays within the window") {
  NEEDS_SSHD();
  RemoteBench b;
  OneShot pourer([](int fd) {
    const std::string piece(100'000, 'y');
    for (int i = 0; i < 600; ++i)
      for (std::size_t at = 0; at < piece.size();) {
        const ssize_t n = ::send(fd, piece.data() + at, piece.size() - at, MSG_NOSIGNAL);
        if (n <= 0) return;
        at += static_cast<std::size_t>(n);
      }
  });
  const auto tunnel = Tunnel::over(b.connect(), {});
  const Fd slow = plain_connection(tunnel->add({pourer.socket.number(), 0})->local);
  REQUIRE(slow);
  std::string piece(65536, 0);
  std::size_t all = 0;
  while (const ssize_t n = ::recv(slow.get(), piece.data(), piece.size(), 0)) {
    REQUIRE(n > 0);
    all += static_cast<std::size_t>(n);
    std::this_thread::sleep_for(500us);
  }
  CHECK(all == 60'000'000);
}

TEST_CASE("a link that breaks comes back, under the same local port") {
  NEEDS_SSHD();
  RealSshd server;
  RemoteBench b(server);
  Site site;
  const auto tunnel = Tunnel::over(b.connect(), {});
  const OpenPort open = *tunnel->add({site.port, 0});
  REQUIRE(client_of(open).Get("/hello"));
  for (int round = 0; round < 2; ++round) {
    server.kill_connections();
    REQUIRE(soon([&] {
      const auto got = client_of(open).Get("/hello");
      return got && got->body == "hi";
    }));
    CHECK(tunnel->state() == Tunnel::State::connected);
  }
  server.forget_keys();
  server.kill_connections();
  CHECK(soon([&] { return tunnel->state() == Tunnel::State::reconnecting; }));
  CHECK(soon([&] { return tunnel->trouble().find("refuses our SSH key") != std::string::npos; }));
  server.authorize(*b.connector.public_key());
  CHECK(soon([&] { return tunnel->state() == Tunnel::State::connected; }));
  CHECK(client_of(open).Get("/hello"));
}

TEST_CASE("a tunnel that gets no descriptor for a connection waits for one, and does not spin") {
  NEEDS_SSHD();
  RemoteBench b;
  Site site;
  const auto tunnel = Tunnel::over(b.connect(), {});
  const OpenPort open = *tunnel->add({site.port, 0});
  REQUIRE(soon([&] { return tunnel->state() == Tunnel::State::connected; }));
  const Fd waiting(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  std::vector<Fd> taken;
  while (taken.empty() || taken.back().get() < 63) taken.emplace_back(::dup(waiting.get()));
  rlimit usual{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
  const rlimit none{64, usual.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(open.local);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool reached = ::connect(waiting.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(1s);
  const auto worked = std::clock() - before;
  const auto accepted = tunnel->connections();
  ::setrlimit(RLIMIT_NOFILE, &usual);
  CHECK(reached);
  CHECK(accepted == 0);
  CHECK(worked < CLOCKS_PER_SEC / 4);
  CHECK(soon([&] { return tunnel->connections() == 1; }));
}

TEST_CASE("a tunnel that is no longer wanted ends, and its port is free again") {
  NEEDS_SSHD();
  RemoteBench b;
  std::atomic<bool> wanted = true;
  const auto tunnel = Tunnel::over(b.connect(), [&] { return wanted.load(); });
  const OpenPort open = *tunnel->add({22, 0});
  const Fd client = plain_connection(open.local);
  REQUIRE(client);
  wanted = false;
  REQUIRE(soon([&] { return tunnel->state() == Tunnel::State::ended; }));
  char rest = 0;
  CHECK(::recv(client.get(), &rest, 1, 0) <= 0);
  CHECK_FALSE(plain_connection(open.local));
  const auto more = tunnel->add({22, 0});
  REQUIRE_FALSE(more);
  CHECK(more.error().code == Code::wrong_state);
}
