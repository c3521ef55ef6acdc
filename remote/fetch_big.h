#pragma once
// Large files in pieces over several sessions at once, going on in the middle after a cut link or a crash.
// The machine hashes them on a session of its own, and we hash what has landed, so that neither adds to the
// time. One thread at a time; the sessions have threads of their own.

#include "remote/collect_run.h"

namespace vastgpu {

/// Fetches them in this order. What arrived whole, and hashes the same on both sides, gets its name at once;
/// the rest is named in the findings.
/// @error unavailable  the link stays broken, or the disk is full: what landed stays for the next call
Result<void> fetch_big(CollectRun& run, const std::vector<Wanted*>& files);

}  // namespace vastgpu
