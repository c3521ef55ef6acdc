#include "tests/support/cut_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
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

/// Passes on what is there, but not beyond `limit`. False when the connection is over.
bool pass(int from, int to, std::atomic<std::uint64_t>& passed, const std::atomic<std::uint64_t>& limit) {
  std::array<char, 16384> buffer;
  const std::uint64_t room = limit - std::min<std::uint64_t>(limit, passed);
  if (room == 0) return false;
  const ssize_t n = ::recv(from, buffer.data(), std::min<std::uint64_t>(buffer.size(), room), 0);
  if (n <= 0) return false;
  for (ssize_t sent = 0; sent < n;) {
    const ssize_t m = ::send(to, buffer.data() + sent, static_cast<std::size_t>(n - sent), MSG_NOSIGNAL);
    if (m <= 0) return false;
    sent += m;
  }
  passed += static_cast<std::uint64_t>(n);
  return passed < limit;
}

}  // namespace

CutRelay::CutRelay(Endpoint to)
    : to_(std::move(to)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in at = loopback(0);
  socklen_t size = sizeof at;
  ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at);
  ::listen(listener_.get(), 8);
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size);
  port_ = ntohs(at.sin_port);
  thread_ = std::jthread([this](std::stop_token stop) { serve(stop); });
}

CutRelay::~CutRelay() { thread_.request_stop(); }

void CutRelay::cut_after(std::uint64_t bytes, Counts counts) {
  server_limit_ = client_limit_ = UINT64_MAX;
  if (counts == Counts::from_server)
    server_limit_ = from_server_ + bytes;
  else
    client_limit_ = from_client_ + bytes;
}

void CutRelay::serve(std::stop_token stop) {
  while (!stop.stop_requested()) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    const Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in at = loopback(to_.port);
    if (!client || ::connect(server.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) continue;
    from_server_ = from_client_ = 0;
    server_limit_ = client_limit_ = UINT64_MAX;
    pump(client, server, stop);
  }
}

void CutRelay::pump(const Fd& client, const Fd& server, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd both[] = {{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    if (::poll(both, 3, 20) <= 0) continue;
    if (both[2].revents != 0) return;  // an idle session of before makes room for the next one
    if (both[0].revents != 0 && !pass(client.get(), server.get(), from_client_, client_limit_)) return;
    if (both[1].revents != 0 && !pass(server.get(), client.get(), from_server_, server_limit_)) return;
  }
}

}  // namespace vastgpu
