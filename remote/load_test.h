#pragma once
// Whether results can be read again, asked of the machine that wrote them before it goes. One thread at a
// time.

#include "remote/collect_run.h"

namespace vastgpu {

/// The newest checkpoint by torch.load (weights only) or by the header of safetensors; JSON and CSV parsed.
/// Takes at most two minutes and never fails: what could not be checked is said so. Runs nothing of the
/// project: python starts isolated, and pickles are only ever loaded as weights.
std::vector<CheckedFile> load_test_on_machine(CollectRun& run, const std::vector<const Wanted*>& home);

}  // namespace vastgpu
