#include "remote/loopback_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr int kBacklog = 64;
constexpr int kTries = 20;  // the same number has to be free for both families

Fd listening(const sockaddr* name, socklen_t size) {
  Fd fd(::socket(name->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (name->sa_family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd.get(), name, size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    const int why = errno;
    fd.reset();
    errno = why;
  }
  return fd;
}

Fd listening_v4(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return listening(reinterpret_cast<const sockaddr*>(&at), sizeof at);
}

Fd listening_v6(std::uint16_t port) {
  sockaddr_in6 at{};
  at.sin6_family = AF_INET6;
  at.sin6_port = htons(port);
  at.sin6_addr = in6addr_loopback;
  return listening(reinterpret_cast<const sockaddr*>(&at), sizeof at);
}

std::uint16_t number_of(int fd) {
  sockaddr_in at{};
  socklen_t size = sizeof at;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  return ntohs(at.sin_port);
}

}  // namespace

Result<LoopbackPort> LoopbackPort::open(std::uint16_t wanted) {
  for (int attempt = 0; attempt < kTries; ++attempt) {
    LoopbackPort port;
    port.v4_ = listening_v4(attempt == 0 ? wanted : std::uint16_t{0});
    if (!port.v4_) continue;
    port.number_ = number_of(port.v4_.get());
    port.v6_ = listening_v6(port.number_);
    // A browser that asks for "localhost" may take either, so somebody else must not have one of them.
    if (port.v6_ || errno != EADDRINUSE) return port;
  }
  return fail({.code = Code::unavailable,
               .what = text("no local port can be opened: ", std::strerror(errno)),
               .next_step = "close some programs that listen on this computer"});
}

}  // namespace vastgpu
