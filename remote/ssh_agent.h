#pragma once
// The user's ssh-agent: which keys it holds, and signatures by them. A client of our own, since libssh2's
// waits for the agent without limit and cannot ask for the RSA signatures that servers still accept. One
// thread at a time.

#include <string>
#include <string_view>
#include <vector>

#include "core/fd.h"
#include "remote/patience.h"

namespace vastgpu {

struct AgentKey {
  std::string blob;  ///< public key in wire format
  std::string comment;
};

class SshAgent {
 public:
  /// @param socket  value of SSH_AUTH_SOCK; empty means there is no agent
  /// @error not_found    no agent listens there
  static Result<SshAgent> open(const std::string& socket, Patience& patience);

  /// @error unavailable, corrupt  it does not answer, or not sensibly
  Result<std::vector<AgentKey>> keys(Patience& patience);

  /// The bare signature, without the name of its algorithm. `data` is what libssh2 asks to have signed: a
  /// login request that names the algorithm.
  /// @error unauthenticated  the agent or its user said no
  Result<std::string> sign(std::string_view blob, std::string_view data, Patience& patience);

 private:
  explicit SshAgent(Fd socket) : socket_(std::move(socket)) {}
  Result<std::string> ask(std::string_view request, Patience& patience);
  Fd socket_;
};

}  // namespace vastgpu
