#pragma once
// settings.json in the state folder: what the user decided once, for every project of the account. The
// program never writes it. Plain values; any thread.

#include <filesystem>
#include <string_view>

#include "core/limits.h"
#include "core/rental.h"

namespace vastgpu {

struct AccountSettings {
  AccountLimits limits = {};
  LeaseEnd at_lease_end = LeaseEnd::stop;  ///< at_lease_end: "stop" or "destroy"
  bool allow_unguarded = false;  ///< allow_unguarded: keep a machine that cannot end itself, marked as such
  bool keeper = true;            ///< keeper: a background process may watch, renew, collect and destroy
  bool auto_extend = true;       ///< auto_extend: the keeper may renew up to the project's max_budget
};

/// The text of a settings file. `subject` names it in messages.
/// @error invalid_argument  not a JSON object, an unknown key, or a value that is not what the key takes
///                          (dollars: 0..1000000, max_machines: an integer 0..1000); the key and what was
///                          expected are named
Result<AccountSettings> parse_settings(std::string_view text, const std::string& subject);

/// No file is the settings above; one that cannot be read is an error.
/// @error invalid_argument  as parse_settings, or the file is not a regular file of at most 64 kB
/// @error unavailable       it cannot be read
Result<AccountSettings> read_settings(const std::filesystem::path& file);

}  // namespace vastgpu
