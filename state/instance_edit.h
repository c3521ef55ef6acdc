#pragma once
// One change to the text of `vast-instances.json`. Pure: text in, text out; every byte that the change does
// not name stays, down to the spelling of numbers. Any thread.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/ids.h"
#include "core/json.h"
#include "state/instance_file.h"

namespace vastgpu {

using Fields = std::vector<std::pair<std::string, json>>;

struct EntryEdit {
  InstanceId id;
  Fields set;       ///< values for every entry with that id; keys that it lacks are added at its end
  Fields when_new;  ///< a whole entry, added at the end of the array when none has that id; empty: nothing is
                    ///< added
};

/// The edit that writes `record`. What the record does not know is kept in an existing entry, null in a new
/// one.
/// @error invalid_argument  no id; an extra key that does not start with x_; a new entry `running` without an
/// address
Result<EntryEdit> edit_for(const InstanceRecord& record, bool exists);

/// The text, parsed. Absent file: pass "[]".
/// @error corrupt  not JSON, or not an array; with the parser's position
Result<json> parse_instances(std::string_view text);

/// The text after the edit; the same text when nothing changes. `text` has passed parse_instances.
std::string with_edit(std::string_view text, const EntryEdit& edit);

/// Whether the parsed file has an entry with that id.
bool has_entry(const json& array, InstanceId id);

}  // namespace vastgpu
