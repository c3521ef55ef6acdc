#pragma once
// Large files in pieces, over several sessions side by side. Called on one thread; it owns the others.

#include <set>

#include "remote/machine_view.h"
#include "remote/ssh_link.h"
#include "remote/upload_meter.h"
#include "remote/upload_plan.h"

namespace vastgpu {

/// From here on a file travels in pieces. A smaller one takes less than a second at 200 Mbit/s, so that a cut
/// link costs little, while asking and naming pieces would cost it a tenth.
constexpr std::uint64_t kLargeFile = 16 * 1024 * 1024;

/// Sends what the plan misses; each file gets its name after its last byte. UploadLanes whose link breaks go
/// on with a new one; more lanes are opened while that makes it faster.
/// @param obsolete  keys of unfinished copies that nobody will finish: removed there
/// @error wrong_state  the machine cannot store them
/// @error unavailable  nothing arrived for a minute, whatever was tried
Result<void> send_large(SshLink& link, const std::string& folder, const LocalTree& tree, UploadPlan& plan,
                        const std::set<std::string>& obsolete, Packing packing,
                        const std::function<bool()>& enough, UploadMeter& meter, const std::stop_token& stop,
                        SyncReport& report);

}  // namespace vastgpu
