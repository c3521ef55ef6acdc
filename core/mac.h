#pragma once
// A seal on text that leaves and comes back. Pure functions; any thread.

#include <string>
#include <string_view>

namespace vastgpu {

/// HMAC-SHA256: 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view data);

/// Takes equally long wherever two texts of one length differ.
bool same_bytes(std::string_view a, std::string_view b);

}  // namespace vastgpu
