#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "core/fd.h"
#include "sandbox/machine.h"
#include "sandbox/machine_namespace.h"

namespace vastgpu::sandbox {
namespace {

using namespace std::chrono_literals;

/// The janitor's life: wait until nobody holds the other end of the pipe, then tidy up.
[[noreturn]] void watch_over(int leash, const std::filesystem::path& folder) {
  setsid();  // Ctrl-C at the terminal is for the sandbox; its end is for us
  for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) signal(s, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);
  prctl(PR_SET_NAME, "sandbox-janitor");
  // Standard streams too: whoever reads the sandbox's output must see its end.
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; ++fd) dup2(null, fd);
  dup2(leash, 3);
  close_range(4, ~0U, 0);
  if (chdir("/") != 0) _exit(1);

  char ignored = 0;
  while (true) {
    const ssize_t n = ::read(3, &ignored, 1);
    if (n == 0 || (n < 0 && errno != EINTR)) break;
  }
  // The machines die with the sandbox, in the same moment, but not before it: their last files may still
  // appear.
  for (const auto until = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < until;) {
    if (remove_tree(folder)) _exit(0);
    std::this_thread::sleep_for(20ms);
  }
  _exit(1);
}

}  // namespace

Result<void> start_janitor(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const auto real = std::filesystem::canonical(folder, error);
  if (error || real == real.root_path())
    return fail({.code = Code::invalid_argument,
                 .what = "cannot use the folder " + folder.string(),
                 .next_step = "choose another state folder"});
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return fail({.code = Code::unavailable,
                 .what = std::string("cannot make a pipe: ") + std::strerror(errno),
                 .next_step = "raise the limit on open files"});
  Fd read_end(ends[0]), write_end(ends[1]);
  const pid_t pid = fork();
  if (pid < 0)
    return fail({.code = Code::unavailable,
                 .what = std::string("cannot start the janitor: ") + std::strerror(errno),
                 .next_step = "raise the limit on processes"});
  if (pid == 0) {
    write_end.reset();
    watch_over(fcntl(read_end.get(), F_DUPFD, 10), real);
  }
  // Ours until we end, however that happens: the kernel closes it, and that is the signal.
  static_cast<void>(write_end.release());
  return {};
}

}  // namespace vastgpu::sandbox
