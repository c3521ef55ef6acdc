#include "remote/tunnel_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "remote/ssh_wire.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMost = 256 * 1024;  // bytes on their way, for each direction of each connection
constexpr std::size_t kPiece = 32 * 1024;
constexpr std::size_t kWindow = 2 * 1024 * 1024;  // what may be under way to us, arrived or not

/// A refusal about one channel; any other one is about the link.
bool of_channel(long rc) {
  return rc == LIBSSH2_ERROR_CHANNEL_CLOSED || rc == LIBSSH2_ERROR_CHANNEL_EOF_SENT ||
         rc == LIBSSH2_ERROR_CHANNEL_FAILURE || rc == LIBSSH2_ERROR_CHANNEL_UNKNOWN ||
         rc == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED || rc == LIBSSH2_ERROR_INVAL;
}

constexpr auto kOnlyToSend = SshSession::Wait::only_to_send;

}  // namespace

TunnelStream::TunnelStream(Fd client, std::uint16_t remote_port) : client_(std::move(client)) {
  // RFC 4254, section 7.2: where to, then who asks.
  put_string(request_, "127.0.0.1");
  put_u32(request_, remote_port);
  put_string(request_, "127.0.0.1");
  put_u32(request_, 0);
}

Result<bool> TunnelStream::open(SshSession& session, Patience& patience) {
  auto asked = session.repeat(
      [&]() -> long {
        channel_ =
            ::libssh2_channel_open_ex(session.raw(), "direct-tcpip", 12, 0, LIBSSH2_CHANNEL_PACKET_DEFAULT,
                                      request_.data(), static_cast<unsigned>(request_.size()));
        return channel_ != nullptr ? 0 : ::libssh2_session_last_errno(session.raw());
      },
      kOnlyToSend, patience);
  if (!asked) return fail(std::move(asked).error());
  if (!*asked) return false;
  if (**asked == 0 && channel_ != nullptr) {
    session.grant(kWindow);
    ::libssh2_channel_handle_extended_data2(channel_, LIBSSH2_CHANNEL_EXTENDED_DATA_IGNORE);
    if (auto widened = widen(session, patience); !widened) return fail(std::move(widened).error());
    return true;
  }
  if (!of_channel(**asked)) return fail(session.broke("opening a forwarded port"));
  over_ = true;
  return true;
}

/// As for commands: the window is ours to grant, so that a slow client does not fill the memory.
Result<void> TunnelStream::widen(SshSession& session, Patience& patience) {
  unsigned long arrived = 0;
  const std::size_t open = ::libssh2_channel_window_read_ex(channel_, &arrived, nullptr) + arrived;
  if (open > kWindow / 2) return {};
  auto widened = session.repeat(
      [&]() -> long {
        return ::libssh2_channel_receive_window_adjust2(channel_, static_cast<unsigned long>(kWindow - open),
                                                        1, nullptr);
      },
      SshSession::Wait::until_done, patience);
  if (!widened) return fail(std::move(widened).error());
  if (**widened < 0) return fail(session.broke("reading from a tunnel"));
  return {};
}

void TunnelStream::take_from_client(bool& moved) {
  while (!client_ended_ && up_.size() < kMost) {
    std::array<char, kPiece> piece;
    const ssize_t n = ::recv(client_.get(), piece.data(), piece.size(), 0);
    if (n > 0) {
      up_.append(piece.data(), static_cast<std::size_t>(n));
      moved = true;
    } else if (n == 0) {
      client_ended_ = moved = true;
    } else if (errno != EINTR) {
      if (errno != EAGAIN) over_ = true;  // it hung up for both directions
      return;
    }
  }
}

