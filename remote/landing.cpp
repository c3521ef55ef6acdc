#include "remote/landing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/crash_point.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr time_t kLeftoverAge = 3600;         // seconds untouched: whoever wrote it is gone
constexpr time_t kResumableAge = 7 * 86'400;  // a machine that was not asked for a week is over

std::optional<std::string> hash_of(int folder, const std::string& name, const std::stop_token& stop = {}) {
  const Fd fd(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  Sha256 digest;
  std::array<char, 128 * 1024> buffer;
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 || stop.stop_requested()) return std::nullopt;
    if (n == 0) return digest.end();
    digest.add({buffer.data(), static_cast<std::size_t>(n)});
  }
}

/// "20261121T090128Z": when the file was last changed, so that its name tells how old it is.
std::string stamp(time_t when) {
  std::tm utc{};
  ::gmtime_r(&when, &utc);
  char out[32];
  std::strftime(out, sizeof out, "%Y%m%dT%H%M%SZ", &utc);
  return out;
}

/// Between looking at a name and taking it, nobody else of ours does: two rentals of one project bring the
/// same names. For this alone the folder is opened again, since a lock belongs to an opening and threads
/// that share one do not shut each other out.
class FolderLock {
 public:
  explicit FolderLock(const Fd& folder)
      : own_(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    // Disks that know no locks are as good as they were.
    while (own_ && ::flock(own_.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
  }

 private:
  Fd own_;
};

std::string leaf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// Renames what stands there. @return its new name
Result<std::string> set_aside(const Fd& folder, const std::string& name, const struct stat& old) {
  const std::string base = name.substr(0, 200) + ".before-" + stamp(old.st_mtim.tv_sec);
  const CrashPoints crash("disk");
  for (int n = 1; n < 1000; ++n) {
    const std::string to = n == 1 ? base : text(base, "-", n);
    if (::renameat2(folder.get(), name.c_str(), folder.get(), to.c_str(), RENAME_NOREPLACE) == 0) return to;
    if (errno == EEXIST) continue;
    if (errno != EINVAL) return fail(cannot_on_disk("cannot keep the old", name, errno));
    // A file system without that flag: look first.
    struct stat other {};
    if (::fstatat(folder.get(), to.c_str(), &other, AT_SYMLINK_NOFOLLOW) == 0) continue;
    if (::renameat(folder.get(), name.c_str(), folder.get(), to.c_str()) == 0) return to;
    return fail(cannot_on_disk("cannot keep the old", name, errno));
  }
  return fail(cannot_on_disk("cannot keep the old", name, EEXIST));
}

}  // namespace

bool is_leftover(std::string_view name, std::int64_t unchanged) {
  return name.starts_with(kPartPrefix) &&
         unchanged > (name.starts_with(kResumablePrefix) ? kResumableAge : kLeftoverAge);
}

std::optional<std::string> objection_to(std::string_view path) {
  if (path.empty()) return "an empty name";
  if (path.size() > 4096) return "a path longer than 4096 bytes";
  if (path.front() == '/') return "an absolute path";
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") return "an empty part in its path";
    if (part == "..") return "a path that leads upwards";
    if (part.size() > 255) return "a name longer than 255 bytes";
    if (to_lower(part) == ".git") return "a path into .git";
    if (part.starts_with(kPartPrefix)) return "a name that is ours";
  }
  // clean() takes out control characters, escapes, direction marks and what is not UTF-8.
  if (path.find_first_of("\n\t") != std::string_view::npos || clean(path, 8192) != path)
    return "control characters or invisible ones in its name";
  return std::nullopt;
}

