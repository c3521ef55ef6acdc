#include "tests/support/flaky_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace vastgpu {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  return at;
}

/// Passes on what is there; how much, or -1 when that side is over.
ssize_t pass(int from, int to) {
  std::array<char, 16384> buffer;
  const ssize_t n = ::recv(from, buffer.data(), buffer.size(), 0);
  if (n <= 0) return -1;
  for (ssize_t sent = 0; sent < n;) {
    const ssize_t m = ::send(to, buffer.data() + sent, static_cast<std::size_t>(n - sent), MSG_NOSIGNAL);
    if (m <= 0) return -1;
    sent += m;
  }
  return n;
}

}  // namespace

FlakyRelay::FlakyRelay(Endpoint to)
    : to_(std::move(to)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  // What the relay has taken and not passed on is lost in a cut, as in a router.
  const int small = 64 * 1024;
  ::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  sockaddr_in at = loopback(0);
  socklen_t size = sizeof at;
  ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at);
  ::listen(listener_.get(), 32);
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size);
  port_ = ntohs(at.sin_port);
  thread_ = std::jthread([this](std::stop_token stop) { serve(stop); });
}

FlakyRelay::~FlakyRelay() {
  thread_.request_stop();
  cut_now();
}

void FlakyRelay::cut_every(std::uint64_t bytes) {
  cut_every_ = bytes;
  next_cut_ = bytes == 0 ? UINT64_MAX : from_clients_ + bytes;
}

void FlakyRelay::cut_now() { ++generation_; }

void FlakyRelay::count(std::uint64_t bytes) {
  if ((from_clients_ += bytes) < next_cut_) return;
  next_cut_ = from_clients_ + cut_every_;
  ++cuts_;
  cut_now();
}

void FlakyRelay::serve(std::stop_token stop) {
  while (!stop.stop_requested()) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client || down_) continue;
    ++connections_;
    pumps_.emplace_back([this, c = std::move(client)](std::stop_token s) mutable { pump(std::move(c), s); });
  }
  pumps_.clear();
}

void FlakyRelay::pump(Fd client, std::stop_token stop) {
  const std::uint64_t born = generation_;
  const Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in at = loopback(to_.port);
  if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return;
  auto ready = std::chrono::steady_clock::now();
  while (!stop.stop_requested() && generation_ == born) {
    if (frozen_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }
    const bool may_send = std::chrono::steady_clock::now() >= ready;
    pollfd both[] = {{client.get(), static_cast<short>(may_send ? POLLIN : 0), 0}, {server.get(), POLLIN, 0}};
    if (::poll(both, 2, may_send ? 20 : 1) <= 0) continue;
    if (may_send && both[0].revents != 0) {
      const ssize_t n = pass(client.get(), server.get());
      if (n < 0) return;
      if (const std::uint64_t rate = rate_; rate > 0)
        ready = std::max(ready, std::chrono::steady_clock::now() - std::chrono::milliseconds(5)) +
                std::chrono::nanoseconds(static_cast<std::uint64_t>(n) * 1'000'000'000 / rate);
      count(static_cast<std::uint64_t>(n));
    }
    if (both[1].revents != 0 && pass(server.get(), client.get()) < 0) return;
  }
}

}  // namespace vastgpu
