#include "server/keeper.h"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "server/signals.h"

namespace vastgpu {
namespace {

constexpr auto kFirstLook = std::chrono::seconds(15);  // the call that started us is renting just now
constexpr auto kEmptyPause = std::chrono::seconds(30);
constexpr int kEmptyPasses = 2;
constexpr int kRefusedPasses = 5;  // a key that was changed, not a hiccup
constexpr auto kCrashPause = std::chrono::seconds(5);
constexpr auto kLongestCrashPause = std::chrono::minutes(5);
constexpr auto kShortestPause = std::chrono::seconds(10);
// A stretch that used no processor for so long waits for something that does not come: all our own waits look
// around every few seconds. Its length alone says nothing, since results may take hours to come home.
constexpr auto kHungAfter = std::chrono::minutes(20);
constexpr std::uint64_t kAliveTicks = 2;  // of 10 ms: what the kernel may book on a process that only sleeps
constexpr auto kLongestStretch = std::chrono::hours(12);
constexpr auto kGoodbye = std::chrono::seconds(8);  // real time, for a stretch to write down what it began
// A share of 0.4 % of one processor at most, in clock time, unless a pause would grow over three minutes.
constexpr int kPauseForCpu = 250;
constexpr auto kLongestPause = std::chrono::minutes(3);
// A scaled clock means a sandbox; one that does not answer for a day of its own time has ended.
constexpr auto kSandboxIsGone = std::chrono::hours(24);

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&set, s);
  struct sigaction hang_up {};
  // Under nohup it is ignored, and a wait would take it all the same.
  if (::sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);
  return set;
}

/// The next signal of ours, waiting no longer than this; 0: none came.
int next_signal(std::chrono::nanoseconds limit) {
  const sigset_t set = our_signals();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(limit);
  const timespec wait{static_cast<time_t>(seconds.count()), static_cast<long>((limit - seconds).count())};
  const int signal = ::sigtimedwait(&set, nullptr, &wait);
  return signal > 0 ? signal : 0;
}

[[noreturn]] void be_child(pid_t parent, const std::function<int()>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(2);
  ::setpgid(0, 0);  // a terminal's Ctrl-C goes to the keeper, which asks us once
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  int code = 2;
  try {
    code = work();
  } catch (const std::exception& e) {
    log_fact("a stretch failed: ", e.what());
  }
  ::_exit(code);
}

Duration cpu_of(const rusage& used) {
  const auto of = [](const timeval& t) {
    return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

}  // namespace

std::optional<std::uint64_t> cpu_ticks(pid_t process) {
  const auto stat = read_file(text("/proc/", process, "/stat"), 4096);
  if (!stat) return std::nullopt;
  const auto name_end = stat->rfind(") ");  // a name may hold blanks and brackets
  if (name_end == std::string::npos) return std::nullopt;
  const auto fields = split(stat->substr(name_end + 2), ' ');
  if (fields.size() < 13) return std::nullopt;
  std::uint64_t user = 0, system = 0;
  std::from_chars(fields[11].data(), fields[11].data() + fields[11].size(), user);
  std::from_chars(fields[12].data(), fields[12].data() + fields[12].size(), system);
  return user + system;
}

std::optional<int> run_in_child(const std::function<int()>& work) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) be_child(parent, work);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return std::nullopt;
  return WEXITSTATUS(status);
}

