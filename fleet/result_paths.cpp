#include "fleet/result_paths.h"

#include <algorithm>
#include <map>

#include "analysis/analyse.h"
#include "core/text.h"
#include "fleet/guard.h"

namespace vastgpu {
namespace {

constexpr const char* kEvent = "result_paths";
constexpr std::size_t kMostPaths = 50;

bool has_globs(std::string_view s) { return s.find_first_of("*?[\\") != std::string_view::npos; }

void add_new(std::vector<std::string>& to, const std::string& path) {
  if (to.size() < kMostPaths && std::ranges::find(to, path) == to.end()) to.push_back(path);
}

}  // namespace

Result<std::string> result_path(const std::string& given) {
  const auto refuse = [&](const std::string& why) {
    return fail({.code = Code::invalid_argument,
                 .what = "'" + clean_line(given, 100) + "' cannot be collected: " + why,
                 .next_step = "name a folder below the project and what is in it, e.g. outputs/** or "
                              "runs/*/metrics.csv, or files by their ending, e.g. *.csv"});
  };
  std::string_view rest = trim(given);
  const std::string root = std::string(kRemoteProject) + "/";
  if (rest.starts_with(root)) rest.remove_prefix(root.size());
  if (rest.starts_with('/')) return refuse("only what is below " + std::string(kRemoteProject) + " is");
  if (rest.size() > 300 || clean_line(rest, 1000) != rest) return refuse("it is no plain pattern");
  std::vector<std::string> parts;
  for (const std::string& part : split(rest, '/')) {
    if (part == "..") return refuse("it leads upwards");
    if (!part.empty() && part != ".") parts.push_back(part);
  }
  if (parts.empty()) return refuse("it names nothing");
  const bool folder = parts.size() > 1 || rest.ends_with('/');
  if (parts.front().front() == '.') return refuse("hidden files and folders are settings, not results");
  if (folder && has_globs(parts.front())) return refuse("its first part has to be the name of a folder");
  if (!folder && parts.front().find_first_not_of("*?") == std::string::npos)
    return refuse("it would take whatever the machine puts into the project folder");
  return join(parts, "/") + (rest.ends_with('/') ? "/" : "");
}

std::vector<CollectSource> sources_of(const std::vector<std::string>& patterns,
                                      const std::filesystem::path& project) {
  std::map<std::string, std::vector<std::string>> folders;  // an empty pattern: all of it
  std::vector<std::string> files;
  for (const std::string& given : patterns) {
    const auto path = result_path(given);
    if (!path) continue;
    const std::size_t slash = path->find('/');
    const std::string first = path->substr(0, slash);
    if (slash != std::string::npos) {
      const std::string rest = path->substr(slash + 1);
      folders[first].push_back(rest == "**" || rest.empty() ? "" : "/" + rest);
    } else if (!has_globs(first) && first.find('.') == std::string::npos) {
      folders[first].emplace_back();  // "outputs" is a folder, "model.pt" is not
    } else {
      // As in a shell, * and ? do not match a leading dot: .mcp.json is no result.
      const bool open = first.front() == '*' || first.front() == '?';
      files.push_back("/" + (open ? "[!.]" + first.substr(first.front() == '?' ? 1 : 0) : first));
    }
  }
  std::vector<CollectSource> sources;
  for (auto& [name, below] : folders) {
    CollectSource source;
    source.remote_folder = std::string(kRemoteProject) + "/" + name;
    source.local_folder = project / name;
    source.among_own = name != "results" && name != "logs";
    if (std::ranges::find(below, "") == below.end()) source.patterns = std::move(below);
    sources.push_back(std::move(source));
  }
  if (!files.empty()) {
    CollectSource source;
    source.remote_folder = kRemoteProject;
    source.local_folder = project;
    source.recursive = false;
    source.among_own = true;
    source.patterns = std::move(files);
    sources.push_back(std::move(source));
  }
  return sources;
}

Result<void> remember_paths(const Deps& d, const Rental& rental, const std::vector<std::string>& paths) {
  if (paths.empty()) return {};
  auto before = remembered_paths(d, rental);
  if (!before) return fail(std::move(before).error());
  const bool known = std::ranges::all_of(
      paths, [&](const std::string& p) { return std::ranges::find(*before, p) != before->end(); });
  return known ? Result<void>()
               : d.ledger.add_event({d.clock.now(), kEvent, rental.label, {{"paths", paths}}});
}

Result<std::vector<std::string>> remembered_paths(const Deps& d, const Rental& rental) {
  auto events = d.ledger.events(rental.label);
  if (!events) return fail(std::move(events).error());
  std::vector<std::string> paths;
  for (const LedgerEvent& e : *events) {
    if (e.kind != kEvent || !e.detail.is_object() || !e.detail.contains("paths")) continue;
    for (const json& path : e.detail["paths"])
      if (path.is_string()) add_new(paths, path.get<std::string>());
  }
  for (const std::string& path : read_project_settings(rental.project).results) add_new(paths, path);
  return paths;
}

}  // namespace vastgpu
