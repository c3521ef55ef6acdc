#include "server/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

extern char** environ;

namespace vastgpu {
namespace {

Error child_error(const std::string& what) {
  return {.code = Code::unavailable, .what = what + ": " + std::strerror(errno), .next_step = "try again"};
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> merged;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string entry = *at;
    if (!changes.contains(entry.substr(0, entry.find('=')))) merged.push_back(entry);
  }
  for (const auto& [name, value] : changes)
    if (!value.empty()) merged.push_back(name + "=" + value);
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

Result<Child> Child::start(const std::vector<std::string>& arguments,
                           const std::map<std::string, std::string>& environment,
                           const std::string& stderr_file) {
  int to_child[2], from_child[2];
  if (::pipe2(to_child, O_CLOEXEC) != 0) return fail(child_error("cannot make a pipe"));
  Fd child_in(to_child[0]), our_out(to_child[1]);
  if (::pipe2(from_child, O_CLOEXEC) != 0) return fail(child_error("cannot make a pipe"));
  Fd our_in(from_child[0]), child_out(from_child[1]);
  Fd errors(::open(stderr_file.empty() ? "/dev/null" : stderr_file.c_str(),
                   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  // Everything that allocates happens before the fork: other threads may hold locks.
  auto argument_texts = arguments;
  auto environment_texts = merged_environment(environment);
  const auto argv = pointers(argument_texts);
  const auto envp = pointers(environment_texts);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail(child_error("cannot start " + arguments[0]));
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(child_in.get(), 0);
    ::dup2(child_out.get(), 1);
    ::dup2(errors.get(), 2);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    std::signal(SIGPIPE, SIG_DFL);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  Child child;
  child.pid_ = pid;
  child.in_ = std::move(our_in);
  child.out_ = std::move(our_out);
  return child;
}

Child::~Child() {
  if (pid_ > 0) finish(std::chrono::seconds(5));
}

Result<void> Child::write_line(const std::string& line) {
  std::string_view rest = line;
  const std::string with_end = line + "\n";
  rest = with_end;
  while (!rest.empty()) {
    const ssize_t n = ::write(out_.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(child_error("the program no longer listens"));
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::optional<std::string> Child::read_line(std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return std::nullopt;
    pollfd wait{in_.get(), POLLIN, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready < 0 && errno != EINTR) return std::nullopt;
    if (ready <= 0) continue;
    char chunk[65536];
    const ssize_t n = ::read(in_.get(), chunk, sizeof chunk);
    if (n == 0 || (n < 0 && errno != EINTR)) return std::nullopt;
    if (n > 0) buffer_.append(chunk, static_cast<std::size_t>(n));
  }
}

int Child::finish(std::chrono::milliseconds limit) {
  out_.reset();
  const auto wait_for = [&](std::chrono::milliseconds span) -> std::optional<int> {
    const auto until = std::chrono::steady_clock::now() + span;
    for (;;) {
      int status = 0;
      const pid_t done = ::waitpid(pid_, &status, WNOHANG);
      if (done == pid_) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      if (done < 0) return 127;
      if (std::chrono::steady_clock::now() >= until) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));  // the kernel offers no timed waitpid
    }
  };
  auto status = wait_for(limit);
  if (!status) {
    ::kill(pid_, SIGTERM);
    status = wait_for(std::chrono::seconds(3));
  }
  if (!status) {
    ::kill(pid_, SIGKILL);
    status = wait_for(std::chrono::seconds(3));
  }
  pid_ = -1;
  return status.value_or(137);
}

}  // namespace vastgpu
