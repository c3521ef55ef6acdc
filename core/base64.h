#pragma once
// Base64 as RFC 4648 has it. Pure functions; any thread.

#include <optional>
#include <string>
#include <string_view>

namespace vastgpu {

std::string to_base64(std::string_view raw, bool padded = true);
/// Whitespace is skipped; nullopt when it is not base64.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace vastgpu
