#include "state/disk.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "core/crash_point.h"
#include "core/fd.h"
#include "core/files.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

Error disk_error(const std::string& what, const fs::path& path, int number) {
  return {.code = number == ENOENT ? Code::not_found : Code::unavailable,
          .what = what + " " + path.string() + ": " + std::strerror(number),
          .next_step = number == ENOSPC ? "free some disk space" : "check the path and its permissions"};
}

Result<void> sync_path(const fs::path& path, int flags) {
  const Fd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd) return fail(disk_error("cannot open", path, errno));
  // EINVAL: a file system that has no such thing for folders; there is nothing more that anyone could do.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return fail(disk_error("cannot sync", path, errno));
  return {};
}

class RealDisk : public Disk {
 public:
  Result<std::string> read(const fs::path& path, std::size_t max_bytes) override {
    return read_file(path, max_bytes);
  }

  std::optional<unsigned> mode(const fs::path& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return std::nullopt;
    return info.st_mode & 0777U;
  }

  Result<fs::path> resolve(const fs::path& path) override {
    fs::path at = path;
    std::error_code bad;
    for (int hops = 0; hops < 40; ++hops) {  // the kernel's own limit
      const fs::path folder = fs::canonical(at.has_parent_path() ? at.parent_path() : fs::path("."), bad);
      if (bad) return fail(disk_error("cannot enter", at.parent_path(), bad.value()));
      at = folder / at.filename();
      if (!fs::is_symlink(fs::symlink_status(at, bad))) return at;
      const fs::path next = fs::read_symlink(at, bad);
      if (bad) return fail(disk_error("cannot follow", at, bad.value()));
      at = next.is_absolute() ? next : folder / next;
    }
    return fail(disk_error("cannot follow", path, ELOOP));
  }

  Result<void> write(const fs::path& path, std::string_view content, std::optional<unsigned> mode) override {
    const CrashPoints crash("disk");
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd) return fail(disk_error("cannot create", path, errno));
    if (mode && ::fchmod(fd.get(), static_cast<mode_t>(*mode)) != 0)  // open() alone would apply the umask
      return fail(disk_error("cannot set the permissions of", path, errno));
    while (!content.empty()) {
      const ssize_t n = ::write(fd.get(), content.data(), content.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(disk_error("cannot write", path, errno));
      content.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

  Result<void> sync(const fs::path& path) override { return sync_path(path, O_RDONLY); }
  Result<void> sync_dir(const fs::path& folder) override { return sync_path(folder, O_RDONLY | O_DIRECTORY); }

  Result<void> rename(const fs::path& from, const fs::path& to) override {
    const CrashPoints crash("disk");
    if (::rename(from.c_str(), to.c_str()) != 0) return fail(disk_error("cannot replace", to, errno));
    return {};
  }

  Result<bool> rename_new(const fs::path& from, const fs::path& to) override {
    const CrashPoints crash("disk");
    // Works on every file system with hard links and never replaces; the rest gets a look and a rename.
    if (::link(from.c_str(), to.c_str()) == 0) {
      ::unlink(from.c_str());
      return true;
    }
    if (errno == EEXIST) return false;
    if (errno != EPERM && errno != ENOTSUP && errno != ENOSYS)
      return fail(disk_error("cannot create", to, errno));
    if (mode(to)) return false;
    return rename(from, to).map([] { return true; });
  }

  Result<bool> exchange(const fs::path& a, const fs::path& b) override {
    const CrashPoints crash("disk");
#ifdef RENAME_EXCHANGE
    if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOENT && errno != ENOTSUP)
      return fail(disk_error("cannot replace", b, errno));
#endif
    return false;
  }

  void remove(const fs::path& path) override {
    std::error_code ignored;
    fs::remove(path, ignored);
  }

  void sweep(const fs::path& folder, const std::string& prefix) override {
    std::error_code bad;
    const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
    for (fs::directory_iterator at(folder, bad), end; !bad && at != end; at.increment(bad)) {
      if (at->path().filename().string().rfind(prefix, 0) != 0) continue;
      std::error_code gone;
      if (const auto changed = fs::last_write_time(at->path(), gone); !gone && changed < old)
        remove(at->path());
    }
  }
};

}  // namespace

Disk& real_disk() {
  static RealDisk disk;
  return disk;
}

}  // namespace vastgpu
