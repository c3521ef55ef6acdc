#pragma once
// The end of each log as the last look at its machine showed it, kept in the state folder, so that it can be
// read at home while the job runs and after the machine is gone. Any thread, any process.

#include <filesystem>
#include <string>

#include "core/rental.h"

namespace vastgpu {

/// Where it is kept: <state>/followed/<label>/<experiment>.log.
std::filesystem::path followed_log(const std::filesystem::path& state_folder, const Rental& rental,
                                   const std::string& experiment);

/// Keeps `window` unless it is empty or what is kept already. A disk that refuses it costs no work.
void keep_followed(const std::filesystem::path& state_folder, const Rental& rental,
                   const std::string& experiment, const std::string& window);

}  // namespace vastgpu
