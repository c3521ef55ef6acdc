// A configuration together with the files it is based on.

#include <algorithm>
#include <filesystem>

#include "analysis/config_claims.h"
#include "core/text.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 20;
constexpr int kMaxDepth = 6;

void mark(ConfigNode& node, int file) {
  node.file = file;
  for (auto& [key, value] : node.entries) mark(value, file);
  for (ConfigNode& item : node.items) mark(item, file);
}

/// What `over` says replaces what `under` says; maps are merged.
void merge(ConfigNode& under, ConfigNode over) {
  if (!under.is_map() || !over.is_map()) {
    under = std::move(over);
    return;
  }
  for (auto& [key, value] : over.entries) {
    const auto known = std::ranges::find(under.entries, key, &std::pair<std::string, ConfigNode>::first);
    if (known == under.entries.end())
      under.entries.emplace_back(key, std::move(value));
    else
      merge(known->second, std::move(value));
  }
}

class Merger {
 public:
  Merger(ProjectFiles& files, const std::vector<std::pair<std::string, std::string>>& groups,
         std::vector<std::string>& warnings, MergedConfig& out)
      : files_(files), groups_(groups), warnings_(warnings), out_(out) {}

  std::optional<ConfigNode> read(const std::string& path, int depth) {
    if (depth > kMaxDepth || out_.paths.size() >= kMaxFiles) {
      warnings_.push_back(clean_line(path) + " was not read: configurations follow each other too far");
      return std::nullopt;
    }
    if (std::ranges::find(out_.paths, path) != out_.paths.end()) {
      if (depth > 0) warnings_.push_back(clean_line(path) + " is based on itself");
      return std::nullopt;
    }
    const auto text = files_.read(path);
    if (!text) return std::nullopt;
    auto root = parse_config(*text, path, warnings_);
    if (!root) return std::nullopt;
    const int file = static_cast<int>(out_.paths.size());
    out_.paths.push_back(clean_line(path));
    mark(*root, file);

    ConfigNode merged;
    merged.kind = ConfigNode::Kind::map;
    const std::string folder = fs::path(path).parent_path().string();
    const auto below = [&](const std::string& relative) {
      return fs::path(folder.empty() ? relative : folder + "/" + relative).lexically_normal().string();
    };
    for (const char* key : {"_BASE_", "_base_", "base_config", "__include__"})
      if (const ConfigNode* base = root->at(key)) {
        if (base->is_text()) take_base(merged, below(base->text()), depth);
        for (const ConfigNode& item : base->items)
          if (item.is_text()) take_base(merged, below(item.text()), depth);
      }
    if (const ConfigNode* defaults = root->at("defaults"); defaults != nullptr && defaults->is_list())
      for (const ConfigNode& item : defaults->items) take_default(merged, item, folder, depth);
    merge(merged, std::move(*root));
    return merged;
  }

 private:
  void take_base(ConfigNode& merged, const std::string& path, int depth) {
    if (!files_.has(path)) {
      warnings_.push_back(clean_line(path) + ", which a configuration is based on, is not in the project");
      return;
    }
    if (auto base = read(path, depth + 1)) merge(merged, std::move(*base));
  }

  /// "- model: vit", "- override /optimizer: adam", "- base".
  void take_default(ConfigNode& merged, const ConfigNode& item, const std::string& folder, int depth) {
    std::string group, choice;
    if (item.is_text()) {
      choice = item.text();
    } else if (item.is_map() && item.entries.size() == 1) {
      group = item.entries[0].first;
      const ConfigNode& value = item.entries[0].second;
      choice = value.is_text() ? value.text() : dump(value.plain());
      for (const std::string_view word : {"override ", "optional ", "/"})
        if (group.starts_with(word)) group.erase(0, word.size());
      for (const auto& [name, chosen] : groups_)
        if (name == group) choice = chosen;
    }
    if (choice.empty() || choice == "_self_" || choice == "null" || choice.size() > 200) return;
    if (choice.starts_with('/')) choice.erase(0, 1);
    const std::size_t package = group.find('@');
    std::string key = group.substr(0, package);
    std::string path = (folder.empty() ? "" : folder + "/") + (key.empty() ? "" : key + "/") + choice;
    if (!path.ends_with(".yaml")) path += ".yaml";
    if (!files_.has(path)) return;
    auto node = read(path, depth + 1);
    if (!node) return;
    if (package != group.npos) key = group.substr(package + 1);
    if (key.empty() || key == "_global_" || key == "_here_") return merge(merged, std::move(*node));
    // The group's name is the key it is found under: "model/small" goes below `model`.
    ConfigNode wrapped;
    wrapped.kind = ConfigNode::Kind::map;
    std::ranges::replace(key, '/', '.');
    const std::string first = key.substr(0, key.find('.'));
    wrapped.entries.emplace_back(first, std::move(*node));
    merge(merged, std::move(wrapped));
  }

  ProjectFiles& files_;
  const std::vector<std::pair<std::string, std::string>>& groups_;
  std::vector<std::string>& warnings_;
  MergedConfig& out_;
};

}  // namespace

std::string MergedConfig::at(const ConfigNode& node) const {
  const std::string& path =
      paths[static_cast<std::size_t>(node.file) < paths.size() ? static_cast<std::size_t>(node.file) : 0];
  return node.line > 0 ? path + ":" + std::to_string(node.line) : path;
}

std::optional<MergedConfig> read_config(ProjectFiles& files, const std::string& path,
                                        const std::vector<std::pair<std::string, std::string>>& groups,
                                        std::vector<std::string>& warnings) {
  MergedConfig config;
  auto root = Merger(files, groups, warnings, config).read(path, 0);
  if (!root) return std::nullopt;
  config.root = std::move(*root);
  return config;
}

}  // namespace vastgpu
