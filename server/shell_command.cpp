#include "server/shell_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/text.h"
#include "fleet/host_key.h"
#include "fleet/reach.h"
#include "fleet/ssh_lines.h"

namespace vastgpu {
namespace {

Result<std::vector<std::string>> words_for(Workplace& workplace, std::int64_t instance) {
  auto deps = workplace.open({});
  if (!deps) return fail(std::move(deps).error());
  auto rental = rental_of(*deps, {instance});
  if (!rental) return fail(std::move(rental).error());
  if (auto pinned = pin_for_people(*deps, *rental); !pinned) return fail(std::move(pinned).error());
  if (const std::string words = host_key_words(*rental); !words.empty())
    std::fprintf(stderr, "vast-gpu: %s\n", words.c_str());
  return ssh_words(*deps, *rental);
}

}  // namespace

int shell_command(Workplace& workplace, std::int64_t instance, const std::vector<std::string>& command) {
  auto words = words_for(workplace, instance);
  if (!words) {
    std::fprintf(stderr, "vast-gpu: %s; %s\n", words.error().what.c_str(), words.error().next_step.c_str());
    return 2;
  }
  words->insert(words->end(), command.begin(), command.end());
  std::vector<char*> arguments;
  for (std::string& word : *words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp("ssh", arguments.data());
  if (errno == ENOENT)
    std::fputs(
        "vast-gpu: ssh is not installed on this computer; install openssh-client. The tools need none: "
        "run, monitor, setup and collect speak SSH themselves\n",
        stderr);
  else
    std::fprintf(stderr, "vast-gpu: ssh cannot be started: %s\n", std::strerror(errno));
  return 2;
}

}  // namespace vastgpu
