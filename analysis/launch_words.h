#pragma once
// Shell text as the commands it would run: quotes, continued lines, variables with their defaults, arrays,
// loops over words. Nothing is run, no file or variable of this machine is looked at. Pure; any thread.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vastgpu {

struct ShellWord {
  std::string text;
  bool known = true;        ///< false where a part is only known when it runs: `$1`, `$(nproc)`
  bool by_default = false;  ///< a part is a variable's value, which a caller may set otherwise
};

struct ShellCommand {
  std::vector<std::pair<std::string, ShellWord>> environment;  ///< `A=1 python ...`, and what was exported
  std::vector<ShellWord> words;
  int line = 0;
  int repeats = 1;  ///< how often a loop around it runs it, as far as the words tell
};

/// At most 500 commands of up to 400 words.
std::vector<ShellCommand> shell_commands(std::string_view text);

/// A Makefile's recipes as shell text with the same lines; of one target, when it is named.
std::string shell_of_makefile(std::string_view text, std::string_view target = {});

}  // namespace vastgpu
