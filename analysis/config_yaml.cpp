// YAML through libyaml's events: its documents would expand aliases without a limit.

#include <yaml.h>

#include <map>
#include <memory>
#include <set>

#include "analysis/config_node.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr int kMaxNodes = 20'000;
constexpr int kMaxDepth = 40;
constexpr std::size_t kMaxScalar = 1'000;
constexpr std::size_t kMaxAnchors = 200;

class YamlReader {
 public:
  explicit YamlReader(std::string_view text) {
    ready_ = yaml_parser_initialize(&parser_) == 1;
    if (!ready_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~YamlReader() {
    if (ready_) yaml_parser_delete(&parser_);
  }
  YamlReader(const YamlReader&) = delete;
  YamlReader& operator=(const YamlReader&) = delete;

  /// The first document; nullopt with `problem` set.
  std::optional<ConfigNode> read() {
    if (!ready_) return std::nullopt;
    for (;;) {
      Event e;
      if (!next(e)) return std::nullopt;
      if (e.raw.type == YAML_STREAM_END_EVENT) return ConfigNode{};
      if (e.raw.type == YAML_STREAM_START_EVENT || e.raw.type == YAML_DOCUMENT_START_EVENT) continue;
      ConfigNode root;
      if (!fill(root, e, 0)) return std::nullopt;
      return root;
    }
  }

  std::string problem = "it is not YAML";
  std::vector<std::string> twice;  ///< "key (line 4)"

 private:
  struct Event {
    yaml_event_t raw{};
    bool set = false;
    Event() = default;
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() {
      if (set) yaml_event_delete(&raw);
    }
  };

  static std::string name_of(const yaml_char_t* anchor) {
    return anchor == nullptr ? "" : std::string(reinterpret_cast<const char*>(anchor)).substr(0, 100);
  }

  bool next(Event& e) {
    e.set = yaml_parser_parse(&parser_, &e.raw) == 1;
    if (!e.set && parser_.problem != nullptr)
      problem = text("line ", parser_.problem_mark.line + 1, ": ", parser_.problem);
    return e.set;
  }

  bool spend(std::size_t n) {
    nodes_ += n;
    if (nodes_ <= kMaxNodes) return true;
    problem = "it holds too many values, or aliases that multiply";
    return false;
  }

  static std::size_t size_of(const ConfigNode& node) {
    std::size_t n = 1;
    for (const auto& [key, value] : node.entries) n += size_of(value);
    for (const ConfigNode& item : node.items) n += size_of(item);
    return n;
  }

  bool fill(ConfigNode& into, Event& e, int depth) {
    if (depth > kMaxDepth) {
      problem = "it nests too deep";
      return false;
    }
    into.line = static_cast<int>(e.raw.start_mark.line) + 1;
    if (e.raw.type == YAML_ALIAS_EVENT) {
      const auto known = anchors_.find(name_of(e.raw.data.alias.anchor));
      if (known == anchors_.end()) return spend(1);
      if (!spend(known->second.second)) return false;
      const int line = into.line;
      into = known->second.first;
      into.line = line;
      return true;
    }
    if (!spend(1)) return false;
    std::string anchor;
    if (e.raw.type == YAML_SCALAR_EVENT) {
      const auto& scalar = e.raw.data.scalar;
      const std::string_view s(reinterpret_cast<const char*>(scalar.value), scalar.length);
      if (scalar.style == YAML_PLAIN_SCALAR_STYLE)
        into.value = scalar_of(s);
      else
        into.value = clean(s.substr(0, kMaxScalar), kMaxScalar);
      anchor = name_of(scalar.anchor);
    } else if (e.raw.type == YAML_SEQUENCE_START_EVENT) {
      into.kind = ConfigNode::Kind::list;
      anchor = name_of(e.raw.data.sequence_start.anchor);
      for (;;) {
        Event item;
        if (!next(item)) return false;
        if (item.raw.type == YAML_SEQUENCE_END_EVENT) break;
        if (!fill(into.items.emplace_back(), item, depth + 1)) return false;
      }
    } else if (e.raw.type == YAML_MAPPING_START_EVENT) {
      into.kind = ConfigNode::Kind::map;
      anchor = name_of(e.raw.data.mapping_start.anchor);
      if (!fill_map(into, depth)) return false;
    } else {
      return false;
    }
    if (!anchor.empty() && anchors_.size() < kMaxAnchors) {
      const std::size_t size = size_of(into);
      anchored_ += size;  // anchors may contain each other: their copies are counted too
      if (anchored_ <= kMaxNodes) anchors_[anchor] = {into, size};
    }
    return true;
  }

  bool fill_map(ConfigNode& into, int depth) {
    std::set<std::string> written;
    for (;;) {
      Event key;
      if (!next(key)) return false;
      if (key.raw.type == YAML_MAPPING_END_EVENT) return true;
      ConfigNode name;
      if (!fill(name, key, depth + 1)) return false;
      Event value;
      if (!next(value)) return false;
      ConfigNode node;
      if (!fill(node, value, depth + 1)) return false;
      node.line = name.line;
      const std::string word = name.is_text()                          ? name.text()
                               : name.kind == ConfigNode::Kind::scalar ? dump(name.value)
                                                                       : std::string{};
      if (word.empty() || word.size() > 200) continue;
      if (word == "<<" && node.is_map()) {  // merged below what is written out
        auto merged = std::move(node.entries);
        std::erase_if(merged, [&](const auto& entry) { return into.has(entry.first); });
        into.entries.insert(into.entries.begin(), merged.begin(), merged.end());
        continue;
      }
      if (!written.insert(word).second && twice.size() < 3)
        twice.push_back(clean_line(word, 60) + " (line " + std::to_string(node.line) + ")");
      into.entries.emplace_back(word, std::move(node));
    }
  }

  yaml_parser_t parser_{};
  bool ready_ = false;
  std::size_t nodes_ = 0;
  std::size_t anchored_ = 0;
  std::map<std::string, std::pair<ConfigNode, std::size_t>> anchors_;
};

}  // namespace

std::optional<ConfigNode> parse_yaml(std::string_view text, const std::string& name,
                                     std::vector<std::string>& warnings) {
  YamlReader reader(text);
  auto root = reader.read();
  if (!root) warnings.push_back(name + " was skipped: " + clean_line(reader.problem, 120));
  for (const std::string& key : reader.twice)
    warnings.push_back(name + ": " + key + " stands twice, the last one counts");
  return root;
}

}  // namespace vastgpu
