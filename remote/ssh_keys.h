#pragma once
// SSH keys on disk: reading what the user has, making one where there is none. Functions without state; any
// thread.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/secret.h"

namespace vastgpu {

/// A public key: one line of authorized_keys.
struct PublicKey {
  std::string type;  ///< "ssh-ed25519"
  std::string blob;  ///< wire format
  std::string comment;
  std::string line() const;  ///< "ssh-ed25519 AAAA... comment"
};
std::optional<PublicKey> parse_public_key(const std::string& line);

class PrivateKey;

struct KeyFile {
  std::filesystem::path path;  ///< of the private key
  Secret text;
  bool encrypted = false;
  std::shared_ptr<const PrivateKey> open = {};  ///< what it signs with; empty: encrypted, or not readable
  std::optional<PublicKey>
      pub;  ///< from the private key itself, else from PATH.pub; nullopt if neither has it
};

/// @error not_found  no such file
/// @error corrupt    not a private key
Result<KeyFile> read_key_file(const std::filesystem::path& path);

/// Our own key: `folder`/id_ed25519, made on first use (0600, the folder 0700) in OpenSSH's format, without
/// any tool. Two processes that make one at the same time end up with the same key.
/// @error unavailable  the folder cannot be written
Result<KeyFile> own_key(const std::filesystem::path& folder);

}  // namespace vastgpu
