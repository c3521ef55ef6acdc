#pragma once
// What an MCP prompt is: a name people type as a slash command, and the text it becomes. Any thread.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"

namespace vastgpu {

struct PromptArgument {
  std::string name;
  std::string description;
  bool required = false;
  std::vector<std::string> suggestions = {};  ///< offered while it is typed
  std::string completes = {};  ///< "experiment", "request"...: what is on record to offer; empty: nothing
};

struct Prompt {
  std::string name;  ///< "vast-gpu"
  std::string title;
  std::string description;
  std::vector<PromptArgument> arguments;
  /// One user message. Values are all strings.
  std::function<Result<std::string>(const std::map<std::string, std::string>& arguments)> text;
};

/// All prompts, in the order they are listed.
std::vector<Prompt> all_prompts();

}  // namespace vastgpu
