#include "remote/local_tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>

#include "core/files.h"
#include "core/text.h"
#include "remote/globs.h"
#include "remote/ignore_rules.h"
#include "remote/secrets.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;
using Verdict = IgnoreFile::Verdict;

// A project has thousands; more is a data set of small files, which travels better as an archive.
constexpr std::size_t kMostEntries = 200'000;
constexpr std::size_t kMostNamed = 50;
constexpr std::size_t kLargestRules = 1 << 20;

/// The .gitignore files from one folder up to the root, deepest first.
struct Level {
  IgnoreFile rules;
  std::string folder;
  std::shared_ptr<const Level> up;
};

struct Folder {
  std::string path;
  std::shared_ptr<const Level> rules = {};
  bool only_wanted = false;  ///< excluded, but .vastignore wants something below it
  bool whole = false;        ///< .vastignore wants all of it
  std::string whole_from = {};
};

class Walk {
 public:
  Walk(fs::path root, const SyncRules& rules, std::stop_token stop)
      : root_(std::move(root)),
        rules_(rules),
        include_(without_any_folder(rules.include)),
        exclude_(rules.exclude),
        stop_(std::move(stop)) {}

  Result<LocalTree> run() {
    tree_.root = root_;
    if (rules_.ignore_files) own_.emplace(rules_file(".vastignore").value_or(""), "");
    std::vector<Folder> folders{{""}};  // still to be entered
    while (!folders.empty()) {
      Folder folder = std::move(folders.back());
      folders.pop_back();
      if (auto entered = enter(std::move(folder), folders); !entered) return fail(std::move(entered).error());
    }
    std::sort(tree_.files.begin(), tree_.files.end(),
              [](const LocalFile& a, const LocalFile& b) { return a.path < b.path; });
    return std::move(tree_);
  }

 private:
  static std::vector<std::string> without_any_folder(std::vector<std::string> patterns) {
    std::erase(patterns, "*/");
    return patterns;
  }