Keeper::Keeper(std::unique_ptr<House> house, KeeperSeat seat, FileLock lock, KeeperPlan plan)
    : house_(std::move(house)), seat_(std::move(seat)), lock_(std::move(lock)), plan_(plan) {
  void* shared =
      ::mmap(nullptr, sizeof(KeeperBoard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  board_ = shared == MAP_FAILED ? nullptr : new (shared) KeeperBoard;
  const sigset_t set = our_signals();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGCHLD, SIG_DFL);  // where it is ignored, nobody could learn how a child ended
}

Keeper::~Keeper() {
  if (board_ != nullptr) ::munmap(board_, sizeof(KeeperBoard));
}

bool Keeper::switched_off() const {
  if (!plan_.detached) return false;
  const auto settings = read_settings(house_->settings_file());
  return settings && !settings->keeper;
}

/// False: asked to end.
bool Keeper::wait_until(TimePoint when) {
  ::malloc_trim(0);
  Clock& clock = house_->clock();
  while (ending_ == 0 && clock.now() < when) {
    // In slices, so that a changed wall clock or a computer that slept is noticed.
    const auto real = std::min<std::chrono::nanoseconds>(clock.real_until(when), std::chrono::minutes(1));
    if (const int signal = next_signal(real); signal != 0 && signal != SIGCHLD) ending_ = signal;
  }
  return ending_ == 0;
}

/// Waits for a stretch, and ends it when we are asked to end or when it hangs.
Keeper::Ended Keeper::watch(pid_t child) {
  Clock& clock = house_->clock();
  const TimePoint began = clock.now();
  TimePoint alive = began;
  std::uint64_t ticks = 0;
  std::optional<std::chrono::steady_clock::time_point> kill_at;
  bool killed = false;
  for (;;) {
    int status = 0;
    rusage used{};
    const pid_t done = ::wait4(child, &status, WNOHANG, &used);
    if (done == child) {
      const Duration cpu = cpu_of(used);
      if (WIFEXITED(status)) return {WEXITSTATUS(status), cpu};
      if (ending_ == 0) log_fact("a stretch ended by signal ", WTERMSIG(status), " pid=", child);
      return {std::nullopt, cpu};
    }
    if (done < 0 && errno != EINTR) return {};
    auto wait = clock.real_until(clock.now() + std::chrono::minutes(1));
    if (kill_at) wait = std::chrono::milliseconds(200);
    const int signal = next_signal(wait);
    if (signal != 0 && signal != SIGCHLD && ending_ == 0) {
      ending_ = signal;
      ::kill(child, SIGTERM);
      kill_at = std::chrono::steady_clock::now() + kGoodbye;
    }
    if (const auto now = cpu_ticks(child); now && *now >= ticks + kAliveTicks) {
      ticks = *now;
      alive = clock.now();
    }
    const bool hangs = clock.now() > alive + kHungAfter || clock.now() > began + kLongestStretch;
    if (!killed && (hangs || (kill_at && std::chrono::steady_clock::now() > *kill_at))) {
      log_fact("a stretch ", hangs ? "hangs" : "does not end", ", killed pid=", child);
      ::kill(child, SIGKILL);
      killed = true;
    }
  }
}

Keeper::Ended Keeper::in_child(const std::function<int()>& work) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) be_child(parent, work);
  if (child < 0) {
    log_fact("cannot start a stretch: ", std::strerror(errno));
    return {};
  }
  return watch(child);
}

Keeper::Ended Keeper::stretch() {
  return in_child([this] {
    const SignalStop signals;
    const int code = keep_once(*house_, *board_, signals.token());
    house_.reset();  // closes the ledger as its last user should
    return code;
  });
}

/// Leaves the seat when the ledger has nothing open. In this order: whoever opened a rental while we still
/// sat here started no keeper, and is seen by the second look; later ones find the seat free.
bool Keeper::left() {
  lock_.reset();
  const Ended open = in_child([this] {
    const int code = anything_open(*house_) ? 1 : 0;
    house_.reset();
    return code;
  });
  if (open.code == 0 || ending_ != 0) return true;
  auto again = seat_.take();
  if (!again) return true;  // another keeper was faster
  lock_ = *std::move(again);
  (void)KeeperSeat::sign(*lock_);
  return false;
}

TimePoint Keeper::after(const Ended& last) {
  const TimePoint now = house_->clock().now();
  if (!last.code) {
    const Duration grown = kCrashPause * (1 << std::min(crashes_, 10));
    ++crashes_;
    return now + std::min<Duration>(grown, kLongestCrashPause);
  }
  crashes_ = 0;
  if (*last.code == 0) return now + kEmptyPause;
  const TimePoint said{Duration(board_->next_look.load())};
  const TimePoint when = std::clamp(said, now + kShortestPause, TimePoint(now + kLongestPause));
  return std::max(when, now + std::min<Duration>(last.cpu * kPauseForCpu, kLongestPause));
}

int Keeper::run() {
  if (board_ == nullptr) {
    log_fact("no memory to share with a stretch");
    return 2;
  }
  Clock& clock = house_->clock();
  int code = 2;
  if (plan_.detached) wait_until(clock.now() + kFirstLook);
  while (ending_ == 0) {
    if (!lock_->in_place()) {
      log_fact("keeper ends: its lock file was removed");
      return code;
    }
    if (switched_off()) {
      log_fact("keeper ends: the settings say keeper: false");
      return code;
    }
    const Ended last = stretch();
    code = last.code.value_or(2);
    nothing_ = last.code == 0 ? nothing_ + 1 : 0;
    if (nothing_ >= kEmptyPasses && left()) {
      log_fact("keeper ends: nothing of ours bills");
      return 0;
    }
    if (board_->refused.load() >= kRefusedPasses) {  // whoever is started next may have a newer one
      log_fact("keeper ends: the marketplace does not take its key");
      return 2;
    }
    if (code != 2)
      unknown_from_.reset();
    else if (!unknown_from_)
      unknown_from_ = clock.now();
    else if (!house_->settings().clock.empty() && clock.now() > *unknown_from_ + kSandboxIsGone) {
      log_fact("keeper ends: the sandbox is gone");
      return code;
    }
    if (ending_ == 0) wait_until(after(last));
  }
  log_fact("keeper ends: signal ", ending_);
  return code;
}

}  // namespace vastgpu
