#include "sandbox/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "core/fd.h"
#include "core/text.h"

namespace vastgpu::sandbox {
namespace {

constexpr std::size_t kMaxConnections = 128;  // a transfer opens a few dozen; more is a mistake

/// One direction: what was read and not yet written.
struct Flow {
  std::array<char, 128 * 1024> data;
  std::size_t begin = 0, end = 0;
  bool ended = false;  ///< the sender is done; its end has been, or will be, passed on
  bool passed_end = false;

  bool full() const { return end == data.size(); }
  bool empty() const { return begin == end; }
};

struct Connection {
  Fd client, machine;
  bool connecting = true;
  Flow up, down;
};

sockaddr_in to_socket_address(const std::string& address, std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &at.sin_addr) != 1) at.sin_port = 0;
  return at;
}

/// Reads once and writes what it can. False when the connection is broken.
bool move_bytes(int from, int to, Flow& flow, bool readable, bool writable) {
  if (readable && !flow.ended && !flow.full()) {
    const ssize_t n = recv(from, flow.data.data() + flow.end, flow.data.size() - flow.end, 0);
    if (n > 0) {
      flow.end += static_cast<std::size_t>(n);
      writable = true;  // most likely; EAGAIN costs little
    } else if (n == 0) {
      flow.ended = true;
    } else if (errno != EAGAIN && errno != EINTR) {
      return false;
    }
  }
  if (writable && !flow.empty()) {
    const ssize_t n = send(to, flow.data.data() + flow.begin, flow.end - flow.begin, MSG_NOSIGNAL);
    if (n > 0) flow.begin += static_cast<std::size_t>(n);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (flow.empty()) flow.begin = flow.end = 0;
  }
  if (flow.ended && flow.empty() && !flow.passed_end) {
    flow.passed_end = true;
    shutdown(to, SHUT_WR);
  }
  return true;
}

class LoopbackRelay final : public Relay {
 public:
  LoopbackRelay(Fd listener, Fd wake, std::uint16_t port)
      : listener_(std::move(listener)), wake_(std::move(wake)), port_(port), thread_([this] { run(); }) {}
  ~LoopbackRelay() override { close(); }

  std::uint16_t port() const override { return port_; }

  void set_target(const std::string& address, std::uint16_t port) override {
    const std::scoped_lock hold(mutex_);
    target_ = to_socket_address(address, port);
  }

  void close() override {
    eventfd_write(wake_.get(), 1);
    const std::scoped_lock hold(closing_);
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    std::list<std::unique_ptr<Connection>> open;
    while (true) {
      std::vector<pollfd> waits = {{wake_.get(), POLLIN, 0},
                                   {open.size() < kMaxConnections ? listener_.get() : -1, POLLIN, 0}};
      for (const auto& c : open) {
        waits.push_back({c->client.get(), events(c->connecting, c->up, c->down), 0});
        waits.push_back(
            {c->machine.get(), c->connecting ? short{POLLOUT} : events(false, c->down, c->up), 0});
        // Nothing wanted from an end that hung up: poll would report it for ever.
        for (auto* w : {&waits[waits.size() - 2], &waits.back()})
          if (w->events == 0) w->fd = -1;
      }
      if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) break;
      if (waits[0].revents != 0) break;
      std::size_t at = 2;
      for (auto i = open.begin(); i != open.end(); at += 2)
        i = serve(**i, waits[at].revents, waits[at + 1].revents) ? std::next(i) : open.erase(i);
      if (waits[1].revents != 0) accept_one(open);
    }
    listener_.reset();
  }

  static short events(bool connecting, const Flow& reads, const Flow& writes) {
    short wanted = 0;
    if (!connecting && !reads.ended && !reads.full()) wanted |= POLLIN;
    if (!writes.empty()) wanted |= POLLOUT;
    return wanted;
  }

  static bool serve(Connection& c, short client, short machine) {
    if (c.connecting) {
      if (machine == 0) return true;
      int error = 0;
      socklen_t size = sizeof error;
      if (getsockopt(c.machine.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) return false;
      c.connecting = false;
      return true;
    }
    // A broken end counts as both, so that the call on it finds out.
    constexpr short kBroken = POLLHUP | POLLERR, kRead = POLLIN | kBroken, kWrite = POLLOUT | kBroken;
    const bool fine =
        move_bytes(c.client.get(), c.machine.get(), c.up, (client & kRead) != 0, (machine & kWrite) != 0) &&
        move_bytes(c.machine.get(), c.client.get(), c.down, (machine & kRead) != 0, (client & kWrite) != 0);
    return fine && !(c.up.passed_end && c.down.passed_end);
  }

  void accept_one(std::list<std::unique_ptr<Connection>>& open) {
    Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    sockaddr_in target;
    {
      const std::scoped_lock hold(mutex_);
      target = target_;
    }
    Fd machine(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (target.sin_port == 0 || !machine) return;
    const int now = 1;  // keystrokes and acknowledgements must not wait for company
    setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
    setsockopt(machine.get(), IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
    if (connect(machine.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0 &&
        errno != EINPROGRESS)
      return;
    auto connection = std::make_unique<Connection>();
    connection->client = std::move(client);
    connection->machine = std::move(machine);
    open.push_back(std::move(connection));
  }

  Fd listener_;  // the thread's alone, once it runs
  Fd wake_;
  const std::uint16_t port_;
  std::mutex mutex_;  // guards target_
  sockaddr_in target_{};
  std::mutex closing_;  // guards the join
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Relay>> Relay::open(std::uint16_t port, const std::string& address) {
  const auto cannot = [&](const std::string& what) {
    return fail({.code = Code::unavailable,
                 .what = text("cannot relay on ", address, ":", port, ": ", what),
                 .next_step = "choose another port"});
  };
  auto at = to_socket_address(address, port);
  Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), wake(eventfd(0, EFD_CLOEXEC));
  const int again = 1;
  if (!listener || !wake) return cannot(std::strerror(errno));
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &again, sizeof again);
  socklen_t size = sizeof at;
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&at), size) != 0 ||
      listen(listener.get(), 64) != 0 ||
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &size) != 0)
    return cannot(std::strerror(errno));
  return std::make_unique<LoopbackRelay>(std::move(listener), std::move(wake), ntohs(at.sin_port));
}

}  // namespace vastgpu::sandbox
