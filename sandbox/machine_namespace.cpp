#include "sandbox/machine_namespace.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>

#include "core/text.h"
#include "sandbox/machine_users.h"

namespace vastgpu::sandbox {
namespace {

/// What the child says over the socket when it cannot go on.
struct Failure {
  int step;  ///< index into mounts, or one of the values below
  int number;
};
constexpr int kPrivate = -1, kPivot = -2, kExec = -3, kRoot = -4, kBecomeRoot = -5;
constexpr char kArmed = 'A', kGo = 'G';

// What Docker leaves a container's root, less the right to make devices: a job in a machine is not the host's
// root.
constexpr std::array kKeptCapabilities = {
    CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,           CAP_FSETID,     CAP_KILL,        CAP_SETGID,
    CAP_SETUID, CAP_SETPCAP,      CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_AUDIT_WRITE, CAP_SETFCAP};

/// Everything the child needs, laid out before the fork: after it, only system calls are safe.
struct ChildPlan {
  const Launch* what;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  int input, output, talk;
  bool own_users;
};

int set_mount_flags(const char* path, unsigned long set, unsigned long clear, unsigned depth) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  return mount_setattr(AT_FDCWD, path, depth, &attributes, sizeof attributes);
}

int mount_one(const MountStep& step) {
  const char* target = step.target.c_str();
  switch (step.kind) {
    case MountStep::Kind::bind:
      return mount(step.source.c_str(), target, nullptr, MS_BIND | MS_REC, nullptr);
    case MountStep::Kind::bind_read_only:
      if (const int bound = mount(step.source.c_str(), target, nullptr, MS_BIND | MS_REC, nullptr);
          bound != 0)
        return bound;
      return set_mount_flags(target, MOUNT_ATTR_RDONLY, 0, AT_RECURSIVE);
    case MountStep::Kind::proc:
      return mount("proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
    case MountStep::Kind::tmpfs:
      return mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, step.options.c_str());
    case MountStep::Kind::devpts:
      return mount("devpts", target, "devpts", MS_NOSUID | MS_NOEXEC, step.options.c_str());
  }
  return -1;
}

[[noreturn]] void give_up(int talk, int step) {
  const Failure failure{step, errno};
  if (::write(talk, &failure, sizeof failure) < 0) _exit(126);
  _exit(125);
}

/// Runs in the child, as pid 1.
[[noreturn]] void become(const ChildPlan& plan) {
  // First of all: from here on we die with the thread that forked us. It answers only after it saw this, so a
  // parent that died in between is noticed as the end of the socket.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(plan.input, 0);
  dup2(plan.output, 1);
  dup2(plan.output, 2);
  dup3(plan.talk, 3, O_CLOEXEC);
  close_range(4, ~0U, 0);  // the sandbox's sockets and pipes are not ours to keep open
  const int talk = 3;
  char answer = 0;
  if (::write(talk, &kArmed, 1) != 1 || ::read(talk, &answer, 1) != 1) _exit(124);

  setsid();
  for (int s = 1; s < NSIG; ++s) signal(s, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  umask(022);
  const Launch& what = *plan.what;
  // Directly, since the C library's versions would tell the parent's threads, which do not exist here.
  if (plan.own_users && (syscall(SYS_setresgid, 0, 0, 0) != 0 || syscall(SYS_setresuid, 0, 0, 0) != 0))
    give_up(talk, kBecomeRoot);
  // Changing ids may have cleared it: set it again, and look once more whether the parent is there.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (recv(talk, &answer, 1, MSG_DONTWAIT) == 0) _exit(124);

  if (!what.root.empty()) {
    const char* root = what.root.c_str();
    // Nothing we mount may reach the host: its /usr will hang below a folder that is deleted later.
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) give_up(talk, kPrivate);
    if (mount(root, root, nullptr, MS_BIND, nullptr) != 0) give_up(talk, kRoot);
    // A /tmp that forbids programs or devices must not forbid them in here; not ours to lift without root.
    set_mount_flags(root, 0, MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, 0);
    for (std::size_t i = 0; i < what.mounts.size(); ++i)
      if (mount_one(what.mounts[i]) != 0) give_up(talk, static_cast<int>(i));
    if (chdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 ||
        chdir("/") != 0)
      give_up(talk, kPivot);
    if (sethostname(what.host_name.c_str(), what.host_name.size()) != 0) give_up(talk, kPivot);
    for (int capability = 0; capability <= 63; ++capability)
      if (std::find(kKeptCapabilities.begin(), kKeptCapabilities.end(), capability) ==
          kKeptCapabilities.end())
        prctl(PR_CAPBSET_DROP, capability);
  }
  execve(plan.arguments[0], plan.arguments.data(), plan.environment.data());
  give_up(talk, kExec);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const auto& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

/// A descriptor above the ones the child overwrites.
Fd high(int fd) {
  Fd low(fd);
  return Fd(fcntl(low.get(), F_DUPFD_CLOEXEC, 10));
}

struct Pair {
  Fd ours, theirs;
};
std::optional<Pair> make_socket() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return std::nullopt;
  return Pair{high(ends[0]), high(ends[1])};
}
std::optional<Pair> make_pipe(bool we_read) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  Fd read_end = high(ends[0]), write_end = high(ends[1]);
  if (we_read) return Pair{std::move(read_end), std::move(write_end)};
  return Pair{std::move(write_end), std::move(read_end)};
}

