#pragma once
// One entry of a client's configuration, in whichever format it is kept. Nothing leaves here that was not
// read back: everything but the entry has the value it had. Pure functions; any thread.

#include <optional>

#include "clients/json_edit.h"

namespace vastgpu {

enum class ConfigFormat { strict_json, commented_json, toml };

/// What stands in a configuration at the path of an entry.
struct ConfigView {
  std::optional<json> entry;
  std::size_t depth = 0;  ///< how many keys of the path are there
};

/// @error corrupt  it cannot be read; the place is named
Result<ConfigView> view_config(ConfigFormat format, const std::string& text, const KeyPath& path,
                               const std::string& subject);

/// With the entry; where one stands there, its other fields stay unless it is replaced `whole`.
/// @error corrupt      the text cannot be read
/// @error wrong_state  the text is written so that the entry cannot be put in without changing more
Result<std::string> with_entry(ConfigFormat format, const std::string& text, const KeyPath& path,
                               const json& entry, bool whole, const std::string& subject);

/// Without the entry, and without what stood above it alone below `keep` levels.
/// @error as with_entry
Result<std::string> without_entry(ConfigFormat format, const std::string& text, const KeyPath& path,
                                  std::size_t keep, const std::string& subject);

/// A change as lines: removed ones with "-", added ones with "+". Lines around it are not shown, since they
/// may hold keys of other servers; a line that only got a comma is not shown either, and of a line that holds
/// more than the change only the change is.
std::string changed_lines(const std::string& before, const std::string& after);

}  // namespace vastgpu
