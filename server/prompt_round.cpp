#include "server/prompt_round.h"

#include "server/render.h"
#include "tools/asking.h"

namespace vastgpu {
namespace {

constexpr const char* kKey = "arguments";

RpcError invalid(std::string message) { return {kInvalidParams, std::move(message), {}}; }

tl::expected<json, RpcError> words_of(const Prompt& prompt,
                                      const std::map<std::string, std::string>& arguments, Version v) {
  for (const PromptArgument& argument : prompt.arguments)
    if (argument.required && !arguments.contains(argument.name))
      return tl::unexpected(invalid("missing argument: " + argument.name));
  const auto messages = prompt_messages(prompt, arguments);
  if (!messages) return tl::unexpected(invalid(to_text(messages.error())));
  return complete({{"description", prompt.description}, {"messages", render_messages(*messages, v)}}, v);
}

}  // namespace

Round prompt_round(const Prompt& prompt, std::map<std::string, std::string> arguments, Version v,
                   const CallContext& call) {
  const auto answer = call.answers.find(kKey);
  if (answer != call.answers.end())
    for (const auto& [name, value] : answer->second.content.items())
      arguments.emplace(name, value.is_string() ? value.get<std::string>() : dump(value));

  Round round{words_of(prompt, arguments, v)};
  if (prompt.form && answer == call.answers.end() && can_ask(call.client))
    if (auto form = prompt.form(arguments))
      round.asks.push_back(
          {.key = kKey, .message = std::move(form->message), .schema = std::move(form->schema)});
  return round;
}

}  // namespace vastgpu