Error cannot(std::string what, std::string next_step) {
  return {.code = Code::unavailable, .what = std::move(what), .next_step = std::move(next_step)};
}
Error system_error(const std::string& doing) {
  return cannot(doing + ": " + std::strerror(errno),
                "raise the limits on open files and processes, or close something");
}

std::string step_name(const Launch& what, int step) {
  switch (step) {
    case kPrivate:
      return "making mounts private";
    case kPivot:
      return "changing the root";
    case kExec:
      return "running " + what.arguments.front();
    case kRoot:
      return "mounting the root";
    case kBecomeRoot:
      return "becoming root in a user namespace";
    default:
      break;
  }
  return step >= 0 && static_cast<std::size_t>(step) < what.mounts.size()
             ? "mounting " + what.mounts[static_cast<std::size_t>(step)].target
             : "starting";
}

Result<Launched> launch_here(const Launch& what) {
  auto talk = make_socket();
  auto orders = make_pipe(false);
  auto output = make_pipe(true);
  if (!talk || !orders || !output) return fail(system_error("making pipes"));

  ChildPlan plan{&what,
                 pointers(what.arguments),
                 pointers(what.environment),
                 orders->theirs.get(),
                 output->theirs.get(),
                 talk->theirs.get(),
                 geteuid() != 0};
  int process = -1;
  clone_args request{};
  request.flags = CLONE_PIDFD;
  if (!what.root.empty()) request.flags |= CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
  if (plan.own_users) request.flags |= CLONE_NEWUSER;
  request.pidfd = reinterpret_cast<std::uintptr_t>(&process);
  request.exit_signal = SIGCHLD;
  const long pid = syscall(SYS_clone3, &request, sizeof request);
  if (pid == 0) become(plan);
  if (pid < 0) {
    const std::string why = std::strerror(errno);
    return fail(cannot("this host does not let us make namespaces (" + why + ")",
                       plan.own_users
                           ? "allow unprivileged user namespaces (kernel.unprivileged_userns_clone, "
                             "kernel.apparmor_restrict_unprivileged_userns), or run as root"
                           : "in a container, add --cap-add SYS_ADMIN --security-opt seccomp=unconfined "
                             "--security-opt apparmor=unconfined"));
  }

  Launched launched{static_cast<pid_t>(pid), Fd(process), std::move(orders->ours), std::move(output->ours)};
  talk->theirs.reset();
  orders->theirs.reset();
  output->theirs.reset();

  const auto stop = [&](Error why) {
    kill_and_reap(launched);
    return fail(std::move(why));
  };
  char armed = 0;
  if (::read(talk->ours.get(), &armed, 1) != 1)
    return stop(cannot("a new process died at once", "try again"));
  if (plan.own_users)
    if (auto mapped = map_ids(launched.pid); !mapped) return stop(std::move(mapped).error());
  if (::send(talk->ours.get(), &kGo, 1, MSG_NOSIGNAL) != 1)
    return stop(cannot("a new process died at once", "try again"));
  Failure failure{};
  ssize_t got = -1;
  do got = ::read(talk->ours.get(), &failure, sizeof failure);
  while (got < 0 && errno == EINTR);
  if (got == 0) return launched;  // closed by the exec
  return stop(cannot(step_name(what, failure.step) + ": " + std::strerror(failure.number),
                     plan.own_users ? "run as root, or outside a container" : "run outside a container"));
}

