#include "sandbox/machine_users.h"

#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "core/text.h"

extern char** environ;

namespace vastgpu::sandbox {
namespace {

Error cannot(std::string what, std::string next_step) {
  return {.code = Code::unavailable, .what = std::move(what), .next_step = std::move(next_step)};
}

struct IdRange {
  unsigned long start = 0, count = 0;
};

std::string user_name() {
  passwd entry{}, *found = nullptr;
  std::array<char, 4096> buffer{};
  if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found) return found->pw_name;
  return {};
}

std::optional<IdRange> subordinate_ids(const char* file) {
  std::ifstream in(file);
  const std::string name = user_name(), id = std::to_string(getuid());
  for (std::string line; std::getline(in, line);) {
    const auto parts = split(line, ':');
    if (parts.size() != 3 || (parts[0] != name && parts[0] != id)) continue;
    IdRange range;
    std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), range.start);
    std::from_chars(parts[2].data(), parts[2].data() + parts[2].size(), range.count);
    if (range.count >= 1000) return range;  // sshd's own user and the tty group are below
  }
  return std::nullopt;
}

int run_and_wait(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  if (posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0) return 127;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace

Result<void> map_ids(pid_t pid) {
  const auto users = subordinate_ids("/etc/subuid"), groups = subordinate_ids("/etc/subgid");
  if (!users || !groups)
    return fail(
        cannot("we are not root, and /etc/subuid and /etc/subgid give this user no range of ids",
               "run: sudo usermod --add-subuids 200000-265535 --add-subgids 200000-265535 " + user_name()));
  const auto map = [pid](const char* tool, unsigned own, const IdRange& range) {
    return run_and_wait({tool, std::to_string(pid), "0", std::to_string(own), "1", "1",
                         std::to_string(range.start), std::to_string(std::min(range.count, 65535UL))});
  };
  const int users_mapped = map("newuidmap", getuid(), *users);
  const int groups_mapped = users_mapped == 0 ? map("newgidmap", getgid(), *groups) : users_mapped;
  if (groups_mapped == 127)
    return fail(
        cannot("we are not root, and newuidmap is not installed", "run: sudo apt-get install uidmap"));
  if (groups_mapped != 0)
    return fail(cannot("newuidmap refused the range of /etc/subuid", "check /etc/subuid and /etc/subgid"));
  return {};
}

}  // namespace vastgpu::sandbox
