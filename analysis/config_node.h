#pragma once
// YAML, TOML and JSON as one bounded tree with line numbers. Pure; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"

namespace vastgpu {

struct ConfigNode {
  enum class Kind { scalar, list, map };
  Kind kind = Kind::scalar;
  json value;  ///< of a scalar: null, boolean, number or text of up to 1,000 bytes
  std::vector<std::pair<std::string, ConfigNode>> entries;  ///< of a map, in order
  std::vector<ConfigNode> items;                            ///< of a list
  int line = 0;                                             ///< 0 where the parser does not tell
  int file = 0;                                             ///< of a merged configuration: which of its files

  bool is_map() const { return kind == Kind::map; }
  bool is_list() const { return kind == Kind::list; }
  bool is_text() const { return kind == Kind::scalar && value.is_string(); }
  std::string text() const { return is_text() ? value.get<std::string>() : std::string{}; }
  /// The entry behind a dotted path ("train.batch_size"), the last of equal keys; nullptr when there is none.
  const ConfigNode* at(std::string_view path) const;
  bool has(std::string_view path) const { return at(path) != nullptr; }
  /// A scalar, or the list of the scalars in a list.
  json plain() const;
};

/// By the ending of `name`: .yaml, .yml, .toml, .json. nullopt, with the reason in `warnings`, for text that
/// cannot be read. Of several documents in one file the first counts. Bounded: 20,000 nodes after aliases are
/// expanded, 40 levels.
std::optional<ConfigNode> parse_config(std::string_view text, std::string_view name,
                                       std::vector<std::string>& warnings);

/// "8", "2e-4", "true", "~", "text" as YAML understands a plain scalar, with numbers such as 1e9 and 1_000.
json scalar_of(std::string_view plain);

// One parser each; parse_config chooses.
std::optional<ConfigNode> parse_yaml(std::string_view text, const std::string& name,
                                     std::vector<std::string>& warnings);
std::optional<ConfigNode> parse_toml(std::string_view text, const std::string& name,
                                     std::vector<std::string>& warnings);

}  // namespace vastgpu
