#include "server/detach.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace vastgpu {

void close_inherited() { ::close_range(3, ~0U, 0); }

void detach() {
  const pid_t middle = ::fork();
  if (middle != 0) {
    int status = 1;
    pid_t done = middle;
    while (middle > 0 && (done = ::waitpid(middle, &status, 0)) < 0 && errno == EINTR) {
    }
    ::_exit(done > 0 && status == 0 ? 0 : 1);
  }
  ::setsid();
  const pid_t keeper = ::fork();  // no session leader: it can never get a terminal again
  if (keeper != 0) ::_exit(keeper > 0 ? 0 : 1);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int s = 1; s < NSIG; ++s) std::signal(s, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);
  ::umask(077);
  [[maybe_unused]] const int moved = ::chdir("/");
  const int nothing = ::open("/dev/null", O_RDWR);
  for (int fd = 0; nothing >= 0 && fd <= 2; ++fd) ::dup2(nothing, fd);
  if (nothing > 2) ::close(nothing);
}

}  // namespace vastgpu
