#pragma once
// Work whose machine is gone goes on elsewhere, where an envelope was approved for that: one step per pass.

#include "fleet/reap.h"

namespace vastgpu {

/// Every rental that vanished within the last day with work left and an envelope: the next step of its rerent
/// (fleet/rerent.h), as a line of the report. What cannot go on is said once, as an event of the rental.
void go_on_elsewhere(const Deps& d, const ReapRequest& request, std::stop_token stop, PassReport& out);

}  // namespace vastgpu
