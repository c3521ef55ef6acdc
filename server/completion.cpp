#include <algorithm>

#include "core/text.h"
#include "server/command_model.h"

namespace vastgpu {
namespace {

/// What may follow a command: its options, and the choices of its first positional argument.
std::vector<std::string> words_of(const CommandModel& command) {
  std::vector<std::string> words;
  for (const OptionModel& o : command.options) {
    for (const std::string& name : o.names) words.push_back(name);
    if (o.names.empty()) words.insert(words.end(), o.choices.begin(), o.choices.end());
  }
  return words;
}

/// A value is asked for after these options: "--with|--print".
std::vector<std::pair<std::string, std::vector<std::string>>> valued(const CommandModel& command) {
  std::vector<std::pair<std::string, std::vector<std::string>>> found;
  for (const OptionModel& o : command.options)
    if (!o.names.empty() && !o.choices.empty()) found.emplace_back(join(o.names, "|"), o.choices);
  return found;
}

std::string bash(const CommandModel& program) {
  std::vector<std::string> first = words_of(program);
  for (const CommandModel& c : program.commands) first.push_back(c.name);
  std::string out = "# bash completion of " + program.name + "\n_" + "vast_gpu() {\n" +
                    "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
                    "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
                    "    [[ ${COMP_WORDS[i]} == -* ]] || { command=${COMP_WORDS[i]}; break; }\n"
                    "  done\n"
                    "  case $command in\n"
                    "    '') COMPREPLY=($(compgen -W " +
                    shell_quote(join(first, " ")) + " -- \"$word\")) ;;\n";
  for (const CommandModel& c : program.commands) {
    out += "    " + c.name + ")\n      case $before in\n";
    for (const auto& [names, choices] : valued(c))
      out += "        " + names + ") COMPREPLY=($(compgen -W " + shell_quote(join(choices, " ")) +
             " -- \"$word\")) ;;\n";
    for (const OptionModel& o : c.options)
      if (!o.names.empty() && !o.value.empty() && o.choices.empty())
        out += "        " + join(o.names, "|") + ") COMPREPLY=($(compgen -f -- \"$word\")) ;;\n";
    out += "        *) COMPREPLY=($(compgen -W " + shell_quote(join(words_of(c), " ")) +
           " -- \"$word\")) ;;\n      esac ;;\n";
  }
  return out + "  esac\n}\ncomplete -o default -F _vast_gpu " + program.name + "\n";
}

/// "name:description" as _describe and _arguments read it.
std::string zsh_text(std::string words) {
  for (const char special : {'\\', '[', ']', ':'}) {
    std::string out;
    for (const char c : words) {
      if (c == special) out += '\\';
      out += c;
    }
    words = out;
  }
  return words;
}

std::string zsh_options(const CommandModel& command, const std::string& indent) {
  std::string out;
  int position = 0;
  for (const OptionModel& o : command.options) {
    const std::string values = o.choices.empty() ? "_files" : "(" + join(o.choices, " ") + ")";
    if (o.names.empty()) {
      const std::string place = o.many ? "*" : std::to_string(++position);
      out += " \\\n" + indent +
             shell_quote(place + ":" + zsh_text(to_lower(o.value)) + ":" + (o.choices.empty() ? "" : values));
      continue;
    }
    for (const std::string& name : o.names)
      out += " \\\n" + indent +
             shell_quote(name + "[" + zsh_text(o.description) + "]" +
                         (o.value.empty() ? "" : ":value:" + values));
  }
  return out;
}

std::string zsh(const CommandModel& program) {
  std::string out = "#compdef " + program.name + "\n\n_vast_gpu_commands() {\n  local -a commands=(";
  for (const CommandModel& c : program.commands)
    out += "\n    " + shell_quote(c.name + ":" + zsh_text(c.description));
  out +=
      ")\n  _describe command commands\n}\n\n_vast_gpu() {\n  local state line context\n  typeset -A "
      "opt_args\n"
      "  _arguments -C" +
      zsh_options(program, "    ") +
      " \\\n    '1:command:_vast_gpu_commands' \\\n    '*::argument:->rest'\n"
      "  [[ $state == rest ]] || return\n  case $line[1] in\n";
  for (const CommandModel& c : program.commands)
    out += "    " + c.name + ") _arguments" + zsh_options(c, "      ") + " ;;\n";
  return out +
         "  esac\n}\n\nif [ \"$funcstack[1]\" = _vast_gpu ]; then\n  _vast_gpu \"$@\"\nelse\n  compdef "
         "_vast_gpu " +
         program.name + "\nfi\n";
}

std::string fish(const CommandModel& program) {
  const std::string head = "complete -c " + program.name + " ";
  std::string out = "# fish completion of " + program.name + "\n";
  const auto option = [&](const std::string& when, const OptionModel& o) {
    std::string line = head + "-n " + shell_quote(when);
    for (const std::string& name : o.names) {
      const std::string bare = name.substr(name.find_first_not_of('-'));
      line += (name.starts_with("--") ? " -l " : " -s ") + bare;
    }
    if (!o.value.empty() && !o.names.empty()) line += o.choices.empty() ? " -r" : " -x";
    if (!o.choices.empty()) line += " -f -a " + shell_quote(join(o.choices, " "));
    return line + " -d " + shell_quote(o.description) + "\n";
  };
  for (const OptionModel& o : program.options) out += option("__fish_use_subcommand", o);
  for (const CommandModel& c : program.commands)
    out += head + "-f -n __fish_use_subcommand -a " + c.name + " -d " + shell_quote(c.description) + "\n";
  for (const CommandModel& c : program.commands)
    for (const OptionModel& o : c.options)
      if (!o.names.empty() || !o.choices.empty()) out += option("__fish_seen_subcommand_from " + c.name, o);
  return out;
}

}  // namespace

std::string completion_script(const CommandModel& program, const std::string& shell) {
  return shell == "zsh" ? zsh(program) : shell == "fish" ? fish(program) : bash(program);
}

}  // namespace vastgpu
