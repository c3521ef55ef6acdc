#pragma once
// JSON as editors keep it: with comments and trailing commas where a client reads them, and with the place of
// everything, so that one entry can change and every other byte stays. Pure functions; any thread.

#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "state/json_text.h"

namespace vastgpu {

struct JsoncMember;

struct JsoncNode {
  TextSpan span;
  json value;                        ///< without comments
  std::vector<JsoncMember> members;  ///< of an object, in the order of the text
};

struct JsoncMember {
  std::string key;    ///< decoded
  TextSpan key_text;  ///< with its quotes
  JsoncNode value;
  std::size_t comma = std::string::npos;  ///< the comma behind it; npos: none
};

/// Which liberties a client's own reader takes.
enum class JsonStyle { strict, comments };

/// A text that is one object. A text of nothing but white space is an empty node: span {0, 0}, value null.
/// @error corrupt  what is wrong, with line and column; nested deeper than 64; no object
Result<JsoncNode> parse_jsonc(std::string_view text, JsonStyle style, const std::string& subject);

/// Skips white space and comments from `at`.
std::size_t skip_jsonc_space(std::string_view text, std::size_t at);

/// "line 3, column 7" of a byte.
std::string place_in(std::string_view text, std::size_t at);

}  // namespace vastgpu
