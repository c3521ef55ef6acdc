#pragma once
// Names that hold keys and passwords by convention. Pure function; any thread.

#include <string_view>

namespace vastgpu {

/// Whether a file or folder with this name (the last part of its path) never leaves home, whatever rules say:
/// .env, private keys, settings of assistants and editors, credentials of vendors.
bool may_hold_secrets(std::string_view name, bool is_folder);

}  // namespace vastgpu
