#pragma once
// An open private key and what it signs: ed25519, ECDSA on the NIST curves and RSA, in OpenSSH's own format,
// PKCS#1, SEC 1 and PKCS#8. libssh2 reads fewer of them, and up to 1.10 signs with RSA only the way that
// servers no longer accept. Never changes; any thread.

#include <memory>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/secret.h"
#include "remote/ssh_keys.h"

struct evp_pkey_st;  // OpenSSL's

namespace vastgpu {

/// The algorithm that a login request names (RFC 4252, section 7), e.g. "rsa-sha2-512"; empty when it is no
/// such request.
std::string_view login_algorithm(std::string_view request);

class PrivateKey {
 public:
  /// @error corrupt  damaged, encrypted, or of a kind that servers do not take
  static Result<PrivateKey> read(const Secret& text);

  const PublicKey& pub() const { return pub_; }

  /// The bare signature as SSH has it behind the name of the algorithm.
  /// @param algorithm  "rsa-sha2-512", "rsa-sha2-256", or the type of the key
  /// @error corrupt  the key does not go with the algorithm
  Result<std::string> sign(std::string_view algorithm, std::string_view data) const;

 private:
  PrivateKey(std::shared_ptr<evp_pkey_st> key, PublicKey pub) : key_(std::move(key)), pub_(std::move(pub)) {}
  std::shared_ptr<evp_pkey_st> key_;
  PublicKey pub_;
};

}  // namespace vastgpu
