#include "tools/asking.h"

#include <utility>

namespace vastgpu {
namespace {

constexpr const char* kTick = "yes";     // the one field of a yes-or-no form
constexpr const char* kPick = "choice";  // the one field of a form with choices

json form(const char* name, json field) {
  return {{"type", "object"}, {"properties", {{name, std::move(field)}}}, {"required", json::array({name})}};
}

}  // namespace

bool can_ask(const json& client, const std::string& method) {
  const char* word = method == "elicitation/create"       ? "elicitation"
                     : method == "sampling/createMessage" ? "sampling"
                     : method == "roots/list"             ? "roots"
                                                          : "";
  const auto can = client.is_object() ? client.find(word) : client.end();
  if (!client.is_object() || can == client.end() || !can->is_object()) return false;
  return method != "elicitation/create" || can->contains("form") || !can->contains("url");
}

Question yes_or_no(const std::string& key, std::string message, const std::string& box) {
  // Not ticked beforehand: sending the form unread is no yes.
  return {.key = key,
          .message = std::move(message),
          .schema = form(kTick, {{"type", "boolean"}, {"title", box}, {"default", false}})};
}

Question one_of(const std::string& key, std::string message, const std::string& label,
                const std::vector<Choice>& choices) {
  json all = json::array();
  for (const Choice& one : choices) all.push_back({{"const", one.value}, {"title", one.title}});
  return {.key = key,
          .message = std::move(message),
          .schema = form(kPick, {{"type", "string"}, {"title", label}, {"oneOf", std::move(all)}})};
}

Said said(const CallContext& call, const std::string& key) {
  const auto at = call.answers.find(key);
  if (at == call.answers.end()) return Said::nothing;
  const Answer& answer = at->second;
  switch (answer.action) {
    case Answer::Action::accept:
      if (answer.content.contains(kPick)) return Said::yes;
      return read_field<bool>(answer.content, kTick).value_or(false) ? Said::yes : Said::no;
    case Answer::Action::decline:
    case Answer::Action::cancel:
      return Said::no;
    case Answer::Action::not_asked:
      break;
  }
  return Said::unheard;
}

std::string picked(const CallContext& call, const std::string& key) {
  const auto at = call.answers.find(key);
  if (at == call.answers.end() || at->second.action != Answer::Action::accept) return {};
  return read_field<std::string>(at->second.content, kPick).value_or("");
}

}  // namespace vastgpu
