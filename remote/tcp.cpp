#include "remote/tcp.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "core/text.h"

namespace vastgpu {
namespace {

struct Found {
  int error = 0;  // of getaddrinfo
  std::vector<Address> addresses;
};

Found look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  Found found;
  found.error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &list);
  if (found.error != 0) return found;
  for (const addrinfo* a = list; a != nullptr; a = a->ai_next) {
    Address address;
    std::memcpy(&address.bytes, a->ai_addr, a->ai_addrlen);
    address.size = a->ai_addrlen;
    found.addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  return found;
}

Error unreachable(const Endpoint& at, const std::string& why) {
  return {.code = Code::unavailable,
          .what = text("cannot reach ", at.host, ":", at.port, ": ", why),
          .next_step = "the machine may still be starting: try again in a moment"};
}

Result<Fd> connect_address(const Endpoint& at, const Address& address, Patience& patience) {
  Fd fd(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(unreachable(at, std::strerror(errno)));
  const int on = 1;
  const unsigned unanswered_ms =
      30'000;  // then the kernel calls a silent peer dead; its own limit is 15 minutes
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);

  const auto* name = reinterpret_cast<const sockaddr*>(&address.bytes);
  if (::connect(fd.get(), name, address.size) == 0) return fd;
  if (errno != EINPROGRESS && errno != EINTR) return fail(unreachable(at, std::strerror(errno)));
  if (auto ready = patience.wait(fd.get(), POLLOUT); !ready) {
    if (ready.error().code == Code::cancelled) return fail(std::move(ready).error());
    return fail(unreachable(at, ready.error().what));
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail(unreachable(at, std::strerror(error)));
  return fd;
}

}  // namespace

struct Resolver::LookUp {
  Fd done{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::atomic<bool> ended = false;
  Found found;  // belongs to the thread until it has ended
};

Result<std::vector<Address>> Resolver::resolve(const Endpoint& at, Patience& patience) {
  // An address in digits asks nobody, which is the common case.
  if (Found digits = look_up(at.host, at.port, AI_NUMERICHOST); digits.error == 0) return digits.addresses;

  auto work = std::make_shared<LookUp>();
  if (!work->done) return fail(unreachable(at, "out of file descriptors"));
  {
    const std::scoped_lock hold(mutex_);
    running_.remove_if([](const Running& r) { return r.look_up->ended.load(); });
    try {
      running_.push_back({work, std::jthread([work, host = at.host, port = at.port] {
                            work->found = look_up(host, port, AI_ADDRCONFIG);
                            work->ended = true;  // before the wake-up: whoever sees it may read `found`
                            const std::uint64_t one = 1;
                            [[maybe_unused]] const ssize_t told = ::write(work->done.get(), &one, sizeof one);
                          })});
    } catch (const std::system_error& e) {
      return fail(unreachable(at, e.what()));
    }
  }
  if (auto done = patience.wait(work->done.get(), POLLIN); !done)
    return fail(std::move(done).error().during("looking up " + at.host));
  if (!work->ended.load()) return fail(unreachable(at, "the look-up was lost"));
  if (work->found.error != 0) return fail(unreachable(at, ::gai_strerror(work->found.error)));
  return work->found.addresses;
}

Result<Fd> connect_tcp(const Endpoint& at, Resolver& resolver, Patience& patience) {
  auto addresses = resolver.resolve(at, patience);
  if (!addresses) return fail(std::move(addresses).error());
  Error last = unreachable(at, "it has no address");
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    const auto share = patience.left() / static_cast<std::int64_t>(addresses->size() - i);
    Patience mine(share, patience.stop());
    auto socket = connect_address(at, (*addresses)[i], mine);
    if (socket || socket.error().code == Code::cancelled) return socket;
    last = std::move(socket).error();
  }
  return fail(std::move(last));
}

}  // namespace vastgpu
