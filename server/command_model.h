#pragma once
// What a command line knows, without its parser: enough to print a man page and shell completion. Pure
// functions; any thread.

#include <string>
#include <vector>

namespace vastgpu {

struct OptionModel {
  std::vector<std::string> names;  ///< "-q", "--quiet"; empty: a positional argument
  std::string value;               ///< what stands for its value, "INSTANCE"; empty: a flag
  std::string description;
  std::vector<std::string> choices;
  bool required = false;
  bool many = false;
};

struct CommandModel {
  std::string name;
  std::string description;
  std::vector<OptionModel> options;
  std::vector<CommandModel> commands;
};

/// A page for man(1), section 1, in roff.
std::string man_page(const CommandModel& program, const std::string& version);

/// `shell`: "bash", "zsh" or "fish".
std::string completion_script(const CommandModel& program, const std::string& shell);

}  // namespace vastgpu
