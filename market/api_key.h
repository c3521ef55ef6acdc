#pragma once
// Where the account's API key is found. Pure but for the files it reads; any thread.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/secret.h"

namespace vastgpu {

struct FoundKey {
  Secret key;
  std::string place;  ///< for people: "VAST_API_KEY", or the file's path
};

/// An environment variable; nullopt when it is not set.
using ReadVariable = std::function<std::optional<std::string>(const char* name)>;

/// In this order: VAST_API_KEY; vast_tfa_key, then vast_api_key, in $XDG_CONFIG_HOME/vastai (default
/// ~/.config/vastai); ~/.vast_api_key. Blanks around a key are cut, empty places are passed over.
/// @error unauthenticated   there is none
/// @error invalid_argument  the first place that holds something does not hold a key
/// @error unavailable       a file is there but cannot be read
Result<FoundKey> find_api_key(const ReadVariable& variable, const std::filesystem::path& home);

}  // namespace vastgpu
