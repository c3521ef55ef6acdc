#pragma once
// Reading single fields of dirty rows. For wire_*.cpp only. Pure.

#include <optional>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "core/text.h"
#include "core/units.h"

namespace vastgpu {

/// A finite number of at least zero, also as text; 0 when it is neither.
inline double amount(const json& row, const char* name) {
  const auto n = read_number(row, name);
  return n && *n > 0 ? *n : 0;
}
inline std::optional<double> amount_if_known(const json& row, const char* name) {
  const auto n = read_number(row, name);
  return n && *n >= 0 ? n : std::nullopt;  // -1 and null: not reported yet
}

/// Text on one line, cleaned; empty when it is missing, null or no text.
inline std::string line(const json& row, const char* name, std::size_t max_bytes = 300) {
  const auto at = row.find(name);
  if (at == row.end() || !at->is_string()) return "";
  return clean_line(at->get_ref<const std::string&>(), max_bytes);
}

/// true, 1, or the text "true".
inline bool flag(const json& row, const char* name) {
  const auto at = row.find(name);
  if (at == row.end()) return false;
  if (at->is_boolean()) return at->get<bool>();
  if (at->is_number()) return read_number(row, name).value_or(0) != 0;
  return line(row, name) == "true";
}

/// A small count between `least` and `most`; `otherwise` when it is missing or outside.
inline int count(const json& row, const char* name, int least, int most, int otherwise) {
  const auto n = read_integer(row, name);
  return n && *n >= least && *n <= most ? static_cast<int>(*n) : otherwise;
}

/// A number inside an object: number_in(row, "search", "totalHour").
inline std::optional<double> number_in(const json& row, const char* object, const char* name) {
  const auto at = row.find(object);
  return at == row.end() ? std::nullopt : read_number(*at, name);
}

inline std::optional<TimePoint> moment(const json& row, const char* name) {
  const auto seconds = read_number(row, name);
  if (!seconds || *seconds <= 0 || *seconds > 1e11) return std::nullopt;
  return from_unix_seconds(*seconds);
}

}  // namespace vastgpu
