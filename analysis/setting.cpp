#include "analysis/setting.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/text.h"

namespace vastgpu {
namespace {

using enum SettingKind;

std::string key_of(std::string_view name) {
  std::string key = to_lower(trim(name));
  std::ranges::replace_if(
      key, [](char c) { return c == '-' || c == ' ' || c == '.'; }, '_');
  return key;
}

Error wrong(const Setting& s, const json& value, const std::string& expected) {
  return {.code = Code::invalid_argument,
          .what = std::string(s.name) + ": " + clean_line(dump(value), 60) + " is not " + expected};
}

/// A number as it comes, also written as text: "1e9", "2,048", "8B" and "1.3k" (counts only).
std::optional<double> number_of(const json& value) {
  if (value.is_number()) return value.get<double>();
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (!value.is_string()) return std::nullopt;
  std::string s(trim(value.get_ref<const std::string&>()));
  std::erase_if(s, [](char c) { return c == ',' || c == '_'; });
  if (s.empty() || s.size() > 40) return std::nullopt;
  double factor = 1;
  switch (s.back()) {
    case 'k':
    case 'K':
      factor = 1e3;
      break;
    case 'm':
    case 'M':
      factor = 1e6;
      break;
    case 'b':
    case 'B':
    case 'g':
    case 'G':
      factor = 1e9;
      break;
    case 't':
    case 'T':
      factor = 1e12;
      break;
    default:
      break;
  }
  if (factor != 1) s.pop_back();
  char* end = nullptr;
  const double v = std::strtod(s.c_str(), &end);
  if (end == s.c_str() || *end != '\0') return std::nullopt;
  return v * factor;
}

Result<json> canonical_choice(const Setting& s, const json& value) {
  std::string written = value.is_string()    ? value.get<std::string>()
                        : value.is_boolean() ? (value.get<bool>() ? "true" : "false")
                                             : dump(value);
  const std::string key = key_of(written.substr(0, 80));
  std::vector<std::string> plain;
  for (const std::string_view choice : s.choices) {
    const auto eq = choice.find('=');
    if (key == choice.substr(0, eq))
      return json(std::string(eq == choice.npos ? choice : choice.substr(eq + 1)));
    if (eq == choice.npos) plain.emplace_back(choice);
  }
  return fail(wrong(s, value, "one of " + join(plain, ", ")));
}

Result<json> canonical_flag(const Setting& s, const json& value) {
  if (value.is_string()) {
    const std::string word = to_lower(trim(value.get<std::string>()));
    for (const std::string_view yes : {"true", "yes", "on", "1"})
      if (word == yes) return json(1);
    for (const std::string_view no : {"false", "no", "off", "0", "none"})
      if (word == no) return json(0);
    return fail(wrong(s, value, "0 or 1"));
  }
  const auto v = number_of(value);
  if (!v || (*v != 0 && *v != 1)) return fail(wrong(s, value, "0 or 1"));
  return json(static_cast<int>(*v));
}

}  // namespace

const Setting* find_setting(std::string_view name) {
  if (name.size() > 60) return nullptr;
  const std::string key = key_of(name);
  for (const Setting& s : all_settings())
    if (key == s.name || std::ranges::find(s.aliases, key) != s.aliases.end()) return &s;
  return nullptr;
}

Result<json> canonical_value(const Setting& s, const json& value) {
  switch (s.kind) {
    case choice:
      return canonical_choice(s, value);
    case flag:
      return canonical_flag(s, value);
    case words: {
      if (!value.is_string() && !value.is_number()) return fail(wrong(s, value, "text"));
      std::string cleaned = clean_line(value.is_string() ? value.get<std::string>() : dump(value), 200);
      if (trim(cleaned).empty()) return fail(wrong(s, value, "text"));
      return json(std::string(trim(cleaned)));
    }
    case integer:
    case number:
      break;
  }
  const auto v = number_of(value);
  if (!v || !std::isfinite(*v) || *v < s.least || *v > s.most)
    return fail(wrong(s, value, text("a number from ", s.least, " to ", s.most)));
  if (s.kind == integer) {
    if (*v != std::floor(*v)) return fail(wrong(s, value, "a whole number"));
    return json(static_cast<std::int64_t>(*v));
  }
  return json(*v);
}

json facts_schema() {
  json properties = json::object();
  for (const Setting& s : all_settings()) {
    std::string help(s.help);
    if (!s.aliases.empty()) {
      std::vector<std::string> also(s.aliases.begin(), s.aliases.end());
      if (also.size() > 4) also.resize(4);
      help += ". Also: " + join(also, ", ");
    }
    json& p = properties[std::string(s.name)] = {{"description", help}};
    if (s.kind == integer || s.kind == number) {
      p["type"] = s.kind == integer ? "integer" : "number";
      p["minimum"] = s.least;
      p["maximum"] = s.most;
    } else if (s.kind == flag) {
      p["type"] = json::array({"integer", "boolean"});
    } else if (s.kind == choice) {
      p["type"] = json::array({"string", "integer"});
    } else {
      p["type"] = json::array({"string", "integer"});
    }
  }
  return {
      {"type", "object"},
      {"description", "What is already known of the task; each given value overrules what the project says"},
      {"properties", std::move(properties)},
      {"additionalProperties", true}};
}

}  // namespace vastgpu
