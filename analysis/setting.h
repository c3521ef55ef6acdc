#pragma once
// The settings of a task that decide its memory and time: names, units, values, other spellings. One table
// gives the schema of `facts`, its decoder, and the words that readers of scripts and configurations use.
// Constant; any thread.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/json.h"

namespace vastgpu {

enum class SettingKind {
  integer,
  number,
  flag,    ///< 0 or 1
  choice,  ///< one of `choices`
  words,   ///< up to 200 bytes, cleaned
};

struct Setting {
  std::string_view name;  ///< "seq"
  SettingKind kind;
  std::string_view help;  ///< for the schema: what it is, with its unit
  double least = 0;       ///< of numbers
  double most = 0;
  std::vector<std::string_view> choices = {};  ///< of a choice; `a=b` is a spelling a of b
  std::vector<std::string_view> aliases = {};  ///< other spellings of the name
};

std::span<const Setting> all_settings();

/// By name or alias, whatever its case, `-` or `_`; nullptr for an unknown one.
const Setting* find_setting(std::string_view name);

/// The name or alias that a misspelled one may have meant: "batchsize" -> "batch_size"; empty when none is
/// near.
std::string nearest_setting(std::string_view name);

/// The value as the table knows it: "16-mixed" -> "16mixed", "4" -> 4, true -> 1, "1e9" -> 1000000000.
/// Numbers may be text with thousands commas, k, M, B or T, and the unit of the setting: "2,048", "24 GB". Of
/// settings in billions "350M" is 0.35, and a plain number of 100,000 or more counts single parameters.
/// @error invalid_argument  not a value of this setting: says what was expected
Result<json> canonical_value(const Setting& setting, const json& value);

/// The JSON Schema of `facts`: an object with one described property per setting.
json facts_schema();

}  // namespace vastgpu
