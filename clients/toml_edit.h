#pragma once
// Puts one table into a TOML configuration, or takes it out, and leaves every other byte. toml++ reads the
// text before and after; it cannot write without losing comments. Pure functions; any thread.

#include <optional>

#include "clients/json_edit.h"

namespace vastgpu {

/// The whole text as JSON; dates become text.
/// @error corrupt  what is wrong, with line and column
Result<json> read_toml(std::string_view text, const std::string& subject);

/// As put_entry, for a table that TOML allows there. A new one goes to the end of the text.
/// @pre read_toml accepted it
std::string put_toml_entry(const std::string& text, const KeyPath& path, const json& entry, bool whole);

/// Without any line that belongs to the entry, wherever in the text and in whatever spelling it stands; an
/// entry inside an inline table stays.
std::string take_toml_entry(const std::string& text, const KeyPath& path);

}  // namespace vastgpu
