#pragma once
// Puts one entry into a JSON configuration, or takes it out, and leaves every other byte. Pure functions; any
// thread.

#include "clients/jsonc.h"

namespace vastgpu {

/// Where the entry stands: {"mcpServers", "vast-gpu"}.
using KeyPath = std::vector<std::string>;

/// The entry; nullopt where there is none. Points into `root`.
/// @error corrupt  a key of the path is there twice, or is no object where it has to be one
Result<const JsoncNode*> find_entry(const JsoncNode& root, std::string_view text, const KeyPath& path,
                                    const std::string& subject);

/// The text with `entry` at `path`. Where something stands there already, its fields change one by one and
/// what else it holds stays, unless it is to be replaced `whole`. Indent, line ends, comments and trailing
/// commas stay as they are.
/// @pre find_entry accepted `root`, which is `text`
std::string put_entry(const std::string& text, const JsoncNode& root, const KeyPath& path, const json& entry,
                      bool whole);

/// The text without the entry at `path`, and without the objects above it that would be empty, down to
/// `keep` levels: 1 keeps the outermost key even where nothing is left in it.
/// @pre the entry is there
std::string take_entry(const std::string& text, const JsoncNode& root, const KeyPath& path, std::size_t keep);

}  // namespace vastgpu
