#include "tests/support/real_sshd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "core/fd.h"

namespace vastgpu {
namespace {

constexpr const char* kSshd = "/usr/sbin/sshd";

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  return at;
}

std::uint16_t free_port() {
  const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in at = loopback(0);
  socklen_t size = sizeof at;
  ::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size);
  return ntohs(at.sin_port);
}

bool listens(std::uint16_t port) {
  const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in at = loopback(port);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
}

}  // namespace

std::optional<std::string> no_sshd_reason() {
  if (::access(kSshd, X_OK) != 0) return "/usr/sbin/sshd is not installed";
  if (output_of("command -v ssh-keygen").empty()) return "ssh-keygen is not installed";
  return std::nullopt;
}

std::string output_of(const std::string& command_line) {
  FILE* pipe = ::popen(command_line.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string out;
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    out.append(buffer.data(), n);
  return ::pclose(pipe) == 0 ? out : "";
}

RealSshd::RealSshd(const std::filesystem::path& tools, const std::string& more) {
  if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);  // privilege separation wants it
  const std::string at = folder_.path().string();
  output_of("ssh-keygen -q -t ed25519 -N '' -f " + at + "/host_key && echo made");
  folder_.write("authorized", "");
  for (int attempt = 0; attempt < 5; ++attempt) {  // somebody else may take the port first
    port_ = free_port();
    const auto config = folder_.write(
        "sshd_config", more + "ListenAddress 127.0.0.1\nPort " + std::to_string(port_) + "\nHostKey " + at +
                           "/host_key\nAuthorizedKeysFile " + at +
                           "/authorized\nUsePAM no\nStrictModes no\nPidFile none\nUseDNS no\n"
                           "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
                           "KbdInteractiveAuthentication no\nMaxStartups 200:30:400\nMaxSessions 100\n" +
                           // A home of its own: the real one's .bashrc may take longer than a test.
                           "SetEnv HOME=" + at + " PATH=" + (tools.empty() ? "" : tools.string() + ":") +
                           "/usr/local/bin:/usr/bin:/bin\n");
    // From OpenSSH 9.8 on, refused logins would lock out 127.0.0.1 for a while; older ones do not know the
    // word.
    const std::string lenient = "PerSourcePenalties no\n";
    if (!output_of(std::string(kSshd) + " -t -o PerSourcePenalties=no -f " + config.string() +
                   " 2>/dev/null && echo ok")
             .empty())
      std::ofstream(config, std::ios::app) << lenient;
    if (start(config.string())) return;
  }
  throw std::runtime_error("sshd does not start; see " + at + "/log");
}

bool RealSshd::start(const std::string& config) {
  const std::string log = (folder_.path() / "log").string();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setpgid(0, 0);
    const int to = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(nothing, 0);
    ::dup2(nothing, 1);
    ::dup2(to, 2);
    ::execl(kSshd, kSshd, "-D", "-e", "-f", config.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::setpgid(pid_, pid_);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < until) {
    if (listens(port_)) return true;
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

RealSshd::~RealSshd() {
  if (pid_ <= 0) return;
  kill_connections();
  ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void RealSshd::authorize(const std::string& line) const {
  std::ofstream(folder_.path() / "authorized", std::ios::app) << line << "\n";
}
void RealSshd::forget_keys() const { folder_.write("authorized", ""); }

std::string RealSshd::user() const { return ::getpwuid(::geteuid())->pw_name; }

std::string RealSshd::fingerprint() const {
  const std::string line =
      output_of("ssh-keygen -l -E sha256 -f " + folder_.path().string() + "/host_key.pub");
  const auto from = line.find("SHA256:");
  return from == std::string::npos ? "" : line.substr(from, line.find(' ', from) - from);
}

void RealSshd::kill_connections() const {
  // The whole tree below the listener: newer releases hand the connection on to processes of their own.
  const auto kill_below = [](const auto& self, pid_t parent) -> void {
    std::ifstream children("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) +
                           "/children");
    for (pid_t child = 0; children >> child;) {
      self(self, child);
      ::kill(child, SIGKILL);
    }
  };
  kill_below(kill_below, pid_);
}

}  // namespace vastgpu
