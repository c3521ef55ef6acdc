#pragma once
// What a person types to get into a machine with the tools of OpenSSH, under the host key that is pinned.
// Any thread.

#include <filesystem>
#include <string>
#include <vector>

#include "fleet/deps.h"

namespace vastgpu {

/// The known_hosts file of one rental: `state_folder`/known_hosts/LABEL.
std::filesystem::path known_hosts_file(const Deps& d, const Rental& rental);

/// Writes the pinned key into that file, where it is not there yet.
/// @error wrong_state  SSH to the machine was never verified, or it is over
/// @error corrupt      its log names another key
/// @error unavailable  the state folder cannot be written
Result<void> pin_for_people(const Deps& d, const Rental& rental);

/// The words of a call of ssh, from "ssh" to "root@HOST".
std::vector<std::string> ssh_words(const Deps& d, const Rental& rental);

struct SshLines {
  std::string ssh, scp, rsync;  ///< each one line for a POSIX shell
};
/// Lines to type as they are, from the project's folder. Pure, after pin_for_people.
SshLines ssh_lines(const Deps& d, const Rental& rental);
json to_facts(const SshLines& lines);

}  // namespace vastgpu
