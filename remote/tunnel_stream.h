#pragma once
// One connection through a tunnel: a socket here, a channel to a port of the machine there. Bytes go both
// ways with a bounded buffer each; whoever does not read stops only its own direction. The end of one
// direction is passed on and leaves the other one open. The tunnel's thread only.

#include <cstdint>
#include <string>

#include "core/fd.h"
#include "remote/ssh_session.h"

namespace vastgpu {

class TunnelStream {
 public:
  TunnelStream(Fd client, std::uint16_t remote_port);

  /// Whether its channel is open. Until then the session opens no other one.
  bool opened() const { return channel_ != nullptr; }
  /// One attempt to open the channel; false: not yet. A port where nobody listens makes the stream over.
  /// @error unavailable, cancelled  the link broke
  Result<bool> open(SshSession& session, Patience& patience);

  /// Moves what can be moved now; whether anything was.
  /// @error unavailable, cancelled  the link broke
  Result<bool> turn(SshSession& session, Patience& patience);

  bool over() const { return over_; }
  /// Whether packets that another stream took off the socket let this one go on. Only a guess: a machine can
  /// make it true for ever.
  bool can_go_on() const;
  int client() const { return client_.get(); }
  short waits_for() const;  ///< poll() events of the client; 0: of none

  /// Gives the channel back; before the stream goes, while the session is sound.
  void close(SshSession& session);
  /// Forgets the channel of a session that broke, which frees it.
  void abandon() { channel_ = nullptr; }

 private:
  void take_from_client(bool& moved);
  void give_to_client(bool& moved);
  Result<void> send_up(SshSession& session, Patience& patience, bool& moved);
  Result<void> read_down(SshSession& session, Patience& patience, bool& moved);
  Result<void> widen(SshSession& session, Patience& patience);

  Fd client_;
  std::string request_;  // what the machine is to connect to; the library sends it from here
  LIBSSH2_CHANNEL* channel_ = nullptr;
  std::string up_, down_;  // to the machine, to the client
  bool client_ended_ = false, end_sent_ = false;
  bool machine_ended_ = false, client_told_ = false;
  bool over_ = false;
};

}  // namespace vastgpu
