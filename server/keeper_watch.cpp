#include "server/keeper_watch.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "core/log.h"
#include "core/text.h"

extern char** environ;

namespace vastgpu {
namespace {

// Real time, since it is about processes of this computer and not about leases.
constexpr auto kFirstLook = std::chrono::seconds(1);  // a start costs a new server nothing
constexpr auto kLookEvery = std::chrono::minutes(1);

}  // namespace

KeeperWatch::KeeperWatch(std::function<void()> look) : look_(std::move(look)), thread_([this] { watch(); }) {}

KeeperWatch::~KeeperWatch() {
  {
    const std::scoped_lock hold(guard_);
    ending_ = true;
  }
  wake_.notify_all();
}

void KeeperWatch::soon() {
  {
    const std::scoped_lock hold(guard_);
    asked_ = true;
  }
  wake_.notify_all();
}

void KeeperWatch::watch() {
  std::unique_lock hold(guard_);
  for (auto pause = std::chrono::duration_cast<std::chrono::seconds>(kFirstLook);; pause = kLookEvery) {
    const bool woken = wake_.wait_for(hold, pause, [&] { return asked_ || ending_; });
    if (woken && !asked_) return;
    asked_ = false;
    hold.unlock();
    try {
      look_();
    } catch (const std::exception& e) {
      log_fact("looking after the keeper failed: ", e.what());
    }
    hold.lock();
  }
}

Result<void> start_keeper(const std::string& program) {
  const auto trouble = [&](const std::string& why) {
    return fail({.code = Code::unavailable,
                 .what = "the keeper cannot be started: " + why,
                 .next_step = "run " + program + " keep --detached and read what it says"});
  };
  posix_spawn_file_actions_t files;
  posix_spawnattr_t how;
  if (::posix_spawn_file_actions_init(&files) != 0) return trouble("no memory");
  if (::posix_spawnattr_init(&how) != 0) {
    ::posix_spawn_file_actions_destroy(&files);
    return trouble("no memory");
  }
  for (int fd = 0; fd <= 2; ++fd) ::posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&how, &none);    // our threads block the signals that end us
  ::posix_spawnattr_setsigdefault(&how, &all);  // and SIGPIPE is ignored here
  ::posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  std::string name = program, keep = "keep", detached = "--detached";
  char* const arguments[] = {name.data(), keep.data(), detached.data(), nullptr};
  pid_t pid = -1;
  const int bad = ::posix_spawn(&pid, program.c_str(), &files, &how, arguments, environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&how);
  if (bad != 0) return trouble(std::strerror(bad));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno == EINTR) continue;
    return {};  // SIGCHLD is ignored here: the kernel has taken it away already
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return trouble(WIFEXITED(status) ? text("it ended with ", WEXITSTATUS(status))
                                   : text("it ended by signal ", WTERMSIG(status)));
}

}  // namespace vastgpu
