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

  /// Starts `command` in /bin/sh. `session` must live longer.
  /// @error invalid_argument  longer than one SSH packet takes
  /// @error unavailable       the link broke; effect unknown from here on in every call
  static Result<std::unique_ptr<SshCommand>> start(SshSession& session, const std::string& command,
                                                   Output output, std::size_t keep, Patience& patience);
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

  std::string out, err;    ///< kept output; err at most `keep` bytes as well
  bool truncated = false;  ///< something was dropped

 private:
  SshCommand(SshSession& session, Output output, std::size_t keep)
      : session_(session), output_(output), keep_(keep) {}
  Result<void> turn(Patience& patience);
  Result<bool> push_input(Patience& patience);
  Result<bool> pull(int stream, std::string& into, std::size_t room, Patience& patience);
  Result<void> look_for_end(Patience& patience);
  int exit_code();

  SshSession& session_;
  LIBSSH2_CHANNEL* channel_ = nullptr;
  Output output_;
  std::size_t keep_;
  std::string_view input_;
  bool end_input_ = false;    // end of file is wanted
  bool input_ended_ = false;  // and sent
  bool closed_ = false;       // by the machine: everything has arrived
  std::size_t taken_ = 0;     // of `out`, by read()
};

}  // namespace vastgpu