bool mounted_below(const std::filesystem::path& folder) {
  std::ifstream in("/proc/self/mountinfo");
  const std::string prefix = folder.string() + "/";
  for (std::string line; std::getline(in, line);)
    if (const auto words = split(line, ' '); words.size() > 4 && words[4].starts_with(prefix)) return true;
  return false;
}

}  // namespace

class Launcher {
 public:
  Launcher() : thread_([this](const std::stop_token& stop) { run(stop); }) {}

  Result<Launched> launch(const Launch& what) {
    Job job{&what, {}, false};
    std::unique_lock hold(mutex_);
    jobs_.push_back(&job);
    changed_.notify_all();
    changed_.wait(hold, [&] { return job.done; });
    return std::move(job.result);
  }

 private:
  struct Job {
    const Launch* what;
    Result<Launched> result;
    bool done;
  };

  void run(const std::stop_token& stop) {
    std::unique_lock hold(mutex_);
    while (changed_.wait(hold, stop, [this] { return !jobs_.empty(); })) {
      Job* job = jobs_.front();
      jobs_.pop_front();
      hold.unlock();
      auto result = launch_here(*job->what);
      hold.lock();
      job->result = std::move(result);
      job->done = true;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;  // guards the two below and the jobs' answers
  std::condition_variable_any changed_;
  std::deque<Job*> jobs_;
  std::jthread thread_;  // last: stops before the rest goes
};

std::shared_ptr<Launcher> shared_launcher() {
  static std::mutex mutex;
  static std::weak_ptr<Launcher> current;
  const std::scoped_lock hold(mutex);
  auto launcher = current.lock();
  if (!launcher) current = launcher = std::make_shared<Launcher>();
  return launcher;
}

Result<Launched> launch(Launcher& launcher, const Launch& what) { return launcher.launch(what); }

int reap(Launched& process) {
  if (process.pid < 0) return -1;
  int status = 0;
  pid_t got = -1;
  do got = waitpid(process.pid, &status, 0);
  while (got < 0 && errno == EINTR);
  process.pid = -1;
  if (got < 0) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void kill_and_reap(Launched& process) {
  if (process.pid < 0) return;
  syscall(SYS_pidfd_send_signal, process.process.get(), SIGKILL, nullptr, 0);
  reap(process);
}

bool remove_tree(const std::filesystem::path& folder) {
  std::error_code error;
  const auto real = std::filesystem::canonical(folder, error);
  if (error) return !std::filesystem::exists(std::filesystem::symlink_status(folder, error));
  if (mounted_below(real)) return false;
  std::filesystem::remove_all(real, error);
  if (error && geteuid() != 0) {
    // Files of a machine's other users belong to ids that only our user namespace may touch.
    auto removing = launch_here({.root = {},
                                 .mounts = {},
                                 .host_name = {},
                                 .arguments = {"/bin/rm", "-rf", "--", real},
                                 .environment = {}});
    if (removing) {
      std::array<char, 4096> complaints{};
      while (::read(removing->output.get(), complaints.data(), complaints.size()) > 0) continue;
      reap(*removing);
    }
  }
  return !std::filesystem::exists(std::filesystem::symlink_status(real, error));
}

}  // namespace vastgpu::sandbox
