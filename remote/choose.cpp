#include "remote/choose.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>
#include <unordered_set>

#include "core/text.h"
#include "remote/globs.h"
#include "remote/landing.h"
#include "remote/secrets.h"
#include "remote/temporary_names.h"

namespace vastgpu {
namespace {

constexpr std::string_view kInstructions[] = {"claude.md", "claude.local.md", "agents.md", "codex.md",
                                              "gemini.md"};

std::string lexical(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

class Chooser {
 public:
  Chooser(const std::vector<CollectSource>& sources, const CollectOptions& options, Findings& findings)
      : sources_(sources), options_(options), findings_(findings) {}

  void take(std::size_t index, const RemoteFolder& folder) {
    const CollectSource& source = sources_[index];
    if (!folder.trouble.empty())
      findings_.incomplete(clean_line(source.remote_folder) + ": " + folder.trouble);
    const Globs patterns(source.patterns);
    std::unordered_set<std::string> chosen;
    std::vector<const RemoteEntry*> links;
    std::map<std::string, std::size_t> temporary;
    for (const RemoteEntry& e : folder.entries) {
      const bool as_folder = e.type == 'l' && patterns.matches_folder(e.path);
      if (!source.patterns.empty() && !patterns.matches_file(e.path) && !as_folder) continue;
      const std::string shown = clean_line(absolute_path(source, e.path));
      if (e.type == 'l') {
        links.push_back(&e);
        continue;
      }
      if (e.type != 'f') {
        findings_.remark(shown + ": not a file (socket, pipe or device), nothing to bring");
        continue;
      }
      if (const auto objection = objection_to(e.path)) {
        findings_.incomplete(shown + ": refused, it has " + *objection);
        continue;
      }
      const auto unfinished = temporary_part(e.path);
      if (unfinished && !options_.last) {
        ++temporary[std::string(*unfinished)];
        continue;
      }
      add(index, source, e, shown, chosen, unfinished.has_value());
    }
    for (const auto& [path, files] : temporary)
      findings_.remark(clean_line(absolute_path(source, path)) + text(": a temporary name, left for later (",
                                                                      files,
                                                                      files == 1 ? " file)" : " files)"));
    for (const RemoteEntry* link : links) check_link(source, *link, chosen);
  }

  std::vector<Wanted> wanted;

 private:
  void add(std::size_t index, const CollectSource& source, const RemoteEntry& e, const std::string& shown,
           std::unordered_set<std::string>& chosen, bool unfinished) {
    std::string remote = absolute_path(source, e.path);
    if (taken_.contains(remote)) {  // two sources may hold the same file
      chosen.insert(e.path);
      return;
    }
    const auto before = source.known.find(e.path);
    const bool moved = before != source.known.end() && !before->second.home.empty();
    const std::string home = moved ? before->second.home : e.path;
    if (!home_names_.insert(to_lower(lexical((source.local_folder / home).string()))).second) {
      findings_.incomplete(
          shown + ": refused, its name is already taken at home (upper and lower case are the same)");
      return;
    }
    taken_.insert(remote);
    Wanted w{.source = index, .remote = std::move(remote), .entry = e, .home = home};
    if (source.among_own) w.refusal = objection_among_own(e.path).value_or("");
    if (unfinished) {
      w.note = "temporary name: whatever wrote it had not finished";
      findings_.remark(shown + ": brought although it has a temporary name; it may be half written");
    }
    wanted.push_back(std::move(w));
    chosen.insert(e.path);
  }

  /// A link to something that comes home by itself loses nothing, nor does one to nothing.
  void check_link(const CollectSource& source, const RemoteEntry& e,
                  const std::unordered_set<std::string>& chosen) {
    const bool folder = e.target_type == 'd';
    if (e.target_type == 'N' || e.target_type == 'L' || (folder && !source.recursive)) return;
    const std::string root = lexical(absolute_path(source, ""));
    const auto target = std::filesystem::path(absolute_path(source, e.path)).parent_path() / e.link;
    const std::string leads_to = lexical(target.string());
    const bool inside = leads_to.starts_with(root) && leads_to.size() > root.size();
    if (inside && (folder ? source.patterns.empty() : chosen.contains(leads_to.substr(root.size())))) return;
    findings_.incomplete(clean_line(absolute_path(source, e.path)) + ": refused, a link that leads to " +
                         clean_line(e.link));
  }

  const std::vector<CollectSource>& sources_;
  const CollectOptions& options_;
  Findings& findings_;
  std::unordered_set<std::string> home_names_, taken_;
};

using When = std::pair<std::int64_t, long>;
When when(const RemoteEntry& e) { return {e.changed.seconds, e.changed.nanoseconds}; }

}  // namespace

std::string absolute_path(const CollectSource& source, const std::string& path) {
  return source.remote_folder.ends_with('/') ? source.remote_folder + path
                                             : source.remote_folder + "/" + path;
}

std::optional<std::string> objection_among_own(std::string_view path) {
  const std::vector<std::string> parts = split(path, '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool folder = i + 1 < parts.size();
    const std::string name = to_lower(parts[i]);
    if (name.starts_with('.') && !(folder && name == ".hydra")) return "a hidden name outside results/";
    if (may_hold_secrets(name, folder)) return "a name outside results/ that settings or secrets have";
    if (!folder && std::ranges::find(kInstructions, name) != std::end(kInstructions))
      return "a name outside results/ that assistants take instructions from";
  }
  return std::nullopt;
}

std::vector<Wanted> choose(const std::vector<CollectSource>& sources, const RemoteListing& listing,
                           const CollectOptions& options, Findings& findings) {
  Chooser chooser(sources, options, findings);
  for (std::size_t i = 0; i < sources.size(); ++i) chooser.take(i, listing.folders[i]);
  return std::move(chooser.wanted);
}

std::vector<std::vector<Wanted*>> in_order(std::vector<Wanted*> wanted) {
  std::map<std::pair<std::size_t, std::string_view>, When> checkpoints;
  const auto key = [](const Wanted& w) {
    return std::pair(w.source, checkpoint_of(w.entry.path).value_or(""));
  };
  for (const Wanted* w : wanted)
    if (const auto k = key(*w); !k.second.empty()) {
      auto& newest = checkpoints.try_emplace(k, when(w->entry)).first->second;
      newest = std::max(newest, when(w->entry));
    }
  When newest{};
  for (const auto& [name, at] : checkpoints) newest = std::max(newest, at);
  const auto group = [&](const Wanted& w) {
    const auto at = checkpoints.find(key(w));
    return at == checkpoints.end() ? 1 : at->second == newest ? 0 : 2;
  };
  std::vector<std::vector<Wanted*>> groups(3);
  for (Wanted* w : wanted) groups[static_cast<std::size_t>(group(*w))].push_back(w);
  for (auto& g : {&groups[0], &groups[1]})
    std::ranges::stable_sort(*g, {}, [](const Wanted* w) { return w->entry.size; });
  std::ranges::stable_sort(groups[2], [&](const Wanted* a, const Wanted* b) {
    const When ta = checkpoints.at(key(*a)), tb = checkpoints.at(key(*b));
    return std::tuple(tb, a->entry.size) < std::tuple(ta, b->entry.size);
  });
  std::erase_if(groups, [](const auto& g) { return g.empty(); });
  return groups;
}

}  // namespace vastgpu
