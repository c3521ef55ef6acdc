#include "remote/local_tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/text.h"
#include "remote/globs.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostEntries =
    200'000;  // a project has thousands; more is a data set that nobody excluded

class Walk {
 public:
  Walk(fs::path root, const SyncRules& rules, std::stop_token stop)
      : root_(std::move(root)),
        rules_(rules),
        include_(without_any_folder(rules.include)),
        exclude_(rules.exclude),
        stop_(std::move(stop)) {}

  Result<LocalTree> run() {
    std::vector<std::string> folders{""};  // still to be entered, relative
    while (!folders.empty()) {
      const std::string folder = std::move(folders.back());
      folders.pop_back();
      if (auto entered = enter(folder, folders); !entered) return fail(std::move(entered).error());
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

  Result<void> enter(const std::string& folder, std::vector<std::string>& folders) {
    std::error_code bad;
    fs::directory_iterator at(root_ / folder, bad);
    if (bad) {
      leave_out(folder.empty() ? "." : folder, "cannot be read: " + bad.message());
      return {};
    }
    for (; at != fs::directory_iterator(); at.increment(bad)) {
      if (stop_.stop_requested())
        return fail(
            {.code = Code::cancelled, .what = "stopped on request", .next_step = "call again to go on"});
      if (++seen_ > kMostEntries)
        return fail({.code = Code::invalid_argument,
                     .what = text(root_.string(), " holds more than ", kMostEntries, " files and folders"),
                     .next_step = "exclude the folders with data"});
      const std::string name = at->path().filename().string();
      const std::string path = folder.empty() ? name : folder + "/" + name;
      struct stat info {};
      if (::lstat(at->path().c_str(), &info) != 0) {
        leave_out(path, std::string("cannot be read: ") + std::strerror(errno));
      } else if (S_ISDIR(info.st_mode)) {
        if (!exclude_.matches_folder(path)) folders.push_back(path);
      } else {
        look_at(path, at->path(), info);
      }
    }
    if (bad) leave_out(folder.empty() ? "." : folder, "cannot be read to its end: " + bad.message());
    return {};
  }

  void look_at(const std::string& path, const fs::path& full, struct stat info) {
    if (exclude_.matches_file(path)) return;
    fs::path real = full;
    if (S_ISLNK(info.st_mode)) {
      if (::stat(full.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
        if (!exclude_.matches_folder(path)) leave_out(path, "is a link to a folder");
        return;
      }
      if (!include_.matches_file(path)) return;
      std::error_code bad;
      real = fs::canonical(full, bad);
      if (bad) return leave_out(path, "is a link to nothing");
      if (!is_inside(real)) return leave_out(path, "is a link that leads out of the folder");
    }
    if (!include_.matches_file(path)) return;
    if (!S_ISREG(info.st_mode)) return leave_out(path, "is not a file");
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size > rules_.max_file)
      return leave_out(path,
                       text(bytes(size), " is more than the ", bytes(rules_.max_file), " for one file"));
    tree_.files.push_back(
        {path, real, size, {info.st_mtim.tv_sec, info.st_mtim.tv_nsec}, info.st_mode & 0777});
    tree_.bytes += size;
  }

  bool is_inside(const fs::path& real) const {
    const auto [end, unused] = std::mismatch(root_.begin(), root_.end(), real.begin(), real.end());
    return end == root_.end();
  }

  void leave_out(const std::string& path, const std::string& why) {
    if (tree_.left_out.size() < 50) tree_.left_out.push_back(clean_line(path) + ": " + why);
  }

  fs::path root_;
  const SyncRules& rules_;
  Globs include_, exclude_;
  std::stop_token stop_;
  std::size_t seen_ = 0;
  LocalTree tree_;
};

Error too_much(const LocalTree& tree, std::uint64_t limit) {
  std::vector<const LocalFile*> largest;
  for (const LocalFile& f : tree.files) largest.push_back(&f);
  std::sort(largest.begin(), largest.end(), [](auto* a, auto* b) { return a->size > b->size; });
  largest.resize(std::min<std::size_t>(largest.size(), 5));
  std::vector<std::string> names;
  for (const LocalFile* f : largest) names.push_back(clean_line(f->path) + " (" + bytes(f->size) + ")");
  return {.code = Code::invalid_argument,
          .what = text("the code is ", bytes(tree.bytes), ", more than the ", bytes(limit),
                       " that may travel; the largest: ", join(names, ", ")),
          .next_step = "exclude what is not code"};
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
