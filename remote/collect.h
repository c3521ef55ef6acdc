#pragma once
// Results home: one listing, one run of sha256sum, one packed tar of what is missing. One thread per link.

#include "remote/shell.h"
#include "remote/ssh_link.h"

namespace vastgpu {

/// Shell::collect.
Result<Receipt> collect_files(SshLink& link, const std::vector<CollectSource>& sources,
                              const ProgressFn& progress, std::stop_token stop);

}  // namespace vastgpu
