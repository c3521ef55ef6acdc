#include "tests/support/delay_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <deque>
#include <string>

namespace vastgpu {
namespace {

using Clock = std::chrono::steady_clock;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  return at;
}

struct Held {
  Clock::time_point due;
  std::string bytes;
};

/// One direction of the connection.
struct Lane {
  std::deque<Held> held;

  /// Takes what arrived; false at its end.
  bool take(int from, std::chrono::milliseconds delay) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n > 0)
      held.push_back({Clock::now() + delay, std::string(buffer.data(), static_cast<std::size_t>(n))});
    return n != 0;
  }
  /// Passes on what is due.
  void give(int to) {
    for (; !held.empty() && held.front().due <= Clock::now(); held.pop_front()) {
      std::string_view rest = held.front().bytes;
      while (!rest.empty()) {
        const ssize_t n = ::send(to, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (n <= 0) return;
        rest.remove_prefix(static_cast<std::size_t>(n));
      }
    }
  }
};

}  // namespace

DelayRelay::DelayRelay(Endpoint to, std::chrono::milliseconds each_way)
    : to_(std::move(to)), delay_(each_way), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in at = loopback(0);
  socklen_t size = sizeof at;
  ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at);
  ::listen(listener_.get(), 8);
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size);
  port_ = ntohs(at.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

void DelayRelay::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    const Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in at = loopback(to_.port);
    if (client && ::connect(server.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0)
      pump(client, server, stop);
  }
}

void DelayRelay::pump(const Fd& client, const Fd& server, const std::stop_token& stop) {
  Lane up, down;
  while (!stop.stop_requested()) {
    pollfd both[] = {{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}};
    (void)::poll(both, 2, up.held.empty() && down.held.empty() ? 20 : 1);
    if (both[0].revents != 0 && !up.take(client.get(), delay_)) return;
    if (both[1].revents != 0 && !down.take(server.get(), delay_)) return;
    up.give(server.get());
    down.give(client.get());
  }
}

}  // namespace vastgpu
