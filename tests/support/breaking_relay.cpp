#include "tests/support/breaking_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

namespace vastgpu {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  return at;
}

}  // namespace

BreakingRelay::BreakingRelay(Endpoint to)
    : to_(std::move(to)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in at = loopback(0);
  socklen_t size = sizeof at;
  ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at);
  ::listen(listener_.get(), 32);
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size);
  port_ = ntohs(at.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

BreakingRelay::~BreakingRelay() { thread_.request_stop(); }

void BreakingRelay::cut_every(std::uint64_t bytes) {
  every_ = bytes;
  next_cut_ = bytes == 0 ? UINT64_MAX : from_server_ + bytes;
}

void BreakingRelay::die_after(std::uint64_t bytes) {
  dies_ = true;
  next_cut_ = from_server_ + bytes;
}

void BreakingRelay::recover() {
  next_cut_ = UINT64_MAX;
  every_ = 0;
  dies_ = dead_ = false;
}

bool BreakingRelay::pass(int from, int to, bool counts) {
  std::array<char, 16'384> buffer;
  const std::uint64_t room =
      counts ? next_cut_ - std::min<std::uint64_t>(next_cut_, from_server_) : buffer.size();
  const ssize_t n = ::recv(from, buffer.data(),
                           std::min<std::uint64_t>(buffer.size(), std::max<std::uint64_t>(room, 1)), 0);
  if (n <= 0) return false;
  if (counts) {
    from_server_ += static_cast<std::uint64_t>(n);
    if (const std::uint64_t rate = rate_; rate > 0)
      std::this_thread::sleep_for(
          std::chrono::microseconds(static_cast<std::uint64_t>(n) * 1'000'000 / rate));
  }
  for (ssize_t sent = 0; sent < n;) {
    const ssize_t m = ::send(to, buffer.data() + sent, static_cast<std::size_t>(n - sent), MSG_NOSIGNAL);
    if (m <= 0) return false;
    sent += m;
  }
  return true;
}

void BreakingRelay::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<pollfd> waiting{{listener_.get(), POLLIN, 0}};
    for (const Pair& p : pairs_) {
      waiting.push_back({p.client.get(), POLLIN, 0});
      waiting.push_back({p.server.get(), POLLIN, 0});
    }
    if (::poll(waiting.data(), waiting.size(), 20) <= 0) continue;
    std::size_t i = 1;
    for (auto at = pairs_.begin(); at != pairs_.end(); i += 2) {
      bool alive = true;
      if (waiting[i].revents != 0) alive = pass(at->client.get(), at->server.get(), false);
      if (alive && waiting[i + 1].revents != 0) alive = pass(at->server.get(), at->client.get(), true);
      at = alive ? std::next(at) : pairs_.erase(at);
      if (from_server_ < next_cut_) continue;
      ++cuts_;
      pairs_.clear();
      dead_ = dead_ || dies_;
      next_cut_ = every_ == 0 ? UINT64_MAX : from_server_ + every_;
      break;
    }
    if (waiting[0].revents == 0) continue;
    Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client || dead_) continue;
    Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in to = loopback(to_.port);
    if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0)
      pairs_.push_back({std::move(client), std::move(server)});
  }
}

}  // namespace vastgpu
