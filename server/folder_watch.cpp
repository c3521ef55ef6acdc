#include "server/folder_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include <array>

namespace vastgpu {
namespace {

constexpr std::size_t kMostFolders = 64;  // a user has some thousand watches for all programs together
// Not the closing of a file that could have been written: our own looks at the ledger would wake us.
constexpr std::uint32_t kEvents =
    IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR;

/// Reads all there is.
void drain(int fd) {
  std::array<char, 4096> bytes{};
  while (::read(fd, bytes.data(), bytes.size()) > 0) {
  }
}

}  // namespace

FolderWatch::FolderWatch()
    : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), calls_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

void FolderWatch::watch(const std::set<std::filesystem::path>& folders) {
  if (!inotify_) return;
  std::erase_if(watched_, [&](const auto& one) {
    std::error_code bad;
    // A folder that went away and came back is another one; its watch went with it.
    if (folders.contains(one.first) && std::filesystem::exists(one.first, bad)) return false;
    ::inotify_rm_watch(inotify_.get(), one.second);
    return true;
  });
  for (const auto& folder : folders) {
    if (watched_.size() >= kMostFolders) return;
    // Adding what is watched gives the same number again, and a new one where the folder is new.
    if (const int id = ::inotify_add_watch(inotify_.get(), folder.c_str(), kEvents); id >= 0)
      watched_[folder] = id;
  }
}

FolderWatch::Woken FolderWatch::wait(std::chrono::milliseconds at_most) { return poll(at_most, true); }
FolderWatch::Woken FolderWatch::rest(std::chrono::milliseconds at_most) { return poll(at_most, false); }

FolderWatch::Woken FolderWatch::poll(std::chrono::milliseconds at_most, bool changes) {
  std::array<pollfd, 2> fds{pollfd{calls_.get(), POLLIN, 0},
                            pollfd{changes ? inotify_.get() : -1, POLLIN, 0}};  // -1 is passed over
  const auto limit = std::max<std::int64_t>(at_most.count(), 0);
  if (::poll(fds.data(), fds.size(), static_cast<int>(limit)) <= 0) return Woken::time;
  if ((fds[0].revents & POLLIN) != 0) {
    drain(calls_.get());
    return Woken::call;
  }
  drain(inotify_.get());
  return Woken::change;
}

void FolderWatch::wake() const noexcept {
  const std::uint64_t one = 1;
  (void)!::write(calls_.get(), &one, sizeof one);
}

}  // namespace vastgpu
