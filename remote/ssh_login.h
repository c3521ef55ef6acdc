#pragma once
// Which keys there are, in the order in which they are tried, and the login itself. Functions without state;
// any thread, one session each.

#include <filesystem>
#include <string>
#include <vector>

#include "remote/ssh_agent.h"
#include "remote/ssh_keys.h"
#include "remote/ssh_session.h"

namespace vastgpu {

struct KeyPlaces {
  std::filesystem::path ssh_folder;  ///< the user's ~/.ssh
  std::filesystem::path own_folder;  ///< where a key of ours is or would be made
  std::string agent_socket;          ///< value of SSH_AUTH_SOCK, or empty
  std::optional<std::filesystem::path> explicit_key;
};

/// The key that machines get to know: the explicit one, else the user's first default key that can be used
/// without a question, else ours, made now if needed.
/// @error unauthenticated  the explicit key cannot be used
Result<PublicKey> key_to_attach(const KeyPlaces& places, Patience& patience);

/// The file of that key, for ssh's -i; empty: it was not made yet, or cannot be used.
std::filesystem::path file_to_attach(const KeyPlaces& places, Patience& patience);

/// Tries the keys in turn: explicit, the one that is attached, ours, the agent's, the user's default files;
/// at most five, since servers hang up at six.
/// @error unauthenticated  none was let in
/// @error unavailable      the link broke
Result<void> log_in(SshSession& session, const std::string& user, const KeyPlaces& places,
                    Patience& patience);

}  // namespace vastgpu