Result<void> TunnelStream::send_up(SshSession& session, Patience& patience, bool& moved) {
  while (!up_.empty()) {
    auto sent = session.repeat(
        [&]() -> long { return ::libssh2_channel_write(channel_, up_.data(), std::min(up_.size(), kPiece)); },
        kOnlyToSend, patience);
    if (!sent) return fail(std::move(sent).error());
    if (!*sent) return {};  // the machine's window is full: it has to read first
    if (**sent < 0) {
      if (!of_channel(**sent)) return fail(session.broke("sending through a tunnel"));
      up_.clear();  // nobody reads there any more
      client_ended_ = end_sent_ = true;
      return {};
    }
    if (**sent == 0) return {};
    up_.erase(0, static_cast<std::size_t>(**sent));
    moved = true;
  }
  if (!client_ended_ || end_sent_) return {};
  auto told =
      session.repeat([&]() -> long { return ::libssh2_channel_send_eof(channel_); }, kOnlyToSend, patience);
  if (!told) return fail(std::move(told).error());
  if (!*told) return {};
  if (**told < 0 && !of_channel(**told)) return fail(session.broke("ending one direction of a tunnel"));
  end_sent_ = moved = true;
  return {};
}

Result<void> TunnelStream::read_down(SshSession& session, Patience& patience, bool& moved) {
  while (!machine_ended_ && down_.size() < kMost) {
    std::array<char, kPiece> piece;
    auto got =
        session.repeat([&]() -> long { return ::libssh2_channel_read(channel_, piece.data(), piece.size()); },
                       kOnlyToSend, patience);
    if (!got) return fail(std::move(got).error());
    if (!*got) return {};
    if (**got < 0 && !of_channel(**got)) return fail(session.broke("reading from a tunnel"));
    if (**got > 0) {
      down_.append(piece.data(), static_cast<std::size_t>(**got));
      moved = true;
      if (auto widened = widen(session, patience); !widened) return widened;
      continue;
    }
    if (**got == 0 && ::libssh2_channel_eof(channel_) != 1) return {};
    machine_ended_ = moved = true;
  }
  if (!machine_ended_ || !down_.empty()) return {};
  // The machine's end of both directions: what the client would still send has no reader.
  auto closed = session.repeat([&]() -> long { return ::libssh2_channel_wait_closed(channel_); }, kOnlyToSend,
                               patience);
  if (!closed) return fail(std::move(closed).error());
  if (*closed && **closed == 0) over_ = true;
  if (*closed && **closed < 0 && !of_channel(**closed)) return fail(session.broke("closing a tunnel"));
  return {};
}

void TunnelStream::give_to_client(bool& moved) {
  while (!down_.empty()) {
    const ssize_t n = ::send(client_.get(), down_.data(), down_.size(), MSG_NOSIGNAL);
    if (n > 0) {
      down_.erase(0, static_cast<std::size_t>(n));
      moved = true;
    } else if (errno != EINTR) {
      if (errno != EAGAIN) over_ = true;
      return;
    }
  }
  if (!machine_ended_ || client_told_) return;
  ::shutdown(client_.get(), SHUT_WR);
  client_told_ = moved = true;
}

Result<bool> TunnelStream::turn(SshSession& session, Patience& patience) {
  bool moved = false;
  take_from_client(moved);
  if (over_) return moved;
  if (auto sent = send_up(session, patience, moved); !sent) return fail(std::move(sent).error());
  if (auto got = read_down(session, patience, moved); !got) return fail(std::move(got).error());
  give_to_client(moved);
  over_ = over_ || (client_told_ && end_sent_);
  return moved;
}

bool TunnelStream::can_go_on() const {
  if (channel_ == nullptr || over_) return over_;
  unsigned long arrived = 0;
  ::libssh2_channel_window_read_ex(channel_, &arrived, nullptr);
  if (!machine_ended_ && down_.size() < kMost && (arrived > 0 || ::libssh2_channel_eof(channel_) == 1))
    return true;
  return !up_.empty() && ::libssh2_channel_window_write(channel_) > 0;
}

short TunnelStream::waits_for() const {
  short events = 0;
  if (channel_ == nullptr) return events;  // not open yet
  if (!client_ended_ && up_.size() < kMost) events = static_cast<short>(events | POLLIN);
  if (!down_.empty()) events = static_cast<short>(events | POLLOUT);
  return events;
}

void TunnelStream::close(SshSession& session) {
  if (channel_ != nullptr) session.release(std::exchange(channel_, nullptr), kWindow);
}

}  // namespace vastgpu
