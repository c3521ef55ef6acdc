#pragma once
// The real Connector: SSH by libssh2. Thread-safe; each Connection it makes is for one thread at a time and
// must not outlive it.

#include <filesystem>

#include "remote/shell.h"

namespace vastgpu {

class Patience;
class Resolver;
class SshSession;

struct SshOptions {
  std::filesystem::path ssh_folder;                    ///< the user's ~/.ssh
  std::filesystem::path state_folder;                  ///< ours; a key of our own is made in state_folder/ssh
  std::string agent_socket = {};                       ///< value of SSH_AUTH_SOCK; empty: no agent
  std::optional<std::filesystem::path> key_file = {};  ///< a private key that goes before all others
  std::string user = "root";
};

class SshConnector : public Connector {
 public:
  explicit SshConnector(SshOptions options);
  ~SshConnector() override;

  /// Candidates share the limit: each gets an equal part of what is left. When none lets us in, the most
  /// telling failure is given: corrupt, then unauthenticated, then unavailable.
  Result<Connection> connect(const SshTarget& target, std::stop_token stop) override;
  Result<std::string> public_key() override;

 private:
  Result<std::unique_ptr<SshSession>> open(const Endpoint& at, const std::optional<std::string>& pin,
                                           Patience& patience);
  const SshOptions options_;
  const std::unique_ptr<Resolver> resolver_;
};

}  // namespace vastgpu
