#pragma once
// The answer of a command on a machine that may be hostile: at most so many bytes, in at most so much time.
// One thread per session.

#include <string>
#include <string_view>

#include "remote/ssh_session.h"

namespace vastgpu {

struct Bounds {
  std::size_t bytes = 1 << 20;
  std::chrono::milliseconds idle{120'000};
  std::chrono::milliseconds in_all{900'000};  ///< a machine that dribbles holds nobody up for longer
};

struct BoundedAnswer {
  std::string out, err;   ///< err: its first 4096 bytes
  bool too_much = false;  ///< it was cut off at the bound
};

/// Runs a command that only reads.
/// @error unavailable  the link broke, or it took too long
Result<BoundedAnswer> ask(SshSession& session, const std::string& command, std::string_view input,
                          const Bounds& bounds, const std::stop_token& stop);

}  // namespace vastgpu
