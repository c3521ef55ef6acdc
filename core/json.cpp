#include "core/json.h"

#include <charconv>
#include <cmath>

namespace vastgpu {

Result<json> parse_json(std::string_view text, const std::string& subject, int max_depth) {
  bool too_deep = false;
  const auto guard = [&](int depth, json::parse_event_t event, json&) {
    const bool opens =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth > max_depth) too_deep = true;
    return !(opens && depth > max_depth);
  };
  json j = json::parse(text, guard, /*allow_exceptions=*/false);
  if (too_deep)
    return fail({.code = Code::corrupt,
                 .what = subject + " is nested too deeply",
                 .next_step = "check what wrote it"});
  if (j.is_discarded())
    return fail(
        {.code = Code::corrupt, .what = subject + " is not valid JSON", .next_step = "check what wrote it"});
  return j;
}

std::string dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

std::optional<std::int64_t> read_integer(const json& j, const char* name) {
  if (!j.is_object()) return std::nullopt;
  const auto at = j.find(name);
  if (at == j.end()) return std::nullopt;
  if (at->is_number_unsigned() && at->get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  if (at->is_number_integer()) return at->get<std::int64_t>();
  if (at->is_number_float()) {
    const double d = at->get<double>();
    if (std::isfinite(d) && std::floor(d) == d && std::abs(d) < 9e15) return static_cast<std::int64_t>(d);
    return std::nullopt;
  }
  if (at->is_string()) {
    const auto& s = at->get_ref<const std::string&>();
    std::int64_t value = 0;
    const auto [end, bad] = std::from_chars(s.data(), s.data() + s.size(), value);
    if (bad == std::errc{} && end == s.data() + s.size() && !s.empty()) return value;
  }
  return std::nullopt;
}

std::optional<double> read_number(const json& j, const char* name) {
  if (!j.is_object()) return std::nullopt;
  const auto at = j.find(name);
  if (at == j.end()) return std::nullopt;
  if (at->is_number()) {
    const double d = at->get<double>();
    return std::isfinite(d) ? std::optional(d) : std::nullopt;
  }
  if (at->is_string()) {
    const auto& s = at->get_ref<const std::string&>();
    double value = 0;
    const auto [end, bad] = std::from_chars(s.data(), s.data() + s.size(), value);
    if (bad == std::errc{} && end == s.data() + s.size() && !s.empty() && std::isfinite(value)) return value;
  }
  return std::nullopt;
}

}  // namespace vastgpu
