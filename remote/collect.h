#pragma once
// Results home: one listing, then streams of what is missing. One thread per link, which opens further
// sessions for large files.

#include "remote/shell.h"
#include "remote/ssh_link.h"

namespace vastgpu {

/// Shell::collect.
Result<Receipt> collect_files(SshLink& link, const std::vector<CollectSource>& sources,
                              const CollectOptions& options, const ProgressFn& progress,
                              std::stop_token stop);

}  // namespace vastgpu