  /// Links are no rules: git does not follow them either.
  std::optional<std::string> rules_file(const std::string& path) {
    struct stat info {};
    if (::lstat((root_ / path).c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
    auto content = read_file(root_ / path, kLargestRules);
    if (content) return *std::move(content);
    leave_out(path, "could not be read, so nothing was left out by it");
    return std::nullopt;
  }

  Result<void> enter(Folder folder, std::vector<Folder>& folders) {
    if (rules_.ignore_files && !folder.only_wanted)
      if (auto content = rules_file(join_path(folder.path, ".gitignore")))
        folder.rules = std::make_shared<const Level>(
            Level{IgnoreFile(*content, folder.path), folder.path, folder.rules});
    std::error_code bad;
    fs::directory_iterator at(root_ / folder.path, bad);
    if (bad) {
      miss(folder.path.empty() ? "." : folder.path, "cannot be read: " + bad.message());
      return {};
    }
    for (; at != fs::directory_iterator(); at.increment(bad)) {
      if (stop_.stop_requested())
        return fail(
            {.code = Code::cancelled, .what = "stopped on request", .next_step = "call again to go on"});
      if (++seen_ > kMostEntries)
        return fail({.code = Code::invalid_argument,
                     .what = text(root_.string(), " holds more than ", kMostEntries, " files and folders"),
                     .next_step = "exclude the folders with data, or pack small files into an archive"});
      const std::string path = join_path(folder.path, at->path().filename().string());
      struct stat info {};
      if (::lstat(at->path().c_str(), &info) != 0) {
        miss(path, std::string("cannot be read: ") + std::strerror(errno));
      } else if (S_ISDIR(info.st_mode)) {
        look_at_folder(path, folder, folders);
      } else {
        look_at_file(path, at->path(), info, folder);
      }
    }
    if (bad) miss(folder.path.empty() ? "." : folder.path, "cannot be read to its end: " + bad.message());
    return {};
  }

  static std::string join_path(const std::string& folder, const std::string& name) {
    return folder.empty() ? name : folder + "/" + name;
  }
  static std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

  bool git_ignores(const std::string& path, bool is_folder, const Folder& in) const {
    for (const Level* level = in.rules.get(); level != nullptr; level = level->up.get()) {
      // A folder that .vastignore wants listens only to the rules inside it.
      if (in.whole && level->folder.size() < in.whole_from.size()) return false;
      const Verdict v = level->rules.verdict(path, is_folder);
      if (v != Verdict::silent) return v == Verdict::ignored;
    }
    return false;
  }
  Verdict own_verdict(const std::string& path, bool is_folder) const {
    return own_ ? own_->verdict(path, is_folder) : Verdict::silent;
  }

  void look_at_folder(const std::string& path, const Folder& in, std::vector<Folder>& folders) {
    if (!rules_.recursive) return;
    const Verdict own = own_verdict(path, true);
    if (may_hold_secrets(last_part(path), true)) {
      ++tree_.stayed.secrets;
      if (own == Verdict::wanted) leave_out(path, "may hold secrets, which never travel");
      return;
    }
    Folder next{path, in.rules, in.only_wanted, in.whole, in.whole_from};
    if (own == Verdict::wanted) {
      next.only_wanted = false;
      next.whole = true;
      next.whole_from = path;
    } else if (own == Verdict::ignored) {
      ++tree_.stayed.by_ignore_files;
      return;
    } else {
      const bool by_git = !in.only_wanted && git_ignores(path, true, in);
      const bool by_rules = !in.whole && exclude_.matches_folder(path);
      if (by_git || by_rules || in.only_wanted) {
        if (!own_ || !own_->wants_below(path)) {
          ++(by_rules ? tree_.stayed.by_rules : tree_.stayed.by_ignore_files);
          return;
        }
        next.only_wanted = true;
        next.whole = false;
      }
    }
    folders.push_back(std::move(next));
  }

  void look_at_file(const std::string& path, const fs::path& full, struct stat info, const Folder& in) {
    const Verdict own = own_verdict(path, false);
    const bool by_globs = include_.matches_file(path) && !exclude_.matches_file(path);
    if (may_hold_secrets(last_part(path), false)) {
      ++tree_.stayed.secrets;
      if (own == Verdict::wanted || in.whole || (by_globs && !in.only_wanted))
        leave_out(path, "may hold secrets, which never travel");
      return;
    }
    if (own != Verdict::wanted) {
      std::error_code bad;
      if (own == Verdict::ignored || in.only_wanted || git_ignores(path, false, in)) {
        ++tree_.stayed.by_ignore_files;
        return;
      }
      const bool is_link_to_folder = S_ISLNK(info.st_mode) && fs::is_directory(full, bad);
      if (!in.whole && !by_globs && !(is_link_to_folder && !exclude_.matches_folder(path))) {
        ++tree_.stayed.by_rules;
        return;
      }
    }
    take(path, full, info);
  }

  void take(const std::string& path, const fs::path& full, struct stat info) {
    std::string link;
    if (S_ISLNK(info.st_mode)) {
      if (::stat(full.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
        if (!exclude_.matches_folder(path)) leave_out(path, "is a link to a folder");
        return;
      }
      std::error_code bad;
      const fs::path real = fs::canonical(full, bad);
      if (bad) return leave_out(path, "is a link to nothing");
      if (!is_inside(real)) return leave_out(path, "is a link that leads out of the folder");
      if (may_hold_secrets(real.filename().string(), false))
        return leave_out(path, "is a link to a file that may hold secrets");
      link = real.string();
    }
    if (!S_ISREG(info.st_mode)) return leave_out(path, "is not a file");
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size > rules_.max_file)
      return miss(path, text(bytes(size), " is more than the ", bytes(rules_.max_file), " for one file"));
    tree_.files.push_back(
        {path, std::move(link), size, {info.st_mtim.tv_sec, info.st_mtim.tv_nsec}, info.st_mode & 0777});
    tree_.bytes += size;
  }

  bool is_inside(const fs::path& real) const {
    const auto [end, unused] = std::mismatch(root_.begin(), root_.end(), real.begin(), real.end());
    return end == root_.end();
  }

  void leave_out(const std::string& path, const std::string& why) {
    if (tree_.stayed.named.size() < kMostNamed) tree_.stayed.named.push_back(clean_line(path) + ": " + why);
  }
  /// It would belong there: nothing may be concluded from its absence.
  void miss(const std::string& path, const std::string& why) {
    tree_.stayed.missed = true;
    leave_out(path, why);
  }

  fs::path root_;
  const SyncRules& rules_;
  Globs include_, exclude_;
  std::optional<IgnoreFile> own_;
  std::stop_token stop_;
  std::size_t seen_ = 0;
  LocalTree tree_;
};

/// The five largest, "a/b.bin (1.2 GB)".
std::string largest(const std::map<std::string, std::uint64_t>& sizes) {
  std::vector<std::pair<std::uint64_t, std::string>> order;
  for (const auto& [name, size] : sizes) order.emplace_back(size, name);
  const auto end = order.begin() + static_cast<long>(std::min<std::size_t>(5, order.size()));
  std::partial_sort(order.begin(), end, order.end(), std::greater<>());
  std::vector<std::string> names;
  for (auto at = order.begin(); at != end; ++at)
    names.push_back(clean_line(at->second) + " (" + bytes(at->first) + ")");
  return join(names, ", ");
}

Error too_much(const LocalTree& tree, std::uint64_t limit) {
  std::map<std::string, std::uint64_t> files, folders;
  for (const LocalFile& f : tree.files) {
    files[f.path] = f.size;
    for (std::size_t slash = f.path.find('/'); slash != std::string::npos;
         slash = f.path.find('/', slash + 1))
      folders[f.path.substr(0, slash + 1)] += f.size;
  }
  return {.code = Code::invalid_argument,
          .what = text(clean_line(tree.root.string()), ": ", bytes(tree.bytes), " in ", tree.files.size(),
                       " files would travel, more than the limit of ", bytes(limit), "; the largest files: ",
                       largest(files), folders.empty() ? "" : "; the largest folders: " + largest(folders)),
          .next_step = "exclude what is not needed there by .vastignore, or confirm with max_upload_gb"};
}

}  // namespace

Result<LocalTree> walk_tree(const fs::path& root, const SyncRules& rules, std::stop_token stop) {
  std::error_code bad;
  const fs::path real = fs::canonical(root, bad);
  if (bad || !fs::is_directory(real, bad))
    return fail({.code = Code::invalid_argument,
                 .what = root.string() + " is not a folder",
                 .next_step = "name the project's folder"});
  auto tree = Walk(real, rules, std::move(stop)).run();
  if (tree && tree->bytes > rules.max_total) return fail(too_much(*tree, rules.max_total));
  return tree;
}

}  // namespace vastgpu
