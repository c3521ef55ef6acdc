#include "server/questions.h"

#include <algorithm>

#include "core/conceal.h"
#include "core/log.h"
#include "core/text.h"
#include "server/form.h"
#include "server/render.h"
#include "tools/asking.h"

namespace vastgpu {
namespace {

using Action = Answer::Action;

// Clients stop a request that goes on asking after 8 or 10 rounds.
constexpr int kMostRounds = 6;

constexpr std::pair<Action, const char*> kActions[] = {
    {Action::accept, "accept"}, {Action::decline, "decline"}, {Action::cancel, "cancel"}};

/// The form as nobody filled it in: some hosts send that for a form that they show to nobody.
json untouched(const json& form) {
  json content = json::object();
  const json fields = read_field<json>(form, "properties").value_or(json::object());
  for (const auto& [name, field] : fields.items())
    if (field.is_object() && field.contains("default")) content[name] = field.at("default");
  return content;
}

/// The answer to a question as it came; nullopt: none, or none that makes sense.
std::optional<Answer> read_answer(const Question& question, const json& response, bool too_fast) {
  if (!response.is_object()) return std::nullopt;
  if (question.method != "elicitation/create") return Answer{Action::accept, response};
  const auto word = read_field<std::string>(response, "action");
  for (const auto& [action, name] : kActions) {
    if (word != name) continue;
    if (action != Action::accept) return Answer{too_fast ? Action::not_asked : action, json::object()};
    auto content = fitting(question.schema, read_field<json>(response, "content").value_or(json::object()));
    if (!content) return std::nullopt;
    if (too_fast && *content == untouched(question.schema)) return Answer{};
    return Answer{Action::accept, *std::move(content)};
  }
  return std::nullopt;
}

json to_wire(const Answer& answer) {
  for (const auto& [action, name] : kActions)
    if (action == answer.action) return {{"action", name}, {"content", answer.content}};
  return {{"action", ""}, {"content", answer.content}};
}
Answer from_wire(const json& j) {
  Answer answer{Action::not_asked, read_field<json>(j, "content").value_or(json::object())};
  for (const auto& [action, name] : kActions)
    if (read_field<std::string>(j, "action") == name) answer.action = action;
  return answer;
}

/// The params of a question as this revision has them; nullopt where it has no words for it.
std::optional<json> params_of(const Question& question, Version v) {
  if (question.method != "elicitation/create") return question.params;
  const auto form = form_for(question.schema, v);
  if (!form) return std::nullopt;
  json params = concealed_document({{"message", question.message}, {"requestedSchema", *form}});
  if (has_form_mode(v)) params["mode"] = "form";
  return params;
}

bool can_ask_all(const AskedRequest& request, const std::vector<Question>& asks) {
  return std::ranges::all_of(asks, [&](const Question& question) {
    return can_ask(request.client, question.method) && params_of(question, request.version);
  });
}

RpcError invalid(std::string message) { return {kInvalidParams, std::move(message), {}}; }
/// Our failure, not the client's.
RpcError unchecked(const Error& why) {
  return {kInternalError, "requestState cannot be checked: " + why.what, {}};
}

}  // namespace

AskedRequest asked_request(Version v, AskedBy by, const json& params, const json& capabilities) {
  AskedRequest request{.version = v, .by = std::move(by)};
  if (is_modern(v)) {
    const json meta = read_field<json>(params, "_meta").value_or(json::object());
    request.client =
        read_field<json>(meta, "io.modelcontextprotocol/clientCapabilities").value_or(json::object());
    request.state = read_field<json>(params, "requestState");
    request.responses = read_field<json>(params, "inputResponses");
  } else if (capabilities.is_object()) {
    request.client = capabilities;
    if (!has_elicitation(v))  // nothing is asked there, whatever the client says
      for (const char* word : {"elicitation", "sampling", "roots"}) request.client.erase(word);
  }
  return request;
}

tl::expected<json, RpcError> Questions::run(const AskedRequest& request, CallContext& call,
                                            const Work& work) {
  call.client = request.client;
  return is_modern(request.version) ? run_modern(request, call, work) : run_legacy(request, call, work);
}

tl::expected<json, RpcError> Questions::run_modern(const AskedRequest& request, CallContext& call,
                                                   const Work& work) {
  int rounds = 0;
  if (request.state) {
    if (!request.state->is_string()) return tl::unexpected(invalid("requestState must be a string"));
    const auto key = memory_.key();
    if (!key) return tl::unexpected(unchecked(key.error()));
    const TimePoint now = memory_.now();
    auto earlier = unseal(request.state->get_ref<const std::string&>(), request.by, *key, now);
    if (!earlier) return tl::unexpected(earlier.error());

    const bool too_fast = now - earlier->issued < memory_.too_fast;
    const json responses = request.responses.value_or(json::object());
    std::vector<Question> missing;
    for (const Question& question : earlier->asks) {
      const auto response = responses.is_object() ? responses.find(question.key) : responses.end();
      const auto answer = responses.is_object() && response != responses.end()
                              ? read_answer(question, *response, too_fast)
                              : std::nullopt;
      if (answer)
        earlier->given[question.key] = to_wire(*answer);
      else
        missing.push_back(question);
    }
    if (!missing.empty() && !earlier->again) {
      RequestState next = *earlier;
      next.asks = missing;
      next.again = true;
      if (auto result = input_required(std::move(next), request)) return *std::move(result);
    }
    for (const Question& question : missing) earlier->given[question.key] = to_wire(Answer{});
    if (request.once) {  // on disk before the tool acts on it
      const auto first = memory_.take(earlier->mark, earlier->expires, now);
      if (!first) return tl::unexpected(unchecked(first.error()));
      if (!*first) return tl::unexpected(invalid("requestState was used already; call again without it"));
    }
    for (const auto& [name, answer] : earlier->given.items()) call.answers[name] = from_wire(answer);
    call.ask_state = std::move(earlier->state);
    rounds = earlier->round;
  }

  Round round = work(call);
  if (round.asks.empty() || rounds >= kMostRounds || !can_ask_all(request, round.asks))
    return std::move(round.result);
  RequestState state{.asks = std::move(round.asks), .state = std::move(round.state), .round = rounds + 1};
  if (auto result = input_required(std::move(state), request)) return *std::move(result);
  return std::move(round.result);
}

std::optional<json> Questions::input_required(RequestState state, const AskedRequest& request) const {
  const auto key = memory_.key();
  if (!key) {
    log_fact("cannot ask: ", key.error().what, "; ", key.error().next_step);
    return std::nullopt;
  }
  state.issued = memory_.now();
  if (state.mark.empty()) {  // what is asked again keeps both: its answer counts once for all its states
    state.expires = state.issued + kAskFor;
    state.mark = random_hex(16);
  }
  std::string sealed = seal(state, request.by, *key);
  if (sealed.empty()) {
    log_fact("cannot ask: the state of ", request.by.name, " is too long");
    return std::nullopt;
  }
  json asks = json::object();
  for (const Question& question : state.asks) {
    json& one = asks[question.key] = {{"method", question.method}};
    const auto params = params_of(question, request.version);
    if (params && !params->is_null()) one["params"] = *params;
  }
  json result =
      complete({{"inputRequests", std::move(asks)}, {"requestState", std::move(sealed)}}, request.version);
  result["resultType"] = "input_required";
  return result;
}

tl::expected<json, RpcError> Questions::run_legacy(const AskedRequest& request, CallContext& call,
                                                   const Work& work) {
  for (int rounds = 0;; ++rounds) {
    Round round = work(call);
    if (round.asks.empty() || rounds >= kMostRounds || !can_ask_all(request, round.asks))
      return std::move(round.result);
    call.answers.clear();
    for (const Question& question : round.asks) {
      call.answers[question.key] = ask_now(question, request.version, call);
      if (call.stop.stop_requested()) return std::move(round.result);
    }
    call.ask_state = std::move(round.state);
  }
}

Answer Questions::ask_now(const Question& question, Version v, CallContext& call) {
  call.progress(0, "waiting for the user's answer");
  const auto came =
      requests_.ask(question.method, params_of(question, v).value_or(json()), memory_.wait, call.stop);
  if (!came) {
    log_fact("not asked: ", came.error().what);
    return {};
  }
  return read_answer(question, came->result, came->took < memory_.too_fast).value_or(Answer{});
}

}  // namespace vastgpu
