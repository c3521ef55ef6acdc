#pragma once
// The files a machine sees: its own folders on disk, and what of the host is mounted read-only into them.
// Functions without state; any thread.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "sandbox/machine.h"
#include "sandbox/machine_namespace.h"

namespace vastgpu::sandbox {

/// Makes the folder that becomes "/": private /etc, /var, /tmp, /root, /workspace, the stand-ins, empty mount
/// points.
Result<void> build_root(const std::filesystem::path& root, const MachineSpec& spec);
/// The clock that the stand-ins of a built root read, again.
Result<void> put_clock(const std::filesystem::path& root, const MachineSpec& spec);
/// What sshd is told: where it listens, and that only keys count.
std::string sshd_config(const MachineSpec& spec);
/// What to mount on it, in order.
std::vector<MountStep> root_mounts(const std::filesystem::path& root);
/// /tmp and /run as after a boot.
void clear_volatile(const std::filesystem::path& root);

std::optional<std::filesystem::path> host_python();
/// A program of the host that machines need too, e.g. "sshd"; below /usr, where they see it.
std::optional<std::filesystem::path> host_program(const std::string& name);

}  // namespace vastgpu::sandbox
