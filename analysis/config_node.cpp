#include "analysis/config_node.h"

#include <cmath>
#include <cstdlib>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr int kMaxNodes = 20'000;

/// nullopt once the budget is spent.
bool convert(const json& j, ConfigNode& into, int& nodes) {
  if (++nodes > kMaxNodes) return false;
  if (j.is_object()) {
    into.kind = ConfigNode::Kind::map;
    for (const auto& [key, value] : j.items())
      if (!convert(value, into.entries.emplace_back(key, ConfigNode{}).second, nodes)) return false;
  } else if (j.is_array()) {
    into.kind = ConfigNode::Kind::list;
    for (const json& value : j)
      if (!convert(value, into.items.emplace_back(), nodes)) return false;
  } else {
    into.value = j;
  }
  return true;
}

}  // namespace

const ConfigNode* ConfigNode::at(std::string_view path) const {
  const ConfigNode* node = this;
  while (node != nullptr && !path.empty()) {
    const std::size_t dot = path.find('.');
    const std::string_view key = path.substr(0, dot);
    path.remove_prefix(dot == path.npos ? path.size() : dot + 1);
    const ConfigNode* next = nullptr;
    for (const auto& [name, entry] : node->entries)
      if (name == key) next = &entry;
    node = next;
  }
  return node;
}

json ConfigNode::plain() const {
  if (kind == Kind::scalar) return value;
  json list = json::array();
  for (const ConfigNode& item : items)
    if (item.kind == Kind::scalar && list.size() < 20) list.push_back(item.value);
  return is_list() && !list.empty() ? list : json();
}

json scalar_of(std::string_view s) {
  s = s.substr(0, 1'000);
  if (s.empty() || s == "~" || s == "null" || s == "Null" || s == "NULL" || s == "None") return nullptr;
  if (s == "true" || s == "True" || s == "TRUE" || s == "yes" || s == "Yes" || s == "on" || s == "On")
    return true;
  if (s == "false" || s == "False" || s == "FALSE" || s == "no" || s == "No" || s == "off" || s == "Off")
    return false;
  const char first = s.front();
  if (s.size() <= 40 && ((first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.')) {
    std::string digits;
    for (const char c : s)
      if (c != '_') digits += c;
    char* end = nullptr;
    const double v = std::strtod(digits.c_str(), &end);
    if (*end == '\0' && end != digits.c_str() && digits.find_first_of("xXnNiI") == digits.npos) {
      if (!std::isfinite(v)) return nullptr;  // 1e999 is nobody's batch size
      if (std::abs(v) < 9e15 && v == std::floor(v)) return static_cast<std::int64_t>(v);
      return v;
    }
  }
  return std::string(s);
}

std::optional<ConfigNode> parse_config(std::string_view text, std::string_view name,
                                       std::vector<std::string>& warnings) {
  const std::string shown = clean_line(name);
  if (name.ends_with(".toml")) return parse_toml(text, shown, warnings);
  if (!name.ends_with(".json")) return parse_yaml(text, shown, warnings);
  // As YAML, JSON keeps its line numbers; what YAML refuses (tabs) may still be JSON.
  std::vector<std::string> ignored;
  if (auto node = parse_yaml(text, shown, ignored)) {
    warnings.insert(warnings.end(), ignored.begin(), ignored.end());
    return node;
  }
  const auto parsed = parse_json(text, shown);
  ConfigNode node;
  int nodes = 0;
  if (parsed && convert(*parsed, node, nodes)) return node;
  warnings.push_back(shown + " was skipped: " + (parsed ? "it holds too many values" : "it is not JSON"));
  return std::nullopt;
}

}  // namespace vastgpu
