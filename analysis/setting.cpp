#include "analysis/setting.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "core/spelling.h"
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

bool in_billions(const Setting& s) { return s.name.ends_with("_b"); }

/// "24 GB" of a setting in GB, "3 hours" of one in hours: the unit that the name says anyway goes.
void drop_unit(const Setting& s, std::string& written) {
  const auto drop = [&](std::initializer_list<std::string_view> units) {
    for (const std::string_view unit : units)
      if (written.size() > unit.size() && written.ends_with(unit)) {
        written.resize(written.size() - unit.size());
        return;
      }
  };
  if (s.name.ends_with("_gib") || s.name.ends_with("_gb")) drop({"gib", "gb", "g"});
  if (s.name.ends_with("hours")) drop({"gpu-hours", "gpu hours", "hours", "hour", "hrs", "hr", "h"});
  if (s.name == "seq" || s.name.ends_with("tokens")) drop({"tokens", "tok"});
  while (!written.empty() && written.back() == ' ') written.pop_back();
}

/// Commas that part thousands go; others part numbers of a list, and a list is no number.
bool drop_thousands(std::string& written) {
  const auto first = written.find(',');
  if (first == written.npos) return true;
  std::size_t digits = 0;
  for (std::size_t i = first + 1; i <= written.size(); ++i) {
    if (i < written.size() && written[i] >= '0' && written[i] <= '9') {
      ++digits;
      continue;
    }
    if (digits != 3) return false;
    digits = 0;
    if (i < written.size() && written[i] != ',') break;
  }
  std::erase(written, ',');
  return true;
}

/// A number as it comes, also written as text: "1e9", "2,048", "8B" and "1.3k".
std::optional<double> number_of(const Setting& s, const json& value) {
  if (value.is_boolean()) return s.kind == flag ? std::optional(value.get<bool>() ? 1.0 : 0.0) : std::nullopt;
  if (value.is_number()) {
    const double v = value.get<double>();
    return in_billions(s) && v >= 1e5 ? v / 1e9 : v;  // a count of parameters: no model has 1e5 billions
  }
  if (!value.is_string()) return std::nullopt;
  if (value.get_ref<const std::string&>().size() > 60) return std::nullopt;
  std::string written = to_lower(trim(value.get_ref<const std::string&>()));
  drop_unit(s, written);
  std::erase(written, '_');
  if (!drop_thousands(written) || written.empty()) return std::nullopt;
  double factor = 1;
  const auto scale = std::string_view("kmbgt").find(written.back());
  if (scale != std::string_view::npos) {
    factor = std::to_array({1e3, 1e6, 1e9, 1e9, 1e12})[scale];
    written.pop_back();
    while (!written.empty() && written.back() == ' ') written.pop_back();
  }
  if (written.find_first_not_of("0123456789.e+-") != written.npos)
    return std::nullopt;  // no "nan", no "0x10"
  char* end = nullptr;
  double v = std::strtod(written.c_str(), &end) * factor;
  if (end == written.c_str() || *end != '\0') return std::nullopt;
  if (in_billions(s) && (factor != 1 || v >= 1e5)) v /= 1e9;
  return v;
}

Result<json> canonical_choice(const Setting& s, const json& value) {
  if (value.is_structured()) return fail(wrong(s, value, "a word"));
  std::string written = value.is_string() ? value.get<std::string>() : dump(value);
  if (value.is_number_float() && written.ends_with(".0")) written.resize(written.size() - 2);  // 16.0 is 16
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
  const auto v = number_of(s, value);
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

std::string nearest_setting(std::string_view name) {
  std::vector<std::string> known;
  for (const Setting& s : all_settings()) {
    known.emplace_back(s.name);
    known.insert(known.end(), s.aliases.begin(), s.aliases.end());
  }
  return nearest_name(key_of(name.substr(0, 60)), known);
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
  const auto v = number_of(s, value);
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
