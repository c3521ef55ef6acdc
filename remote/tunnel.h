#pragma once
// Local ports that lead to ports of one machine's own loopback, through one SSH session that a thread of its
// own looks after. Several ports and many connections at once. Any thread may ask and add.

#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "remote/loopback_port.h"
#include "remote/shell.h"
#include "remote/tunnel_stream.h"

namespace vastgpu {

class SshLink;

struct PortWish {
  std::uint16_t remote = 0;
  std::uint16_t local = 0;  ///< 0: the same number
};

struct OpenPort {
  std::uint16_t remote = 0;
  std::uint16_t local = 0;
  bool moved = false;  ///< the wanted local port was taken, so it is another one
};

class Tunnel {
 public:
  enum class State {
    connected,
    reconnecting,  ///< ports stay open; who connects waits
    ended,         ///< for good: no longer wanted, or the machine is another one
  };

  /// Takes the shell's session. The Connector that made it must outlive the tunnel.
  /// @param wanted  asked every few seconds by the tunnel's thread: false ends it
  static std::unique_ptr<Tunnel> over(std::unique_ptr<Shell> shell, std::function<bool()> wanted);
  ~Tunnel();  ///< ends it, with all its connections
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  /// Opens one more port; one that is open already is given again.
  /// @error unavailable  no local port is to be had
  /// @error wrong_state  the tunnel has ended
  Result<OpenPort> add(const PortWish& wish);

  std::vector<OpenPort> ports() const;
  State state() const;
  /// Why it reconnects, or why it ended; empty while it is connected.
  std::string trouble() const;
  std::size_t connections() const;

 private:
  struct Listening {
    OpenPort port;
    LoopbackPort socket;
  };
  explicit Tunnel(std::unique_ptr<Shell> shell, std::function<bool()> wanted);
  void work(const std::stop_token& stop);
  /// Until the link breaks, or the tunnel is to end.
  Result<void> serve(SshSession& session, const std::stop_token& stop);
  enum class Passed { nothing, perhaps_more, moved };
  Result<Passed> pass(SshSession& session, Patience& patience);
  void accept_from(const std::list<Listening>& listening);
  void wait(int session_socket, std::chrono::milliseconds at_most);
  bool still_wanted();
  void be(State state, std::string trouble);
  void wake() const;

  const std::unique_ptr<Shell> shell_;
  const std::function<bool()> wanted_;
  const Fd wake_;
  bool is_wanted_ = true;
  std::chrono::steady_clock::time_point asked_{};  // the thread's own, as are the streams
  std::list<TunnelStream> streams_;
  bool cannot_accept_ = false;  // no descriptor was to be had a moment ago

  mutable std::mutex mutex_;  // guards the four below
  std::list<Listening> listening_;
  State state_ = State::connected;
  std::string trouble_;
  std::size_t open_streams_ = 0;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace vastgpu
