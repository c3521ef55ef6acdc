// TOML through toml++, without exceptions.

// The library asserts, or under NDEBUG takes for granted, what a broken file need not hold ("[:a]"), one step
// before it checks the same and returns an error. Neither may happen to us.
#undef NDEBUG
#define TOML_ASSERT(expr) static_cast<void>(0)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "analysis/config_node.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr int kMaxNodes = 20'000;
constexpr int kMaxDepth = 40;

bool convert(const toml::node& from, ConfigNode& into, int depth, int& nodes) {
  if (++nodes > kMaxNodes || depth > kMaxDepth) return false;
  into.line = static_cast<int>(from.source().begin.line);
  if (const toml::table* table = from.as_table()) {
    into.kind = ConfigNode::Kind::map;
    for (const auto& [key, value] : *table)
      if (!convert(value, into.entries.emplace_back(std::string(key.str()), ConfigNode{}).second, depth + 1,
                   nodes))
        return false;
  } else if (const toml::array* list = from.as_array()) {
    into.kind = ConfigNode::Kind::list;
    for (const toml::node& value : *list)
      if (!convert(value, into.items.emplace_back(), depth + 1, nodes)) return false;
  } else if (const auto* text = from.as_string()) {
    into.value = clean(text->get(), 1'000);
  } else if (const auto* whole = from.as_integer()) {
    into.value = whole->get();
  } else if (const auto* number = from.as_floating_point()) {
    if (std::isfinite(number->get())) into.value = number->get();
  } else if (const auto* flag = from.as_boolean()) {
    into.value = flag->get();
  }
  return true;
}

}  // namespace

std::optional<ConfigNode> parse_toml(std::string_view text, const std::string& name,
                                     std::vector<std::string>& warnings) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    warnings.push_back(name + " was skipped: line " + std::to_string(parsed.error().source().begin.line) +
                       ": " + clean_line(parsed.error().description(), 120));
    return std::nullopt;
  }
  ConfigNode root;
  int nodes = 0;
  if (convert(parsed.table(), root, 0, nodes)) return root;
  warnings.push_back(name + " was skipped: it holds too many values or nests too deep");
  return std::nullopt;
}

}  // namespace vastgpu
