#include "analysis/bounded_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
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

void ProjectFiles::list(const fs::path& start, int depth, int& entries, std::vector<Listed>& into) {
  struct Folder {
    std::string at;  // relative; empty for the project itself
    int depth;
  };
  std::deque<Folder> open{{start.string(), depth}};
  while (!open.empty()) {
    const Folder folder = std::move(open.front());
    open.pop_front();
    const std::string prefix = folder.at.empty() ? "" : folder.at + "/";
    const std::size_t first = into.size();
    std::vector<std::string> below;
    std::error_code bad;
    for (fs::directory_iterator it(root_ / folder.at, bad), end; !bad && it != end; it.increment(bad)) {
      if (++entries > kMaxEntries) {
        warn("the project has more files than are looked at: only some were read");
        return;
      }
      std::error_code odd;
      const std::string name = it->path().filename().string();
      const auto kind = it->symlink_status(odd).type();
      if (kind == fs::file_type::directory) {
        if (folder.depth < kMaxDepth && !is_skipped_folder(name)) below.push_back(prefix + name);
      } else if (kind == fs::file_type::regular || kind == fs::file_type::symlink) {
        into.push_back({prefix + name, kind == fs::file_type::symlink});
      }
    }
    std::sort(into.begin() + static_cast<std::ptrdiff_t>(first), into.end(),
              [](const Listed& a, const Listed& b) { return a.path < b.path; });
    std::ranges::sort(below);
    for (std::string& path : below) open.push_back({std::move(path), folder.depth + 1});
  }
}

std::vector<ProjectFiles::Found> ProjectFiles::matching(const std::vector<Listed>& files,
                                                        std::initializer_list<std::string_view> endings) {
  std::vector<Found> found;
  for (const Listed& file : files) {
    if (!std::ranges::any_of(endings, [&](std::string_view e) { return file.path.ends_with(e); })) continue;
    if (static_cast<int>(found.size()) >= kMaxFiles) {
      warn("the project has more files than are looked at: only some were read");
      break;
    }
    struct stat info {};
    Found f{file.path, fs::file_time_type::min(), 0};
    // A link that leads nowhere stays in the list: reading it says so.
    if (::stat((root_ / file.path).c_str(), &info) == 0) {
      if (!S_ISREG(info.st_mode)) continue;
      f.changed = std::chrono::file_clock::from_sys(std::chrono::sys_time<std::chrono::nanoseconds>(
          std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec)));
      f.bytes = static_cast<std::size_t>(info.st_size);
    }
    found.push_back(std::move(f));
  }
  return found;
}

std::vector<ProjectFiles::Found> ProjectFiles::find(std::initializer_list<std::string_view> endings) {
  if (root_.empty()) return {};
  if (!listing_) {
    int entries = 0;
    list({}, 0, entries, listing_.emplace());
  }
  return matching(*listing_, endings);
}

std::vector<ProjectFiles::Found> ProjectFiles::find_in(const fs::path& folder,
                                                       std::initializer_list<std::string_view> endings) {
  std::error_code bad;
  if (root_.empty() || fs::symlink_status(root_ / folder, bad).type() != fs::file_type::directory) return {};
  std::vector<Listed> files;
  int entries = kMaxEntries - 5'000;
  list(folder, kMaxDepth - 2, entries, files);
  return matching(files, endings);
}

bool ProjectFiles::has(const fs::path& relative) const {
  if (root_.empty() || relative.empty()) return false;
  std::error_code bad;
  const fs::path resolved = fs::canonical(root_ / relative, bad);
  return !bad && lies_within(root_, resolved) && fs::is_regular_file(resolved, bad);
}

std::uint64_t ProjectFiles::bytes_below(const fs::path& folder) const {
  std::uint64_t sum = 0;
  std::error_code bad;
  if (root_.empty() || fs::symlink_status(root_ / folder, bad).type() != fs::file_type::directory) return 0;
  int entries = 0;
  for (fs::recursive_directory_iterator
           it(root_ / folder, fs::directory_options::skip_permission_denied, bad),
       end;
       !bad && it != end && ++entries <= 20'000; it.increment(bad)) {
    struct stat info {};
    if (it.depth() > 8) it.disable_recursion_pending();
    if (::lstat(it->path().c_str(), &info) == 0 && S_ISREG(info.st_mode))
      sum += static_cast<std::uint64_t>(info.st_size);
  }
  return sum;
}

}  // namespace vastgpu
