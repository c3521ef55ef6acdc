#pragma once
// JSON at our borders: typed structs in, no exceptions out.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"

namespace vastgpu {

using json = nlohmann::json;

/// Text to JSON. Refuses what is nested deeper than `max_depth`; never throws.
/// @error corrupt  not JSON; `subject` names the document in the message
Result<json> parse_json(std::string_view text, const std::string& subject, int max_depth = 64);

/// JSON to text on one line; bytes that are not UTF-8 become U+FFFD instead of an exception.
std::string dump(const json& j);

/// JSON to T. JSON exceptions stop here: nothing above this function throws or catches them.
template <class T>
Result<T> decode(const json& j, const std::string& subject) {
  try {
    return j.get<T>();
  } catch (const json::exception& e) {  // JSON_DIAGNOSTICS=1 puts the field's path into what()
    return fail({.code = Code::corrupt,
                 .what = subject + ": " + e.what(),
                 .next_step = "report this: " + subject + " changed its shape"});
  }
}

/// A field that may be missing, null, or of another type than expected: all three give nullopt.
template <class T>
std::optional<T> read_field(const json& j, const char* name) {
  if (!j.is_object()) return std::nullopt;
  const auto at = j.find(name);
  if (at == j.end() || at->is_null()) return std::nullopt;
  try {
    return at->template get<T>();
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

/// As read_field, into an optional member.
template <class T>
void read_optional(const json& j, const char* name, std::optional<T>& into) {
  into = read_field<T>(j, name);
}

/// An integer that some writers send as text ("42"); nullopt when it is neither.
std::optional<std::int64_t> read_integer(const json& j, const char* name);

/// A finite number that some writers send as text; nullopt when it is neither.
std::optional<double> read_number(const json& j, const char* name);

}  // namespace vastgpu
