#pragma once
// Failures as values: what went wrong, what to do next, and whether the world may have changed.

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace vastgpu {

/// What a caller can do about a failure. Add a code only when some caller would branch on it.
enum class Code {
  invalid_argument,  ///< change the call
  not_found,         ///< the thing does not exist (any more)
  wrong_state,       ///< something else has to happen first
  unauthenticated,   ///< ask the user: the key is missing, wrong or lacks a right
  over_budget,       ///< ask the user: credit or budget does not cover it
  rate_limited,      ///< nothing was done; the same call works later
  unavailable,       ///< the same call may work later
  cancelled,         ///< somebody asked us to stop
  corrupt,           ///< what we read makes no sense
  internal,          ///< our own fault
};

/// Whether the world outside may have changed before the failure. Money hangs on this.
enum class Effect { none, unknown, happened };

struct Error {
  Code code = Code::internal;
  std::string what = {};       ///< for a person: "offer 42 is no longer rentable"
  std::string next_step = {};  ///< what to do now: "call provision and pick another offer"
  Effect effect = Effect::none;

  /// Names the step that was under way: "renting offer 42: no answer within 30 s".
  Error during(const std::string& step) && {
    what = step + ": " + what;
    return std::move(*this);
  }
};

template <class T>
using Result = tl::expected<T, Error>;

inline auto fail(Error e) { return tl::unexpected<Error>(std::move(e)); }

/// The code as results spell it: "over_budget".
const char* to_string(Code code);

}  // namespace vastgpu
