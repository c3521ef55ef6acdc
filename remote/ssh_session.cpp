#include "remote/ssh_session.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "core/text.h"
#include "remote/ssh_wire.h"

namespace vastgpu {
namespace {

constexpr std::chrono::seconds kKeepAlive{
    15};  // below the half minute after which some routers forget a quiet link

// A channel's receive window when it opens. The library tops it up to this again at each read, whatever
// still waits to be read: only with none is what we hold bounded by what we grant ourselves.
constexpr unsigned kFirstWindow = 0;

/// Once per process, on first use: loading the crypto library is slow enough to be felt at program start.
bool library_ready() {
  static const bool ready = ::libssh2_init(0) == 0;
  return ready;
}

/// Sets what is offered, best first. Only names that the library knows: it skips the others by itself, but up
/// to 1.10 it copies overlapping memory doing so.
void prefer(LIBSSH2_SESSION* s, std::initializer_list<int> directions,
            std::initializer_list<std::string_view> names) {
  for (const int direction : directions) {
    const char** known = nullptr;
    const int count = ::libssh2_session_supported_algs(s, direction, &known);
    if (count <= 0) continue;
    std::string list;
    for (const std::string_view name : names)
      if (std::find(known, known + count, name) != known + count)
        list.append(list.empty() ? "" : ",").append(name);
    ::libssh2_free(s, known);
    if (!list.empty()) ::libssh2_session_method_pref(s, direction, list.c_str());
  }
}

}  // namespace

Result<std::unique_ptr<SshSession>> SshSession::open(Fd socket, Patience& patience) {
  std::unique_ptr<SshSession> made(new SshSession(std::move(socket)));
  if (library_ready()) made->session_ = made->bounds_.start();
  if (made->session_ == nullptr)
    return fail(
        {.code = Code::internal, .what = "the SSH library does not start", .next_step = "free some memory"});
  LIBSSH2_SESSION* s = made->session_;
  ::libssh2_session_set_blocking(s, 0);
  // Ed25519 first: every OpenSSH has such a host key, and a pin is only worth something when the same kind is
  // asked for each time. AES-GCM is fastest where it exists.
  prefer(s, {LIBSSH2_METHOD_HOSTKEY},
         {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512",
          "rsa-sha2-256"});
  prefer(s, {LIBSSH2_METHOD_CRYPT_CS, LIBSSH2_METHOD_CRYPT_SC},
         {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr", "aes192-ctr",
          "chacha20-poly1305@openssh.com"});
  prefer(
      s, {LIBSSH2_METHOD_MAC_CS, LIBSSH2_METHOD_MAC_SC},
      {"hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"});

  auto greeted = made->repeat([&] { return ::libssh2_session_handshake(s, made->socket_.get()); },
                              Wait::until_done, patience);
  if (!greeted) return fail(std::move(greeted).error().during("waiting for the SSH server to greet"));
  if (**greeted != 0) return fail(made->broke("greeting the SSH server"));

  const char* digest = ::libssh2_hostkey_hash(s, LIBSSH2_HOSTKEY_HASH_SHA256);
  if (digest == nullptr) return fail(made->broke("reading the host key"));
  made->fingerprint_ = "SHA256:" + to_base64({digest, 32}, false);
  return made;
}

SshSession::~SshSession() {
  if (session_ == nullptr) return;
  bounds_.next_call();
  ::libssh2_session_disconnect(session_, "bye");
  // Nothing can be sent after this, so that freeing the session never waits for a dead host.
  ::shutdown(socket_.get(), SHUT_RDWR);
  ::libssh2_session_set_blocking(session_, 1);  // a non-blocking free may stop at EAGAIN and leak
  ::libssh2_session_set_timeout(session_, 200);
  ::libssh2_session_free(session_);
}

Result<std::optional<long>> SshSession::repeat(const std::function<long()>& call, Wait how,
                                               Patience& patience) {
  for (;;) {
    bounds_.next_call();
    const long rc = call();
    if (bounds_.exceeded() != nullptr) {
      broken_ = true;
      return std::optional<long>(LIBSSH2_ERROR_ALLOC);
    }
    if (rc != LIBSSH2_ERROR_EAGAIN) {
      if (rc > 0) patience.moved();  // bytes; a keep-alive that went out is no sign of life
      return std::optional<long>(rc);
    }
    const int blocked = ::libssh2_session_block_directions(session_);
    const bool sending = (blocked & LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0;
    if (how == Wait::only_to_send && !sending) return std::optional<long>();
    if (!sending) acknowledge_at_once();
    // While a packet is half sent, what arrives stays in the kernel: waking up for it would only spin.
    auto ready = patience.wait(socket_.get(), sending ? POLLOUT : POLLIN);
    if (!ready) {
      broken_ = broken_ || sending;  // the half packet can never be completed by another call
      return fail(std::move(ready).error());
    }
  }
}

/// Servers hold a small packet back until the one before it is acknowledged, and kernels hold that
/// acknowledgement back for 40 ms: half a round trip of a far link, several times in each login.
void SshSession::acknowledge_at_once() const {
  const int on = 1;  // for the next packets only: the kernel goes back by itself
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

Result<void> SshSession::wait_for_news(Patience& patience) {
  for (;;) {
    acknowledge_at_once();
    auto ready = patience.wait(socket_.get(), POLLIN, std::chrono::milliseconds(kKeepAlive));
    if (!ready) return fail(std::move(ready).error());
    if (*ready != 0) return {};
    if (auto said = say_alive(true, patience); !said) return said;
  }
}

Result<void> SshSession::say_alive(bool answer, Patience& patience) {
  pollfd room{socket_.get(), POLLOUT, 0};
  if (::poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) return {};
  ::libssh2_keepalive_config(session_, answer ? 1 : 0, 1);
  int seconds_to_next = 0;
  auto sent = repeat([&] { return ::libssh2_keepalive_send(session_, &seconds_to_next); }, Wait::only_to_send,
                     patience);
  if (!sent) return fail(std::move(sent).error());
  if (sent->value_or(0) < 0) return fail(broke("keeping the connection alive"));
  return {};
}

void SshSession::release(LIBSSH2_CHANNEL* channel, std::size_t granted) {
  if (broken_) return;
  Patience brief(std::chrono::seconds(3), {});
  auto freed = repeat([&] { return ::libssh2_channel_free(channel); }, Wait::only_to_send, brief);
  if (freed && !*freed)
    lingering_.push_back({channel, granted});
  else
    bounds_.take_back(granted);
  broken_ = broken_ || !freed || freed->value_or(0) < 0;
}

std::size_t SshSession::release_lingering() {
  for (const Lingering& one : std::exchange(lingering_, {})) release(one.channel, one.granted);
  return lingering_.size();
}

/// True once the answer is there. libssh2 keeps the state of an opening in the session: it goes on where it
/// was.
Result<bool> SshSession::go_on_opening(Wait how, Patience& patience) {
  auto opened = repeat(
      [&]() -> long {
        ahead_channel_ = ::libssh2_channel_open_ex(session_, "session", 7, kFirstWindow,
                                                   LIBSSH2_CHANNEL_PACKET_DEFAULT, nullptr, 0);
        return ahead_channel_ != nullptr ? 0 : ::libssh2_session_last_errno(session_);
      },
      how, patience);
  if (!opened) return fail(std::move(opened).error());
  if (!*opened) return false;
  if (ahead_channel_ == nullptr && **opened != LIBSSH2_ERROR_CHANNEL_FAILURE)
    return fail(broke("opening a channel"));
  ahead_ = ahead_channel_ != nullptr ? Ahead::open : Ahead::none;
  one_channel_only_ = one_channel_only_ || ahead_ == Ahead::none;
  return true;
}

Result<LIBSSH2_CHANNEL*> SshSession::take_channel(Patience& patience) {
  if (broken_)
    return fail(
        {.code = Code::unavailable, .what = "this connection is broken", .next_step = "connect again"});
  release_lingering();
  // Twice, since one that was asked for ahead may have been refused only because a command still ran.
  for (int turn = 0; turn < 2 && ahead_ != Ahead::open; ++turn) {
    ahead_ = Ahead::asked;
    if (auto answered = go_on_opening(Wait::until_done, patience); !answered)
      return fail(std::move(answered).error());
  }
  if (ahead_ != Ahead::open) return fail(broke("opening a channel"));
  ahead_ = Ahead::none;
  return std::exchange(ahead_channel_, nullptr);
}

void SshSession::open_ahead() {
  if (broken_ || one_channel_only_ || ahead_ != Ahead::none) return;
  ahead_ = Ahead::asked;
  Patience brief(std::chrono::seconds(3), {});
  (void)go_on_opening(Wait::only_to_send, brief);  // a broken link is met by whoever needs it
}

bool SshSession::looks_alive() const {
  if (broken_) return false;
  pollfd seen{socket_.get(), POLLIN | POLLRDHUP, 0};
  return ::poll(&seen, 1, 0) >= 0 && (seen.revents & (POLLRDHUP | POLLERR | POLLHUP | POLLNVAL)) == 0;
}

SshSession::Traffic SshSession::traffic() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  return {info.tcpi_data_segs_out, info.tcpi_bytes_received};
}

bool SshSession::keep_alive() {
  if (!looks_alive()) return false;
  const Traffic before = traffic();
  if (asked_for_life_ && before.bytes_in == heard_) return false;
  Patience brief(std::chrono::seconds(3), {});
  const bool said = say_alive(true, brief).has_value();
  asked_for_life_ = traffic().packets_out > before.packets_out;  // the library asks every two seconds at most
  heard_ = before.bytes_in;
  return said;
}

std::string SshSession::last_words() const {
  if (bounds_.exceeded() != nullptr) return bounds_.exceeded();
  char* words = nullptr;
  ::libssh2_session_last_error(session_, &words, nullptr, 0);
  return words == nullptr || *words == '\0' ? "no reason given" : clean_line(words);
}

Error SshSession::broke(const std::string& during) {
  broken_ = true;
  return {.code = Code::unavailable,
          .what = during + ": " + last_words(),
          .next_step = "the machine or the network went away: connect again in a moment"};
}

}  // namespace vastgpu
