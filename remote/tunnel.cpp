#include "remote/tunnel.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "remote/ssh_link.h"

namespace vastgpu {
namespace {

using namespace std::chrono_literals;

// A connection holds at most about 2.5 MiB: libssh2's window and our buffers. More of them wait in the
// backlog.
constexpr std::size_t kMostStreams = 64;
constexpr auto kLogin = 20s;
constexpr auto kSilence = 60s;    // a packet that is half sent and does not get on
constexpr auto kKeepAlive = 15s;  // as for commands
constexpr auto kAskWanted = 2s;
constexpr auto kMoment = 20ms;
constexpr std::chrono::milliseconds kFirstPause{500}, kLongestPause{30'000};

/// A channel on which nothing ever happens. libssh2 takes packets off the socket only on behalf of a channel,
/// and a tunnel without connections has to hear its link end, and to answer when the server asks for a sign
/// of life.
class Ear {
 public:
  static Result<Ear> open(SshSession& session, Patience& patience) {
    Ear ear(session);
    auto opened = session.repeat(
        [&]() -> long {
          ear.channel_ = ::libssh2_channel_open_session(session.raw());
          return ear.channel_ != nullptr ? 0 : ::libssh2_session_last_errno(session.raw());
        },
        SshSession::Wait::until_done, patience);
    if (!opened) return fail(session.broke("opening a tunnel"));  // half open: nobody else can use it
    if (ear.channel_ == nullptr) return fail(session.broke("opening a tunnel"));
    return ear;
  }
  ~Ear() {
    if (channel_ != nullptr && !session_->broken()) session_->release(channel_);
  }
  Ear(Ear&& other) noexcept : session_(other.session_), channel_(std::exchange(other.channel_, nullptr)) {}
  Ear& operator=(Ear&&) = delete;

  /// Takes all packets off the socket. @error unavailable  the link ended
  Result<void> listen(Patience& patience) {
    std::array<char, 256> nothing;
    auto got = session_->repeat(
        [&]() -> long { return ::libssh2_channel_read(channel_, nothing.data(), nothing.size()); },
        SshSession::Wait::only_to_send, patience);
    if (!got) return fail(std::move(got).error());
    if (*got && **got <= 0) return fail(session_->broke("keeping a tunnel open"));
    return {};
  }

 private:
  explicit Ear(SshSession& session) : session_(&session) {}
  SshSession* session_;
  LIBSSH2_CHANNEL* channel_ = nullptr;
};

}  // namespace

std::unique_ptr<Tunnel> Tunnel::over(std::unique_ptr<Shell> shell, std::function<bool()> wanted) {
  return std::unique_ptr<Tunnel>(new Tunnel(std::move(shell), std::move(wanted)));
}

Tunnel::Tunnel(std::unique_ptr<Shell> shell, std::function<bool()> wanted)
    : shell_(std::move(shell)), wanted_(std::move(wanted)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  try {
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  } catch (const std::system_error& e) {
    be(State::ended, e.what());
  }
}

Tunnel::~Tunnel() {
  thread_.request_stop();
  wake();
}

void Tunnel::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t told = ::write(wake_.get(), &one, sizeof one);
}

Result<OpenPort> Tunnel::add(const PortWish& wish) {
  const std::scoped_lock hold(mutex_);
  if (state_ == State::ended)
    return fail({.code = Code::wrong_state,
                 .what = "the tunnel has ended: " + trouble_,
                 .next_step = "open it again"});
  for (const Listening& l : listening_)
    if (l.port.remote == wish.remote && (wish.local == 0 || wish.local == l.port.local)) return l.port;
  const std::uint16_t wanted = wish.local == 0 ? wish.remote : wish.local;
  auto socket = LoopbackPort::open(wanted);
  if (!socket) return fail(std::move(socket).error());
  const OpenPort port{wish.remote, socket->number(), socket->number() != wanted};
  listening_.push_back({port, *std::move(socket)});
  wake();
  return port;
}

std::vector<OpenPort> Tunnel::ports() const {
  const std::scoped_lock hold(mutex_);
  std::vector<OpenPort> ports;
  for (const Listening& l : listening_) ports.push_back(l.port);
  return ports;
}

Tunnel::State Tunnel::state() const {
  const std::scoped_lock hold(mutex_);
  return state_;
}

std::string Tunnel::trouble() const {
  const std::scoped_lock hold(mutex_);
  return trouble_;
}

std::size_t Tunnel::connections() const {
  const std::scoped_lock hold(mutex_);
  return open_streams_;
}

void Tunnel::be(State state, std::string trouble) {
  const std::scoped_lock hold(mutex_);
  state_ = state;
  trouble_ = std::move(trouble);
  if (state == State::ended) listening_.clear();
}

bool Tunnel::still_wanted() {
  const auto now = std::chrono::steady_clock::now();
  if (!is_wanted_ || now - asked_ < kAskWanted) return is_wanted_;
  asked_ = now;
  is_wanted_ = is_wanted_ && (!wanted_ || wanted_());
  return is_wanted_;
}

void Tunnel::work(const std::stop_token& stop) {
  SshLink* link = shell_->link();
  auto pause = kFirstPause;
  std::string why = "it was closed";
  while (link != nullptr && !stop.stop_requested() && still_wanted()) {
    Patience patience(kLogin, stop);
    auto session = link->session(patience);
    if (session) {
      be(State::connected, {});
      pause = kFirstPause;
      auto served = serve(**session, stop);
      // A channel that is half open stays in the session's way: nobody else can use it then.
      if (std::ranges::any_of(streams_, [](const TunnelStream& t) { return !t.opened() && !t.over(); }))
        (*session)->broke("ending a tunnel");
      const bool sound = served && !(*session)->broken();
      for (TunnelStream& stream : streams_) sound ? stream.close(**session) : stream.abandon();
      streams_.clear();
      if (served) break;
      be(State::reconnecting, served.error().what);
      log_debug("tunnel broke ", served.error().what);
      continue;
    }
    why = session.error().what;
    if (session.error().code == Code::corrupt) break;  // another machine: it gets nothing from us
    be(State::reconnecting, why);
    for (const auto until = std::chrono::steady_clock::now() + pause;
         std::chrono::steady_clock::now() < until && !stop.stop_requested() && still_wanted();)
      wait(-1, std::min<std::chrono::milliseconds>(pause, 500ms));
    pause = std::min<std::chrono::milliseconds>(2 * pause, kLongestPause);
  }
  be(State::ended, is_wanted_ ? why : "the machine is no longer rented, or stopped");
}

/// Sleeps until something can move. Connections are accepted only while they can be served; after a failure
/// the next one waits, since poll() would show it again and again.
void Tunnel::wait(int session_socket, std::chrono::milliseconds at_most) {
  std::vector<pollfd> watched{{wake_.get(), POLLIN, 0}};
  if (session_socket >= 0) {
    watched.push_back({session_socket, POLLIN, 0});
    for (const TunnelStream& stream : streams_)
      if (const short events = stream.waits_for(); events != 0)
        watched.push_back({stream.client(), events, 0});
    const std::scoped_lock hold(mutex_);
    if (std::exchange(cannot_accept_, false))
      at_most = std::min<std::chrono::milliseconds>(at_most, 500ms);
    else if (streams_.size() < kMostStreams)
      for (const Listening& l : listening_)
        for (const int fd : {l.socket.v4(), l.socket.v6()})
          if (fd >= 0) watched.push_back({fd, POLLIN, 0});
  }
  ::poll(watched.data(), watched.size(), static_cast<int>(at_most.count()));
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t drained = ::read(wake_.get(), &count, sizeof count);
}

void Tunnel::accept_from(const std::list<Listening>& listening) {
  for (const Listening& l : listening)
    for (const int fd : {l.socket.v4(), l.socket.v6()})
      while (fd >= 0 && streams_.size() < kMostStreams) {
        Fd client(::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!client) {
          cannot_accept_ = cannot_accept_ || (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED);
          break;
        }
        streams_.emplace_back(std::move(client), l.port.remote);
      }
}

/// Lets every stream move once; whether any did, or may be able to go on without new packets.
Result<Tunnel::Passed> Tunnel::pass(SshSession& session, Patience& patience) {
  bool moved = false, more = false;
  for (TunnelStream& stream : streams_) {
    if (!stream.opened()) continue;
    auto turned = stream.turn(session, patience);
    if (!turned) return fail(std::move(turned).error());
    moved |= *turned;
  }
  // In order: the library opens one channel at a time.
  for (TunnelStream& stream : streams_) {
    if (stream.opened() || stream.over()) continue;
    auto opened = stream.open(session, patience);
    if (!opened) return fail(std::move(opened).error());
    moved |= *opened;
    if (!*opened) break;
  }
  for (auto at = streams_.begin(); at != streams_.end();) {
    more |= at->can_go_on();
    if (!at->over()) {
      ++at;
      continue;
    }
    at->close(session);
    at = streams_.erase(at);
  }
  return moved ? Passed::moved : more ? Passed::perhaps_more : Passed::nothing;
}

Result<void> Tunnel::serve(SshSession& session, const std::stop_token& stop) {
  Patience patience(kSilence, stop, Patience::Kind::idle);
  auto ear = Ear::open(session, patience);
  if (!ear) return fail(std::move(ear).error());
  auto quiet_since = std::chrono::steady_clock::now();
  bool hoped = false;  // the last pass moved nothing either, although it seemed able to
  while (!stop.stop_requested() && still_wanted()) {
    patience.moved();
    {
      const std::scoped_lock hold(mutex_);
      accept_from(listening_);
      open_streams_ = streams_.size();
    }
    auto heard = ear->listen(patience);
    if (!heard) return heard;
    auto moved = pass(session, patience);
    if (!moved) return fail(std::move(moved).error());
    if (session.broken()) return fail(session.broke("keeping a tunnel open"));
    const auto now = std::chrono::steady_clock::now();
    if (*moved == Passed::moved) {
      quiet_since = now;
      hoped = false;
      continue;
    }
    session.release_lingering();
    if (now - quiet_since >= kKeepAlive) {
      // No answer is asked for: the library would keep each for as long as the tunnel lasts.
      if (auto said = session.say_alive(false, patience); !said) return said;
      quiet_since = now;
    }
    if (*moved == Passed::nothing)
      hoped = false;
    else if (!std::exchange(hoped, true))
      continue;
    wait(session.socket(), hoped ? std::chrono::milliseconds(kMoment) : kAskWanted);
  }
  return {};
}

}  // namespace vastgpu
