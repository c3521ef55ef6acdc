#include "analysis/bounded_files.h"

#include <algorithm>
#include <array>
#include <deque>

#include "core/files.h"
#include "core/text.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

bool is_skipped_folder(const std::string& name) {
  constexpr auto kSkipped = std::to_array<std::string_view>(
      {"node_modules", "venv", "env", "data", "datasets", "wandb", "outputs", "checkpoints", "__pycache__",
       "site-packages", "results", "logs", "build", "dist"});
  return name.starts_with('.') || std::ranges::find(kSkipped, name) != kSkipped.end();
}

bool lies_within(const fs::path& root, const fs::path& resolved) {
  const auto [at, unused] = std::mismatch(root.begin(), root.end(), resolved.begin(), resolved.end());
  return at == root.end();
}

}  // namespace

ProjectFiles::ProjectFiles(const fs::path& project) {
  std::error_code bad;
  root_ = fs::canonical(project, bad);
  if (!bad && fs::is_directory(root_, bad)) return;
  root_.clear();
  warn(clean_line(project.string()) + " is not a folder that can be read");
}

void ProjectFiles::warn(std::string what) {
  if (std::ranges::find(warnings, what) == warnings.end()) warnings.push_back(std::move(what));
}

std::optional<std::string> ProjectFiles::read(const fs::path& relative) {
  if (root_.empty()) return std::nullopt;
  const std::string name = clean_line(relative.string());
  const auto refuse = [&](const std::string& why) {
    warn(name + " was skipped: " + why);
    return std::nullopt;
  };

  std::error_code bad;
  const fs::path at = root_ / relative;
  const bool is_link = fs::is_symlink(fs::symlink_status(at, bad));
  const fs::path resolved = fs::canonical(at, bad);
  if (bad) return is_link ? refuse("it is a link that leads nowhere") : std::nullopt;
  if (!lies_within(root_, resolved)) return refuse("it leads out of the project");
  if (fs::is_directory(resolved, bad)) return refuse("it is a folder");

  auto raw = read_file(resolved, kMaxFileBytes);
  if (!raw)
    return refuse(raw.error().code == Code::invalid_argument ? "it is no regular file of up to 2 MB"
                                                             : "it cannot be read");
  if (total_bytes_ + raw->size() > kMaxTotalBytes) return refuse("20 MB of other files were read already");
  total_bytes_ += raw->size();
  if (raw->find('\0') != std::string::npos) return refuse("it is binary");

  std::string_view text = *raw;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string cleaned = clean(text, text.size() * 3 + 1);  // a broken byte grows to three: never cut here
  if (cleaned.find("\xEF\xBF\xBD") != std::string::npos &&
      text.find("\xEF\xBF\xBD") == std::string_view::npos)
    warn(name + " is not valid UTF-8: the broken bytes were ignored");
  return cleaned;
}

std::vector<ProjectFiles::Found> ProjectFiles::find(std::initializer_list<std::string_view> endings) {
  std::vector<Found> found;
  if (root_.empty()) return found;
  struct Folder {
    fs::path at;
    int depth;
  };
  std::deque<Folder> open{{root_, 0}};
  int entries = 0;
  while (!open.empty()) {
    const Folder folder = std::move(open.front());
    open.pop_front();
    std::error_code bad;
    const std::size_t first = found.size();
    std::vector<fs::path> below;
    for (fs::directory_iterator it(folder.at, bad), end; !bad && it != end; it.increment(bad)) {
      if (++entries > kMaxEntries || static_cast<int>(found.size()) >= kMaxFiles) {
        warn("the project has more files than are looked at: only some were read");
        return found;
      }
      std::error_code odd;
      const std::string name = it->path().filename().string();
      const auto kind = it->symlink_status(odd).type();
      if (kind == fs::file_type::directory) {
        if (folder.depth < kMaxDepth && !is_skipped_folder(name)) below.push_back(it->path());
        continue;
      }
      const bool wanted = std::ranges::any_of(endings, [&](std::string_view e) { return name.ends_with(e); });
      if (!wanted || (kind != fs::file_type::regular && kind != fs::file_type::symlink)) continue;
      const auto changed = it->last_write_time(odd);
      found.push_back({it->path().lexically_relative(root_), odd ? fs::file_time_type::min() : changed});
    }
    std::sort(found.begin() + static_cast<std::ptrdiff_t>(first), found.end(),
              [](const Found& a, const Found& b) { return a.path < b.path; });
    std::ranges::sort(below);
    for (fs::path& path : below) open.push_back({std::move(path), folder.depth + 1});
  }
  return found;
}

}  // namespace vastgpu
