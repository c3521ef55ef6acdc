#pragma once
// Text from the API made safe to show and to log. Any thread.

#include <string>
#include <string_view>

#include "core/secret.h"

namespace vastgpu {

/// One clean line of at most `max_bytes` with secrets taken out: the key itself, the values of fields such as
/// api_key, jupyter_token, image_login, env or onstart, bearer tokens, and any 32 or more hexadecimal digits
/// in a row.
std::string redact(std::string_view raw, const Secret& key, std::size_t max_bytes = 300);

}  // namespace vastgpu
