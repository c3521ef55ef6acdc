#pragma once
// What an MCP prompt is: a name people type as a slash command, and the text it becomes. Any thread.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"

namespace vastgpu {

struct PromptArgument {
  std::string name;
  std::string description;
  bool required = false;
  std::vector<std::string> suggestions = {};  ///< offered while it is typed
  std::string completes = {};  ///< "experiment", "request"...: what is on record to offer; empty: nothing
};

/// One turn of the conversation that a prompt begins.
struct PromptMessage {
  std::string role = "user";  ///< or "assistant"
  json content;               ///< one block in the protocol's words: {"type":"text","text":...}
};

/// A question to the person for arguments that were not given: the fields of the form are arguments.
struct PromptForm {
  std::string message;
  json schema;  ///< flat, as Question::schema
};

struct Prompt {
  std::string name;  ///< "vast-gpu"
  std::string title;
  std::string description;
  std::vector<PromptArgument> arguments;
  /// One user message. Values are all strings.
  std::function<Result<std::string>(const std::map<std::string, std::string>& arguments)> text;
  /// In place of `text` where one user message of text is not enough; empty: `text` is all.
  std::function<Result<std::vector<PromptMessage>>(const std::map<std::string, std::string>& arguments)>
      messages = {};
  /// What is asked first where the client can show forms; nothing: it is all there. Empty: it never asks.
  std::function<std::optional<PromptForm>(const std::map<std::string, std::string>& arguments)> form = {};
};

/// All prompts, in the order they are listed.
std::vector<Prompt> all_prompts();

}  // namespace vastgpu
