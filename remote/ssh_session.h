#pragma once
// One SSH connection on a socket that does not block: handshake, host key, channels, and the one place that
// meets EAGAIN. One thread at a time, commands included: libssh2 does not lock sessions.

#include <libssh2.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/fd.h"
#include "remote/patience.h"
#include "remote/ssh_bounds.h"

namespace vastgpu {

class SshSession {
 public:
  /// Greets the server and agrees on keys. Nothing secret has been sent when this returns.
  /// @error unavailable  no banner, no common algorithm, or the link broke
  static Result<std::unique_ptr<SshSession>> open(Fd socket, Patience& patience);
  ~SshSession();
  SshSession(const SshSession&) = delete;
  SshSession& operator=(const SshSession&) = delete;

  /// "SHA256:..." as OpenSSH prints it.
  const std::string& fingerprint() const { return fingerprint_; }

  enum class Wait {
    until_done,    ///< however long it takes
    only_to_send,  ///< nullopt once it waits for the other side
  };
  /// Repeats a libssh2 call while it answers EAGAIN, waiting for the socket in between. A packet that is half
  /// sent is always finished, since libssh2 cannot start another one before. Gives the call's last answer: 0
  /// or more, or a LIBSSH2_ERROR other than EAGAIN. The patience is looked at now and then even while the
  /// other side never stops sending.
  /// @error unavailable, cancelled  the patience ended
  Result<std::optional<long>> repeat(const std::function<long()>& call, Wait how, Patience& patience);

  /// Waits until the machine sends something; keeps the connection alive meanwhile.
  Result<void> wait_for_news(Patience& patience);

  /// Sends a sign of life, unless what was sent before still waits to leave: the library would drop the rest
  /// of one that fits only in part.
  /// @param answer  wanted from the other side. The library keeps the answers for as long as the session is
  /// @error unavailable, cancelled  the link broke
  Result<void> say_alive(bool answer, Patience& patience);

  LIBSSH2_SESSION* raw() const { return session_; }
  int socket() const { return socket_.get(); }  ///< to poll() together with others
  /// libssh2's last complaint as an Error. The link counts as broken from here on.
  Error broke(const std::string& during);
  /// As above for a call that failed while the link itself is fine.
  std::string last_words() const;
  /// Whether a call failed in a way that leaves the connection unusable.
  bool broken() const { return broken_; }

  /// A channel for one command: the one that was opened ahead, else a new one (a round trip). Nothing may
  /// come to us through it before its window is widened.
  /// @error unavailable, cancelled  effect none: nothing was asked of the machine
  Result<LIBSSH2_CHANNEL*> take_channel(Patience& patience);
  /// Asks for the next command's channel and does not wait for the answer. A server that refuses a second
  /// channel is not asked again.
  void open_ahead();

  /// Whether the other side still holds the connection, as far as that is known without a round trip.
  bool looks_alive() const;
  /// Asks for a sign of life without waiting; false when the last one asked for never came.
  bool keep_alive();

  /// A channel of this session may have so many bytes under way to us, until it is released.
  void grant(std::size_t window) { bounds_.grant(window); }
  /// Closes a channel without waiting for the other side, which agrees only when its command ends.
  void release(LIBSSH2_CHANNEL* channel, std::size_t granted = 0);
  /// Frees the released channels whose commands have ended since; how many have not.
  std::size_t release_lingering();

 private:
  explicit SshSession(Fd socket) : socket_(std::move(socket)) {}
  Result<bool> go_on_opening(Wait how, Patience& patience);
  void acknowledge_at_once() const;
  struct Traffic {
    std::uint64_t packets_out = 0, bytes_in = 0;
  };
  Traffic traffic() const;

  Fd socket_;
  SshBounds bounds_;
  LIBSSH2_SESSION* session_ = nullptr;
  std::string fingerprint_;
  bool broken_ = false;
  enum class Ahead { none, asked, open } ahead_ = Ahead::none;
  bool one_channel_only_ = false;  // the server refused a second one
  LIBSSH2_CHANNEL* ahead_channel_ = nullptr;
  std::uint64_t heard_ = 0;  // bytes, when a sign of life was last asked for
  bool asked_for_life_ = false;
  struct Lingering {
    LIBSSH2_CHANNEL* channel;
    std::size_t granted;
  };
  std::vector<Lingering> lingering_;  // freed with the session at the latest
};

}  // namespace vastgpu
