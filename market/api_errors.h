#pragma once
// What the marketplace means when it says no: one Error for its many shapes of refusal. Pure; any thread.

#include <optional>
#include <string>

#include "core/error.h"
#include "core/json.h"
#include "core/secret.h"

namespace vastgpu {

/// The refusal in an answer's body, whatever its shape. Texts are cleaned and redacted.
/// @source vast-api.md 1.3
struct Refusal {
  std::string error;                  ///< the code: "invalid_args"; may be empty
  std::string msg;                    ///< for people; may be empty
  std::optional<double> retry_after;  ///< seconds, from the body
};
Refusal read_refusal(const std::string& body, const Secret& key);

/// The body says that it did not work: `success` is false.
bool says_failed(const json& body);

/// The key is unknown, revoked or lacks a right: 401, 403, and 404 auth_error, which is not "gone".
bool is_auth_failure(int status, const Refusal& refusal);

/// The API itself says that this instance is gone or not ours. False for a 404 of a proxy or of a dead route.
bool is_gone(int status, const Refusal& refusal);

/// One Error for an answer that is not a success. `changes`: the call was to change something, so that
/// answers which settle nothing (5xx, 408, 409, 425, 3xx) leave the effect unknown.
/// @error see Market
Error error_of(int status, const Refusal& refusal, bool changes);

/// For a 2xx whose body makes no sense.
Error nonsense(const std::string& what, bool changes);

/// What to do when there is no key.
Error no_key();

}  // namespace vastgpu
