// Which file is the plan.

#include <algorithm>
#include <set>

#include "analysis/amounts.h"
#include "analysis/plan.h"
#include "core/text.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPointerBytes = 400;
constexpr int kMaxPointers = 3;

/// The path in a file that holds little else: "See plans/v3.md", "-> [plan](../docs/plan.md)".
std::optional<std::string> pointed_at(std::string_view text) {
  text = trim(text);
  if (text.size() > kPointerBytes || std::ranges::count(text, '\n') > 8) return std::nullopt;
  for (const Amount& a : find_amounts(plain(text)))
    if (a.unit == Unit::gpu_hours || a.unit == Unit::hours) return std::nullopt;  // short, but a plan
  const std::string_view ends = " \t\n\r()[]<>`\"'|:,;*";
  std::optional<std::string> found;
  for (std::size_t at = text.find(".md"); at != std::string_view::npos; at = text.find(".md", at + 1)) {
    const std::size_t end = at + 3;
    if (end < text.size() && ends.find(text[end]) == std::string_view::npos && text[end] != '.' &&
        text[end] != '#')
      continue;
    const std::size_t cut = text.find_last_of(ends, at);
    found = std::string(text.substr(cut == std::string_view::npos ? 0 : cut + 1,
                                    end - (cut == std::string_view::npos ? 0 : cut + 1)));
  }
  return found;
}

bool leaves(const fs::path& path) { return path.empty() || path.is_absolute() || *path.begin() == ".."; }

/// EXPERIMENT_PLAN_20260612_101500.md, experiment-plan-v2.md: the newest name first.
std::vector<fs::path> dated_copies(ProjectFiles& files, const fs::path& folder) {
  std::vector<ProjectFiles::Found> copies;
  for (ProjectFiles::Found& f : files.find({".md"})) {
    if (f.path.parent_path() != folder) continue;
    std::string name = to_lower(f.path.filename().string());
    std::ranges::replace(name, '-', '_');
    if (name.starts_with("experiment_plan")) copies.push_back(std::move(f));
  }
  std::ranges::sort(copies, [](const auto& a, const auto& b) {
    const auto digits = [](const fs::path& p) {
      std::string d;
      for (const char c : p.filename().string())
        if (c >= '0' && c <= '9') d += c;
      return d;
    };
    const std::string da = digits(a.path), db = digits(b.path);
    // A date in the name says more than the file's own; a short number is a version.
    if (da.size() >= 8 && db.size() >= 8 && da != db) return da > db;
    if ((da.size() >= 8) != (db.size() >= 8)) return da.size() >= 8;
    if (a.changed != b.changed) return a.changed > b.changed;
    return a.path > b.path;
  });
  std::vector<fs::path> paths;
  for (const auto& f : copies) paths.push_back(f.path);
  if (paths.size() > 20) paths.resize(20);
  return paths;
}

/// The plan that starts at `at`, through files that only name another.
std::optional<Plan> follow(ProjectFiles& files, fs::path at, std::vector<std::string> notes) {
  std::set<fs::path> seen;
  for (int hops = 0; hops <= kMaxPointers; ++hops) {
    if (!seen.insert(at).second) break;
    const auto text = files.read(at);
    if (!text || trim(*text).empty()) return std::nullopt;
    const auto target = pointed_at(*text);
    if (!target) {
      Plan plan = parse_plan(*text, clean_line(at.generic_string()));
      plan.notes = std::move(notes);
      return plan;
    }
    const std::string from = clean_line(at.generic_string());
    fs::path next = (at.parent_path() / *target).lexically_normal();
    std::error_code ignored;
    if (leaves(next)) {
      files.warnings.push_back(from + " points out of the project: it was not followed");
      return std::nullopt;
    }
    // Beside the file that names it, else from the root.
    if (auto there = files.read(next); !there || next == at) {
      const fs::path root = fs::path(*target).lexically_normal();
      if (!leaves(root) && root != at) next = root;
    }
    notes.push_back(from + " points to " + clean_line(next.generic_string()) + ": that file was read");
    at = next;
  }
  files.warnings.push_back(clean_line(at.generic_string()) +
                           ": pointers lead in a circle or too far, no plan was read");
  return std::nullopt;
}

}  // namespace

Plan read_plan(ProjectFiles& files) {
  for (const char* folder : {"refine-logs", ""}) {
    const fs::path fixed = fs::path(folder) / "EXPERIMENT_PLAN.md";
    if (auto plan = follow(files, fixed, {})) return *std::move(plan);
    for (const fs::path& copy : dated_copies(files, folder)) {
      if (copy == fixed) continue;
      const std::string name = clean_line(copy.generic_string());
      if (auto plan =
              follow(files, copy,
                     {"there is no EXPERIMENT_PLAN.md in use: " + name + ", its newest copy, was read"}))
        return *std::move(plan);
    }
  }
  return {};
}

}  // namespace vastgpu
