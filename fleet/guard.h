#pragma once
// The guard: a small loop on the machine that stops it at the end of its lease, with the machine's own
// restricted key. It needs a POSIX sh and one of curl, wget or python3. Pure text; the lease is a file that
// is replaced atomically.

#include <string>

#include "core/clock.h"

namespace vastgpu {

/// The guard lets a container live this long after each start, lease or no lease, so that a stopped machine
/// can be started again to rescue its results. The worst case of every quote includes it, and the guard's own
/// slowness.
inline constexpr auto kGuardGrace = std::chrono::minutes(5);

inline constexpr const char* kRemoteHome = "/workspace/.vast-gpu";
inline constexpr const char* kRemoteProject = "/workspace/project";
inline constexpr const char* kLeaseFile = "/workspace/.vast-gpu/lease";
inline constexpr const char* kGuardFile = "/workspace/.vast-gpu/guard";  ///< "<now> <end> <key|nokey>"

/// The on-start script: folders, host key fingerprints into the log, the guard, then git, screen and rsync.
/// Runs at every start of the container; an extended lease on disk wins over the one embedded here.
/// Stays under the marketplace's 4048 bytes.
/// `now`: when it is made. A machine whose clock is behind then still counts the lease from its own first
/// start.
std::string onstart_script(const std::string& api_url, TimePoint lease_end, TimePoint now = {});

/// What stands in the lease file.
std::string lease_text(TimePoint lease_end);

}  // namespace vastgpu
