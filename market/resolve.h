#pragma once
// Whether a server's name can be looked up, in a way that can be given up. Thread-safe.

#include <chrono>
#include <stop_token>
#include <string>

#include "core/error.h"

namespace vastgpu {

/// Looks `host` up, so that the blocking lookup of a library that follows is quick: with a dead name server
/// that one would hold its thread for many seconds, whoever asks it to stop. Addresses and localhost pass at
/// once.
/// @error unavailable  there is no such name, or no answer within `limit`
/// @error cancelled    `stop` asked
Result<void> check_name(const std::string& host, std::chrono::milliseconds limit,
                        const std::stop_token& stop);

}  // namespace vastgpu
