// prompts/get: the arguments, a form for what is missing where the prompt has one, and the messages.
#include <algorithm>

#include "core/text.h"
#include "server/render.h"
#include "server/session.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxPromptText = 10'000;  // bytes of one prompt argument
constexpr const char* kFormKey = "prompt";

using Given = std::map<std::string, std::string>;

RpcError invalid(std::string message) { return {kInvalidParams, std::move(message), {}}; }

tl::expected<Given, RpcError> given_arguments(const json& params) {
  Given arguments;
  const auto given = params.find("arguments");
  if (given == params.end() || given->is_null()) return arguments;
  if (!given->is_object()) return tl::unexpected(invalid("arguments must be an object"));
  for (const auto& [key, value] : given->items()) {
    if (!value.is_string() || value.get_ref<const std::string&>().size() > kMaxPromptText)
      return tl::unexpected(
          invalid("argument " + clean_line(key, 100) + " must be a string of at most 10000 bytes"));
    arguments[key] = value.get<std::string>();
  }
  return arguments;
}

/// True when the prompt has a form, and nothing that it asks for was given.
bool asks_first(const Prompt& prompt, const Given& arguments) {
  if (!prompt.form) return false;
  const auto fields = read_field<json>(prompt.form->schema, "properties").value_or(json::object());
  return std::ranges::none_of(arguments, [&](const auto& one) { return fields.contains(one.first); });
}

/// What was filled in, as the strings that prompts take.
void add_filled(const json& content, Given& arguments) {
  if (!content.is_object()) return;
  for (const auto& [key, value] : content.items())
    arguments[key] = value.is_string() ? value.get<std::string>() : dump(value);
}

tl::expected<json, RpcError> said(const Prompt& prompt, const Given& arguments, Version v) {
  for (const PromptArgument& argument : prompt.arguments)
    if (argument.required && !arguments.contains(argument.name))
      return tl::unexpected(invalid("missing argument: " + argument.name));
  const auto messages = prompt_messages(prompt, arguments);
  if (!messages) return tl::unexpected(invalid(to_text(messages.error())));
  return complete({{"description", prompt.description}, {"messages", render_messages(*messages, v)}}, v);
}

}  // namespace

void Session::get_prompt(Incoming in) {
  const std::string name = read_field<std::string>(in.params, "name").value_or("");
  const auto prompt = std::ranges::find(parts_.prompts, name, &Prompt::name);
  if (prompt == parts_.prompts.end())
    return std::move(in.reply).error(invalid("Unknown prompt: " + clean_line(name, 100)));
  const auto arguments = given_arguments(in.params);
  if (!arguments) return std::move(in.reply).error(arguments.error());

  if (!asks_first(*prompt, *arguments)) {
    const auto answer = said(*prompt, *arguments, in.version);
    if (answer) return std::move(in.reply).result(*answer);
    return std::move(in.reply).error(answer.error());
  }
  // A person may take minutes, so this is work for a thread of its own.
  const Version v = in.version;
  AskedRequest asked = asked_request(v, {.method = in.method, .name = name, .arguments = json(*arguments)},
                                     in.params, legacy_client_);
  asked.once = false;
  start(std::move(in), tool_workers_,
        [this, &prompt = *prompt, given = *arguments, v,
         asked = std::move(asked)](CallContext& call) -> tl::expected<json, RpcError> {
          auto result = questions_.run(asked, call, [&](CallContext& round) -> tl::expected<Round, RpcError> {
            Given all = given;
            const auto filled = round.answers.find(kFormKey);
            if (filled != round.answers.end()) add_filled(filled->second.content, all);
            const auto answer = said(prompt, all, v);
            if (filled != round.answers.end()) return answer.map([](const json& j) { return Round{j}; });
            Round asking{answer.value_or(json())};
            asking.asks = {{.key = kFormKey, .message = prompt.form->message, .schema = prompt.form->schema}};
            return asking;
          });
          // Nobody can be asked, and without the form nothing can be said: the error says what is missing.
          if (result && result->is_null()) return said(prompt, given, v);
          return result;
        },
        name, {});
}

}  // namespace vastgpu
