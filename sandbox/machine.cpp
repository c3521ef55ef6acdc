#include "sandbox/machine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <thread>

#include "core/fd.h"
#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "sandbox/machine_namespace.h"
#include "sandbox/machine_root.h"

extern char** environ;

namespace vastgpu::sandbox {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t kLogBytes = 1'000'000;
constexpr auto kSshLimit =
    10s;  // sshd listens within 20 ms on an idle host; thirty at once on a busy one take longer

Error refused(std::string what, std::string next_step) {
  return {.code = Code::invalid_argument, .what = std::move(what), .next_step = std::move(next_step)};
}
Error cannot(std::string what) {
  return {.code = Code::unavailable,
          .what = std::move(what),
          .next_step = "see the log of the sandbox, then try again"};
}

Result<void> check(const MachineSpec& spec) {
  in_addr address{};
  if (inet_pton(AF_INET, spec.listen_address.c_str(), &address) != 1 || (ntohl(address.s_addr) >> 24) != 127)
    return fail(
        refused("'" + clean_line(spec.listen_address, 40) + "' is no loopback address", "use 127.x.y.z"));
  if (spec.ssh_port == 0) return fail(refused("a machine needs an ssh port", "set ssh_port"));
  if (spec.num_gpus < 1 || spec.gpu_ram_mib < 1)
    return fail(refused("a machine needs a GPU", "set num_gpus"));
  if (!(spec.clock_speed > 0)) return fail(refused("time must pass", "set clock_speed above 0"));
  for (const auto& [name, value] : spec.env)
    if (name.empty() || name.find_first_of(std::string_view("=\0\n", 3)) != std::string::npos ||
        value.find('\0') != std::string::npos)
      return fail(refused("'" + clean_line(name, 60) + "' cannot be an environment variable", "rename it"));
  if (spec.onstart.size() > 100'000 || spec.onstart.find('\0') != std::string::npos)
    return fail(refused("the onstart command is too long or holds a NUL", "shorten it"));
  return {};
}

Result<std::string> key_lines(const std::vector<std::string>& keys) {
  std::string lines;
  for (const auto& key : keys) {
    const auto line = trim(key);
    // A second line would be a key nobody asked for.
    if (line.find_first_of(std::string_view("\n\r\0", 3)) != std::string_view::npos)
      return fail(refused("an SSH key must be one line", "send each key on its own"));
    lines.append(line).append("\n");
  }
  return lines;
}

Result<void> make_host_key(const fs::path& at) {
  std::string path = at, tool = "/usr/bin/ssh-keygen";
  if (const auto found = host_program("ssh-keygen")) tool = *found;
  std::array<std::string, 9> words = {tool, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f"};
  std::vector<char*> arguments;
  for (auto& w : words) arguments.push_back(w.data());
  arguments.push_back(path.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int started = posix_spawn(&pid, tool.c_str(), &files, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  int status = -1;
  if (started == 0)
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (started != 0 || status != 0) return fail(cannot("ssh-keygen made no host key"));
  return {};
}

/// Whether somebody listens there. Read from the kernel's table: a trial connection would show up in sshd's
/// log.
bool listening(const std::string& address, std::uint16_t port) {
  in_addr parsed{};
  inet_pton(AF_INET, address.c_str(), &parsed);
  std::array<char, 64> wanted{};
  std::snprintf(wanted.data(), wanted.size(), " %08X:%04X 00000000:0000 0A ",
                static_cast<unsigned>(parsed.s_addr), port);
  std::ifstream table("/proc/net/tcp");
  for (std::string line; std::getline(table, line);)
    if (line.find(wanted.data()) != std::string::npos) return true;
  return false;
}

class NamespaceMachine final : public Machine {
 public:
  NamespaceMachine(fs::path folder, MachineSpec spec)
      : folder_(std::move(folder)), spec_(std::move(spec)), launcher_(shared_launcher()) {}

  ~NamespaceMachine() override {
    stop();
    if (!remove_tree(folder_)) log_fact("machine folder left behind ", folder_.string());
  }

  Result<void> prepare() {
    std::error_code error;
    fs::create_directories(folder_, error);
    const auto real = fs::canonical(folder_, error);
    if (error) return fail(cannot("cannot make " + folder_.string() + ": " + error.message()));
    folder_ = real;
    fs::permissions(folder_, fs::perms{0700}, error);
    if (auto built = build_root(root(), spec_); !built) return built;
    if (auto key = make_host_key(root() / "etc/ssh/ssh_host_ed25519_key"); !key) return key;
    if (spec_.intruder)
      if (auto key = make_host_key(root() / "etc/ssh/intruder_key"); !key) return key;
    return set_authorized_keys(spec_.authorized_keys);
  }

  Result<void> start() override {
    if (running())
      return fail(
          {.code = Code::wrong_state, .what = "the machine already runs", .next_step = "stop it first"});
    stop();  // what ended by itself still has to be reaped
    clear_volatile(root());
    auto launched = launch(*launcher_, {.root = root(),
                                        .mounts = root_mounts(root()),
                                        .host_name = text("c", spec_.id),
                                        .arguments = {"/bin/sh", "/opt/fake/lib/init"},
                                        .environment = environment()});
    if (!launched) return fail(std::move(launched).error().during(text("starting machine ", spec_.id)));
    process_ = *std::move(launched);
    running_ = true;
    watcher_ = std::thread([this] { watch(); });
    return {};
  }

  Result<void> open_ssh() override {
    if (!running())
      return fail(
          {.code = Code::wrong_state, .what = "the machine does not run", .next_step = "start it first"});
    if (!process_.orders) return {};
    if (listening(spec_.listen_address, spec_.ssh_port))
      return fail(cannot(text(spec_.listen_address, ":", spec_.ssh_port, " is in use")));
    const std::string_view order = "ssh\n";
    const ssize_t sent = ::write(process_.orders.get(), order.data(), order.size());
    process_.orders.reset();
    if (sent != static_cast<ssize_t>(order.size())) return fail(cannot("the machine takes no orders"));
    for (const auto until = std::chrono::steady_clock::now() + kSshLimit;
         std::chrono::steady_clock::now() < until;) {
      if (listening(spec_.listen_address, spec_.ssh_port)) return {};
      if (!running()) return fail(cannot("the machine ended while sshd started"));
      std::this_thread::sleep_for(3ms);
    }
    return fail(cannot(text("sshd does not listen; the machine's log ends: ", clean(tail(), 500))));
  }

  void stop() override {
    kill_if_alive();
    if (watcher_.joinable()) watcher_.join();
    process_ = {};
  }

  bool running() const override { return running_; }

  Result<void> set_authorized_keys(const std::vector<std::string>& keys) override {
    return key_lines(keys).and_then([&](const std::string& lines) {
      return replace_file(root() / "etc/ssh/authorized_keys", lines, 0600);
    });
  }

  Result<void> set_clock_skew(double seconds) override {
    spec_.clock_skew_seconds = seconds;
    return put_clock(root(), spec_);
  }

  Result<void> move_ssh(std::uint16_t port) override {
    if (running())
      return fail({.code = Code::wrong_state, .what = "the machine runs", .next_step = "stop it first"});
    spec_.ssh_port = port;
    if (const auto at = spec_.env.find("VAST_TCP_PORT_22"); at != spec_.env.end())
      at->second = std::to_string(port);
    return replace_file(root() / "etc/ssh/sshd_config", sshd_config(spec_), 0644);
  }

  std::string log() const override {
    const std::scoped_lock hold(mutex_);
    return log_.size() > kLogBytes ? log_.substr(log_.size() - kLogBytes) : log_;
  }

  std::uint64_t disk_used() const override {
    std::uint64_t used = 0;
    for (const char* part : {"workspace", "root"}) {
      std::error_code error;
      auto entry = fs::recursive_directory_iterator(root() / part,
                                                    fs::directory_options::skip_permission_denied, error);
      for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
        struct stat info {};
        if (::lstat(entry->path().c_str(), &info) == 0)
          used += static_cast<std::uint64_t>(info.st_blocks) * 512;
      }
    }
    return used;
  }

 private:
  fs::path root() const { return folder_ / "disk"; }

  std::vector<std::string> environment() const {
    std::map<std::string, std::string> all = {
        {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        {"HOME", "/root"},
        {"LANG", "C.UTF-8"}};
    for (const auto& [name, value] : spec_.env) all[name] = value;
    all["PATH"].insert(0, "/opt/fake/bin:");
    std::vector<std::string> out;
    for (const auto& [name, value] : all) out.push_back(text(name, "=", value));
    return out;
  }

  /// Collects what the machine prints until it ends; then reaps it.
  void watch() {
    std::array<char, 16384> buffer{};
    bool open = true;
    while (true) {
      std::array<pollfd, 2> waits = {pollfd{open ? process_.output.get() : -1, POLLIN, 0},
                                     pollfd{process_.process.get(), POLLIN, 0}};
      if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) break;
      if (waits[0].revents != 0) {
        const ssize_t n = ::read(process_.output.get(), buffer.data(), buffer.size());
        if (n > 0) {
          keep({buffer.data(), static_cast<std::size_t>(n)});
          continue;  // its last words come before its end
        }
        if (n == 0 || errno != EINTR) open = false;
      }
      if (waits[1].revents != 0) break;
    }
    const std::scoped_lock hold(ending_);
    reap(process_);
    running_ = false;
  }

  void kill_if_alive() {
    const std::scoped_lock hold(ending_);
    if (running_) kill_and_reap(process_);
  }

  void keep(std::string_view printed) {
    const std::scoped_lock hold(mutex_);
    log_ += printed;
    if (log_.size() > 2 * kLogBytes) log_.erase(0, log_.size() - kLogBytes);
  }

  std::string tail() const {
    const std::string all = log();
    return all.substr(all.size() - std::min<std::size_t>(all.size(), 500));
  }

  fs::path folder_;
  MachineSpec spec_;
  const std::shared_ptr<Launcher> launcher_;  // its end would be ours
  Launched process_;
  std::atomic<bool> running_ = false;
  std::mutex ending_;         // guards the reaping of process_: once
  mutable std::mutex mutex_;  // guards log_
  std::string log_;
  std::thread watcher_;  // joined by stop()
};

/// Builds a root and runs `true` in it: the only proof that counts.
std::optional<std::string> try_once() {
  for (const char* needed : {"sshd", "ssh-keygen"})
    if (!host_program(needed))
      return text(needed, " is not installed: run sudo apt-get install openssh-server");
  const fs::path folder = fs::temp_directory_path() / ("vast-gpu-probe-" + random_hex(6));
  std::optional<std::string> why;
  MachineSpec spec;
  spec.listen_address = "127.0.0.1";
  if (auto built = build_root(folder, spec); !built) {
    why = built.error().what;
  } else {
    const auto launcher = shared_launcher();
    auto launched =
        launch(*launcher, {.root = folder,
                           .mounts = root_mounts(folder),
                           .host_name = "probe",
                           .arguments = {"/bin/sh", "-c", "echo > /workspace/x && echo > /dev/null"},
                           .environment = {"PATH=/usr/bin:/bin"}});
    if (!launched) {
      why = launched.error().what + "; " + launched.error().next_step;
    } else if (const int code = reap(*launched); code != 0) {
      why = text("a program in a new root ended with ", code);
    }
  }
  remove_tree(folder);
  return why;
}

}  // namespace

std::optional<std::string> machines_unavailable() {
  static const std::optional<std::string> why = try_once();
  return why;
}

Result<std::unique_ptr<Machine>> Machine::create(const fs::path& folder, MachineSpec spec) {
  if (auto fine = check(spec); !fine) return fail(std::move(fine).error());
  if (std::error_code error; fs::exists(folder, error) && !fs::is_empty(folder, error))
    return fail(refused(folder.string() + " is not empty", "give every machine a folder of its own"));
  auto machine = std::make_unique<NamespaceMachine>(folder, std::move(spec));
  if (auto prepared = machine->prepare(); !prepared) return fail(std::move(prepared).error());
  return machine;
}

}  // namespace vastgpu::sandbox
