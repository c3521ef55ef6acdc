#pragma once
// One command running on the machine: its stdin, both its outputs and its end. One thread at a time, one
// command at a time per session. Both outputs are always drained, so that neither side can block the other.

#include <span>
#include <string>
#include <string_view>

#include "remote/ssh_session.h"

namespace vastgpu {

class SshCommand {
 public:
  /// What happens to stdout: kept up to a limit and then dropped, or handed out by read().
  enum class Output { kept, read };

  /// Covers 200 Mbit/s to the other side of the world (80 ms plus queues).
  static constexpr std::size_t kReceiveWindow = 4 * 1024 * 1024;

  /// Starts `command` in /bin/sh, without waiting until the machine says that it did: its answer comes with
  /// the first output, so that a command costs one round trip (two with input: a server takes none before it
  /// knows what it is for). `session` must live longer.
  /// @param window  bytes that may be under way to us: bandwidth x round trip. Held in memory at worst
  /// @error invalid_argument  longer than one SSH packet takes
  /// @error unavailable       the link broke; effect none when it did before the command was sent, unknown
  ///                          from then on in every call
  static Result<std::unique_ptr<SshCommand>> start(SshSession& session, const std::string& command,
                                                   Output output, std::size_t keep, Patience& patience,
                                                   std::size_t window = kReceiveWindow);
  ~SshCommand();
  SshCommand(const SshCommand&) = delete;
  SshCommand& operator=(const SshCommand&) = delete;

  /// Sends all of it now. Once the command stopped reading, the rest is dropped without an error: the exit
  /// code tells.
  Result<void> send(std::string_view data, Patience& patience);
  /// Sends it, then end of file, while other calls wait. `data` must outlive the command.
  void send_meanwhile(std::string_view data);

  /// The next piece of stdout; 0 at its end. Only with Output::read.
  Result<std::size_t> read(std::span<char> into, Patience& patience);

  /// End of file on stdin, then waits for the end of the command. Its exit code; 128 + n for signal n.
  Result<int> finish(Patience& patience);

  /// False once its connection is of no use to anybody.
  bool link_holds() const { return !session_.broken(); }

  std::string out, err;    ///< kept output; err at most `keep` bytes as well
  bool truncated = false;  ///< something was dropped

 private:
  SshCommand(SshSession& session, std::string line, Output output, std::size_t keep, std::size_t window)
      : session_(session), line_(std::move(line)), output_(output), keep_(keep), window_(window) {}
  Result<bool> startup(Patience& patience);
  Result<void> widen(Patience& patience);
  Result<void> turn(Patience& patience);
  Result<bool> push_input(Patience& patience);
  Result<bool> pull(int stream, std::string& into, std::size_t room, Patience& patience);
  Result<void> look_for_end(Patience& patience);
  int exit_code();

  SshSession& session_;
  LIBSSH2_CHANNEL* channel_ = nullptr;
  const std::string line_;
  bool started_ = false;  // the machine has said so
  Output output_;
  std::size_t keep_;
  std::size_t window_;
  std::string_view input_;
  bool end_input_ = false;    // end of file is wanted
  bool input_ended_ = false;  // and sent
  bool closed_ = false;       // by the machine: everything has arrived
  bool stuck_ = false;        // the last round moved nothing although something is there
  std::size_t taken_ = 0;     // of `out`, by read()
};

}  // namespace vastgpu
