#include "state/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "core/text.h"
#include "state/private_folder.h"

namespace vastgpu {
namespace {

// flock() cannot wait for a lock and a stop token at once, so we ask again: soon at first, since most locks
// are held for milliseconds, then rarely, since the others are held for minutes.
constexpr Duration kFirstPause = std::chrono::milliseconds(1);
constexpr Duration kLongestPause = std::chrono::milliseconds(20);

/// Somebody may have removed the file (a cleaned folder) after we opened it: then our lock excludes nobody.
bool still_there(int fd, const std::filesystem::path& path) {
  struct stat ours {};
  struct stat named {};
  return ::fstat(fd, &ours) == 0 && ::stat(path.c_str(), &named) == 0 && ours.st_dev == named.st_dev &&
         ours.st_ino == named.st_ino;
}

std::filesystem::path lock_path(const std::filesystem::path& folder, const std::string& name) {
  return folder / (plain_name(name) + ".lock");
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::filesystem::path& folder, const std::string& name, Clock& clock,
                                   TimePoint deadline, std::stop_token stop) {
  if (auto made = make_private_folder(folder); !made) return fail(std::move(made).error());
  const auto path = lock_path(folder, name);
  const auto trouble = [&](const char* step) {
    return fail({.code = Code::unavailable,
                 .what = text(step, " the lock file ", path.string(), ": ", std::strerror(errno)),
                 .next_step = "check that its folder is on a local disk and belongs to you"});
  };
  for (Duration pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    if (stop.stop_requested())
      return fail({.code = Code::cancelled, .what = "stopped while waiting for the lock " + path.string()});
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return trouble("cannot open");
    bool busy = false;
    while (!busy && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK)
        busy = true;
      else if (errno != EINTR)
        return trouble("cannot take");
    }
    if (!busy) {
      if (still_there(fd.get(), path)) return FileLock(std::move(fd), path);
      continue;
    }
    if (clock.now() >= deadline)
      return fail({.code = Code::unavailable,
                   .what = "another vast-gpu process holds the lock " + path.string(),
                   .next_step = "wait for it to finish, then call again"});
    clock.sleep_until(std::min(clock.now() + pause, deadline), stop);
  }
}

std::optional<std::string> FileLock::holder(const std::filesystem::path& folder, const std::string& name) {
  Fd fd(::open(lock_path(folder, name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return std::nullopt;
  // Shared, so that two who ask do not see each other; whoever wants the lock meanwhile tries again.
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) return std::nullopt;
  char line[200];
  const ssize_t n = ::pread(fd.get(), line, sizeof line, 0);
  return clean_line(std::string(line, n > 0 ? static_cast<std::size_t>(n) : 0), sizeof line);
}

Result<void> FileLock::sign(const std::string& line) {
  const auto size = static_cast<ssize_t>(line.size());
  if (::ftruncate(fd_.get(), 0) == 0 && ::pwrite(fd_.get(), line.data(), line.size(), 0) == size) return {};
  return fail({.code = Code::unavailable,
               .what = text("cannot write the lock file ", path_.string(), ": ", std::strerror(errno)),
               .next_step = "check the disk"});
}

bool FileLock::in_place() const { return still_there(fd_.get(), path_); }

}  // namespace vastgpu
