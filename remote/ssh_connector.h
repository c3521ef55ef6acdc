#pragma once
// The real Connector: SSH by libssh2. Thread-safe; each Connection it makes is for one thread at a time and
// must not outlive it.

#include <filesystem>

#include "remote/session_pool.h"
#include "remote/shell.h"
#include "remote/ssh_link.h"

namespace vastgpu {

class Patience;
class Resolver;

struct SshOptions {
  std::filesystem::path ssh_folder;                    ///< the user's ~/.ssh
  std::filesystem::path state_folder;                  ///< ours; a key of our own is made in state_folder/ssh
  std::string agent_socket = {};                       ///< value of SSH_AUTH_SOCK; empty: no agent
  std::optional<std::filesystem::path> key_file = {};  ///< a private key that goes before all others
  std::string user = "root";
  PoolTimes pool = {};
};

class SshConnector : public Connector {
 public:
  explicit SshConnector(SshOptions options);
  ~SshConnector() override;

  /// To a pinned machine an open session is used again, without a round trip. Else candidates share the
  /// limit: each gets an equal part of what is left. When none lets us in, the most telling failure is given:
  /// corrupt, then unauthenticated, then unavailable.
  Result<Connection> connect(const SshTarget& target, std::stop_token stop) override;
  Result<std::string> public_key() override;
  std::size_t idle_sessions() const { return pool_->size(); }
  std::size_t signs_of_life() const { return pool_->signs_of_life(); }

 private:
  Result<std::unique_ptr<SshSession>> open(const Endpoint& at, const std::optional<std::string>& pin,
                                           Patience& patience);
  /// A session of that machine: an open one, else a new one.
  Result<HeldSession> lend(const Endpoint& at, const std::string& fingerprint, Patience& patience);
  HeldSession hold(const Endpoint& at, std::unique_ptr<SshSession> session) const;
  Connection connection(const Endpoint& at, std::unique_ptr<SshSession> session);
  const SshOptions options_;
  const std::unique_ptr<Resolver> resolver_;
  const std::shared_ptr<SessionPool> pool_;
};

}  // namespace vastgpu
