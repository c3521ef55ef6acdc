#pragma once
// A real OpenSSH server on loopback, as the current user, with a host key of its own. Ended with its owner.

#include <sys/types.h>

#include <optional>
#include <string>

#include "core/endpoint.h"
#include "tests/support/temp_folder.h"

namespace vastgpu {

/// Why tests with a real server cannot run here; nullopt when they can.
std::optional<std::string> no_sshd_reason();

/// Output of a program, for preparing keys: {"ssh-keygen", ...}. Empty when it failed.
std::string output_of(const std::string& command_line);

class RealSshd {
 public:
  /// @param tools  a folder whose programs go before the system's
  /// @param more   lines for its configuration, before ours: the first one of a word holds
  explicit RealSshd(const std::filesystem::path& tools = {}, const std::string& more = {});
  ~RealSshd();
  RealSshd(const RealSshd&) = delete;
  RealSshd& operator=(const RealSshd&) = delete;

  void authorize(const std::string& public_key_line) const;
  void forget_keys() const;
  Endpoint endpoint() const { return {"127.0.0.1", port_}; }
  std::string user() const;
  /// "SHA256:..." as ssh-keygen prints it.
  std::string fingerprint() const;
  /// Kills the server's side of every open connection.
  void kill_connections() const;

 private:
  bool start(const std::string& config);
  TempFolder folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace vastgpu
