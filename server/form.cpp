#include "server/form.h"

#include <algorithm>
#include <cmath>

namespace vastgpu {
namespace {

constexpr std::size_t kMaxAnswer = 10'000;  // bytes of one text field
constexpr std::size_t kMaxChoices = 1'000;  // of one field with several choices

std::string type_of(const json& field) { return read_field<std::string>(field, "type").value_or(""); }

/// [{"const":"a","title":"A"},...] of a field or of the items of one; nullptr: none.
const json* titled(const json& field) {
  for (const char* word : {"oneOf", "anyOf"})
    if (const auto at = field.find(word); at != field.end() && at->is_array()) return &*at;
  return nullptr;
}

bool is_choice(const json& field, const json& value) {
  if (const json* all = titled(field))
    return std::ranges::any_of(*all, [&](const json& one) {
      return one.is_object() && one.contains("const") && one.at("const") == value;
    });
  const auto plain = field.find("enum");
  if (plain == field.end() || !plain->is_array()) return true;
  return std::ranges::any_of(*plain, [&](const json& one) { return one == value; });
}

std::size_t characters(const std::string& s) {
  return static_cast<std::size_t>(
      std::ranges::count_if(s, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool within(double value, const json& field, const char* least, const char* most) {
  const auto low = read_number(field, least), high = read_number(field, most);
  return std::isfinite(value) && (!low || value >= *low) && (!high || value <= *high);
}

bool fits(const json& field, const json& value) {
  const std::string type = type_of(field);
  if (type == "boolean") return value.is_boolean();
  if (type == "number") return value.is_number() && within(value.get<double>(), field, "minimum", "maximum");
  if (type == "integer")  // some clients send 3.0
    return value.is_number() && std::trunc(value.get<double>()) == value.get<double>() &&
           within(value.get<double>(), field, "minimum", "maximum");
  if (type == "string") {
    if (!value.is_string()) return false;
    const auto& words = value.get_ref<const std::string&>();
    return words.size() <= kMaxAnswer && is_choice(field, value) &&
           within(static_cast<double>(characters(words)), field, "minLength", "maxLength");
  }
  if (type == "array") {
    const json items = read_field<json>(field, "items").value_or(json::object());
    return value.is_array() && value.size() <= kMaxChoices &&
           within(static_cast<double>(value.size()), field, "minItems", "maxItems") &&
           std::ranges::all_of(value,
                               [&](const json& one) { return one.is_string() && is_choice(items, one); });
  }
  return false;
}

/// One field as 2025-06-18 has it.
std::optional<json> plainer(json field) {
  const std::string type = type_of(field);
  if (type == "array") return std::nullopt;
  if (type != "boolean") field.erase("default");
  if (const json* all = titled(field)) {
    json values = json::array(), names = json::array();
    for (const json& one : *all) {
      values.push_back(one.at("const"));
      names.push_back(read_field<std::string>(one, "title").value_or(one.at("const").dump()));
    }
    field.erase("oneOf");
    field.erase("anyOf");
    field["enum"] = std::move(values);
    field["enumNames"] = std::move(names);
  }
  return field;
}

}  // namespace

std::optional<json> form_for(const json& form, Version v) {
  if (v < Version::v2025_06_18) return std::nullopt;
  if (v >= Version::v2025_11_25) return form;
  json out = form;
  for (const auto& [name, field] : form.at("properties").items()) {
    auto plain = plainer(field);
    if (!plain) return std::nullopt;
    out["properties"][name] = *std::move(plain);
  }
  return out;
}

std::optional<json> fitting(const json& form, const json& content) {
  if (!content.is_object()) return std::nullopt;
  const json fields = read_field<json>(form, "properties").value_or(json::object());
  json out = json::object();
  for (const auto& [name, field] : fields.items()) {
    const auto value = content.find(name);
    if (value == content.end() || value->is_null()) continue;
    if (!fits(field, *value)) return std::nullopt;
    out[name] = *value;
  }
  for (const json& name : read_field<json>(form, "required").value_or(json::array()))
    if (name.is_string() && !out.contains(name.get<std::string>())) return std::nullopt;
  return out;
}

}  // namespace vastgpu
