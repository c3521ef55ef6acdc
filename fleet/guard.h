#pragma once
// The guard: a small loop on the machine that stops or destroys it at the end of its lease, with the
// machine's own restricted key. It needs a POSIX sh and one of curl, wget, python3 or python. Pure text; the
// lease is a file that is replaced atomically. Any thread.

#include <optional>
#include <string>

#include "core/clock.h"
#include "core/ids.h"
#include "core/rental.h"
#include "core/secret.h"

namespace vastgpu {

/// The guard lets a container live this long after each start, lease or no lease, so that a stopped machine
/// can be started again to rescue its results. The worst case of every quote includes it, and the guard's own
/// slowness. A container that is started a third time after its lease, without a stop that the marketplace
/// took in between, is not waited for.
inline constexpr auto kGuardGrace = std::chrono::minutes(5);

/// What every worst case pays for beyond the lease: that grace, and half an hour in which the marketplace
/// takes no order, just when the lease ends.
inline constexpr auto kLeaseReserve = kGuardGrace + std::chrono::minutes(30);

inline constexpr const char* kRemoteHome = "/workspace/.vast-gpu";
inline constexpr const char* kRemoteProject = "/workspace/project";
inline constexpr const char* kLeaseFile = "/workspace/.vast-gpu/lease";
inline constexpr const char* kGuardFile = "/workspace/.vast-gpu/guard";  ///< read_guard_report
inline constexpr const char* kKeyFile = "/workspace/.vast-gpu/key";      ///< key_text, mode 0600

/// What the guard is told at the create.
struct GuardOrders {
  std::string api_url;
  TimePoint lease_end{};
  TimePoint now{};  ///< when the orders are made
  LeaseEnd at_end = LeaseEnd::stop;
  std::string log_mark = {};  ///< stands in the log's lines about host keys: fleet/host_key.h
};

/// The on-start script: folders, host key fingerprints into the log, the guard, then git, screen and rsync.
/// Runs at every start of the container; a lease on disk wins over the one embedded here. Stays under the
/// marketplace's 4048 bytes for every api_url of up to 60 characters.
///
/// At the first start the lease is `lease_end`, where the machine's clock can be right: at most a minute
/// before `now` or 20 minutes after it. Else it is what was left at `now`, counted from that start; the GPU
/// bills only from there, too. From then on the guard counts down by itself, so that a clock that jumps can
/// end a lease early and never late.
std::string onstart_script(const GuardOrders& orders);

/// What stands in the lease file: the end by the machine's clock, and how long that is from now. Nothing is
/// left of a lease that is over.
std::string lease_text(TimePoint lease_end, Duration left);

/// What stands in the key file; empty when the key cannot be one.
std::string key_text(InstanceId instance, const Secret& key);

enum class GuardKey {
  works,    ///< the marketplace showed it its own instance
  refused,  ///< 401, 403 or 404 to every key it has
  none,     ///< neither the container nor the key file has one
  unknown,  ///< no answer yet
};
std::string to_words(GuardKey key);

/// What the guard says of itself every 30 seconds.
struct GuardReport {
  TimePoint now{};  ///< by the machine's clock
  TimePoint end{};  ///< the lease that it holds, by the same
  GuardKey key = GuardKey::unknown;
  std::optional<Duration> left;    ///< by its own count
  std::int64_t key_file_size = 0;  ///< of the key file that it has tried, without the line's end; 0: none
};
/// nullopt: not a report.
std::optional<GuardReport> read_guard_report(std::string_view file);

}  // namespace vastgpu
