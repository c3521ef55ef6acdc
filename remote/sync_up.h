#pragma once
// Code to the machine: one look at what is there, then one packed tar of what differs. One thread per
// link.

#include "remote/shell.h"
#include "remote/ssh_link.h"

namespace vastgpu {

/// Shell::sync_up.
Result<SyncReport> send_tree(SshLink& link, const std::filesystem::path& local, const std::string& remote,
                             const SyncRules& rules, const ProgressFn& progress, std::stop_token stop);

}  // namespace vastgpu