Result<std::shared_ptr<const Fd>> Landing::folder_of(const std::string& path, bool make) {
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  if (last_folder_ && folder == last_) return last_folder_;
  if (!root_) {
    if (make) {
      const CrashPoints crash("disk");
      std::error_code bad;
      std::filesystem::create_directories(path_, bad);
    }
    root_ =
        Fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));  // the user's own path may hold links
    if (!root_) return fail(cannot_on_disk("cannot open", path_.string(), errno));
  }
  Fd at(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
  if (!at) return fail(cannot_on_disk("cannot open", path_.string(), errno));
  for (std::size_t from = 0, slash = path.find('/'); slash != std::string::npos;
       from = slash + 1, slash = path.find('/', from)) {
    const std::string part = path.substr(from, slash - from);
    std::optional<CrashPoints> crash;
    if (make) crash.emplace("disk");
    if (make && ::mkdirat(at.get(), part.c_str(), 0777) != 0 && errno != EEXIST)
      return fail(cannot_on_disk("cannot make", (path_ / path.substr(0, slash)).string(), errno));
    Fd next(::openat(at.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return fail(cannot_on_disk("cannot enter", (path_ / path.substr(0, slash)).string(), errno));
    at = std::move(next);
  }
  last_ = folder;
  last_folder_ = std::make_shared<const Fd>(std::move(at));
  return last_folder_;
}

bool Landing::has(const std::string& path, std::uint64_t size) {
  auto folder = folder_of(path, false);
  if (!folder) return false;
  struct stat info {};
  return ::fstatat((*folder)->get(), leaf(path).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) == size;
}

std::optional<std::string> Landing::hash_if_size(const std::string& path, std::uint64_t size,
                                                 const std::stop_token& stop) {
  if (!has(path, size)) return std::nullopt;
  auto folder = folder_of(path, false);
  return folder ? hash_of((*folder)->get(), leaf(path), stop) : std::nullopt;
}

void Landing::rely_on(const std::string& path) {
  struct stat info {};
  if (auto folder = folder_of(path, false);
      folder && ::fstatat((*folder)->get(), leaf(path).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0)
    relied_on_.insert({info.st_dev, info.st_ino});
}

Result<Landing::Part> Landing::begin(const std::string& path) {
  auto folder = folder_of(path, true);
  if (!folder) return fail(std::move(folder).error());
  const CrashPoints crash("disk");
  Part part;
  part.folder_ = *std::move(folder);
  part.name_ = leaf(path);
  part.temporary_ = std::string(kPartPrefix) + random_hex(8);
  part.file_ = Fd(::openat(part.folder_->get(), part.temporary_.c_str(),
                           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!part.file_) return fail(cannot_on_disk("cannot create", (path_ / path).string(), errno));
  part.digest_.emplace();
  remove_leftovers(part.folder_, path, part.file_);
  return part;
}

Result<std::unique_ptr<PartFile>> Landing::resume(const std::string& path, std::uint64_t size,
                                                  FileTime changed) {
  auto folder = folder_of(path, true);
  if (!folder) return fail(std::move(folder).error());
  auto part = PartFile::open(*folder, leaf(path), size, changed, owner_);
  if (part) remove_leftovers(*folder, path, (*part)->file());
  return part;
}

std::uint64_t Landing::begun(const std::string& path, std::uint64_t size, FileTime changed) {
  auto folder = folder_of(path, false);
  if (!folder) return 0;
  struct stat info {};
  const std::string name = PartFile::name_of(owner_ + leaf(path), size, changed);
  const bool there = ::fstatat((*folder)->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
  return there ? std::min(size, static_cast<std::uint64_t>(info.st_blocks) * 512) : 0;
}

void Landing::remove_leftovers(const std::shared_ptr<const Fd>& folder, const std::string& path,
                               const Fd& newest) {
  if (!swept_.insert(path.substr(0, path.rfind('/') + 1)).second) return;
  // The time of its last change is this disk's idea of now. Not the time of the content: a part that is
  // whole and waits for its name has that of the machine already.
  struct stat now {};
  if (::fstat(newest.get(), &now) != 0) return;
  const int copy = ::openat(folder->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return;
  DIR* list = ::fdopendir(copy);
  if (list == nullptr) {
    ::close(copy);
    return;
  }
  while (const dirent* entry = ::readdir(list)) {
    struct stat info {};
    const std::string_view name = entry->d_name;
    if (name.starts_with(kPartPrefix) && ::fstatat(copy, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(info.st_mode) && is_leftover(name, now.st_ctim.tv_sec - info.st_ctim.tv_sec))
      ::unlinkat(copy, entry->d_name, 0);
  }
  ::closedir(list);
}

std::optional<std::uint64_t> Landing::free_bytes() const {
  std::error_code bad;
  for (auto at = std::filesystem::absolute(path_, bad); !at.empty(); at = at.parent_path()) {
    struct statvfs info {};
    if (::statvfs(at.c_str(), &info) == 0) return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
    if (at == at.root_path()) break;
  }
  return std::nullopt;
}

Landing::Part::~Part() {
  if (folder_ && !temporary_.empty()) ::unlinkat(folder_->get(), temporary_.c_str(), 0);
}

Result<void> Landing::Part::write(std::string_view piece) {
  digest_->add(piece);
  size_ += piece.size();
  const CrashPoints crash("disk");
  while (!piece.empty()) {
    const ssize_t n = ::write(file_.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(cannot_on_disk("cannot write", name_, errno));
    piece.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::string> Landing::Part::close(FileTime changed) {
  const timespec times[] = {{0, UTIME_OMIT}, {static_cast<time_t>(changed.seconds), changed.nanoseconds}};
  ::futimens(file_.get(), times);
  if (::close(file_.release()) != 0) return fail(cannot_on_disk("cannot write", name_, errno));
  return digest_->end();
}

Result<LandedName> Landing::place(Part& part, const std::string& known, const SpareName& elsewhere) {
  auto placed = place(Waiting{*part.folder_, part.temporary_, part.name_}, known, elsewhere);
  if (placed) part.temporary_.clear();
  return placed;
}

Result<LandedName> Landing::place(PartFile& part, const std::string& known, const SpareName& elsewhere) {
  auto placed = place(Waiting{part.folder(), part.temporary(), part.name()}, known, elsewhere);
  if (placed) part.placed();
  return placed;
}

Result<LandedName> Landing::place(const Waiting& part, const std::string& known, const SpareName& elsewhere) {
  auto placed = place_in(part.folder, part.name, part, known, elsewhere);
  if (!placed || !placed->elsewhere) return placed;
  auto folder = folder_of(elsewhere.path, true);
  if (!folder) return fail(std::move(folder).error());
  placed = place_in(**folder, leaf(elsewhere.path), part, known, {});
  if (placed) placed->elsewhere = true;
  return placed;
}

Result<LandedName> Landing::place_in(const Fd& folder, const std::string& name, const Waiting& part,
                                     const std::string& known, const SpareName& elsewhere) {
  const FolderLock alone(folder);
  LandedName placed;
  struct stat old {
  }, now{};
  if (::fstatat(folder.get(), name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISDIR(old.st_mode))
      return fail(cannot_on_disk("cannot write", name + ": a folder has that name", EISDIR));
    if (relied_on_.contains({old.st_dev, old.st_ino}))
      return fail({.code = Code::unavailable,
                   .what = "on this disk its name is the same as that of another result",
                   .next_step = "rename one of the two on the machine and collect again"});
    std::optional<std::string> hash;
    if (S_ISREG(old.st_mode) && (elsewhere.keeps || !known.empty())) hash = hash_of(folder.get(), name);
    const bool ours = !known.empty() && hash == known;
    if (elsewhere.keeps && elsewhere.keeps(hash.value_or(""), ours)) return LandedName{.elsewhere = true};
    if (!ours) {
      auto moved = set_aside(folder, name, old);
      if (!moved) return fail(std::move(moved).error());
      placed.kept = *std::move(moved);
    }
  }
  const CrashPoints crash("disk");
  if (::renameat(part.folder.get(), part.temporary.c_str(), folder.get(), name.c_str()) != 0)
    return fail(cannot_on_disk("cannot rename to", name, errno));
  if (::fstatat(folder.get(), name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0)
    relied_on_.insert({now.st_dev, now.st_ino});
  return placed;
}

Result<void> Landing::sync() {
  if (root_ && ::syncfs(root_.get()) != 0) return fail(cannot_on_disk("cannot sync", path_.string(), errno));
  return {};
}

}  // namespace vastgpu
