// Tools that must ask the client before they can answer. The rounds are told apart by the answers that came.
#include "tests/conformance/fixture_tools.h"

namespace vastgpu {
namespace {

json text_block(const std::string& text) { return {{"type", "text"}, {"text", text}}; }
json no_arguments() { return {{"type", "object"}, {"properties", json::object()}}; }

json form(const std::string& field, const json& kind) {
  return {{"type", "object"}, {"properties", {{field, kind}}}, {"required", {field}}};
}
json word() { return {{"type", "string"}}; }

Question ask_form(const std::string& key, const std::string& message, json schema) {
  return {.key = key, .message = message, .schema = std::move(schema)};
}
Question ask_sample(const std::string& key, const std::string& prompt, int tokens) {
  return {.key = key,
          .method = "sampling/createMessage",
          .params = {{"messages", json::array({{{"role", "user"}, {"content", text_block(prompt)}}})},
                     {"maxTokens", tokens}}};
}
Question ask_roots(const std::string& key) {
  return {.key = key, .method = "roots/list", .params = json::object()};
}

const char* word_of(Answer::Action action) {
  static constexpr const char* kWords[] = {"accept", "decline", "cancel", "not_asked"};
  return kWords[static_cast<std::size_t>(action)];
}

/// Asks, unless the answers are there; then says what they were.
Result<Envelope> ask_or_tell(CallContext& call, std::vector<Question> questions, json state = {},
                             const std::string& before = "") {
  std::string told = before;
  for (const Question& question : questions) {
    const auto at = call.answers.find(question.key);
    if (at == call.answers.end()) {
      Envelope e;
      e.outcome = "asking";
      e.summary = "This needs an answer of the client, which cannot be asked.";
      e.asks = std::move(questions);
      e.ask_state = std::move(state);
      return e;
    }
    if (at->second.action == Answer::Action::not_asked)
      return fail({.code = Code::unavailable, .what = "The client cannot be asked: " + question.method});
    told += std::string(told.empty() ? "" : "; ") + "action=" + word_of(at->second.action) +
            ", content=" + dump(at->second.content);
  }
  Envelope e;
  e.blocks = {text_block(told)};
  return e;
}

Tool asking(const std::string& name, std::vector<Question> questions, json state = {},
            std::string before = "") {
  return {
      .spec = {.name = name, .description = "Asks the client"},
      .input_schema = no_arguments(),
      .call = [=](const json&, CallContext& call) { return ask_or_tell(call, questions, state, before); }};
}

Tool asking_with(const std::string& name, const std::string& argument,
                 std::function<Question(const std::string&)> question, const std::string& before) {
  return {
      .spec = {.name = name, .description = "Asks the client"},
      .input_schema = form(argument, word()),
      .call = [=](const json& arguments, CallContext& call) -> Result<Envelope> {
        const auto given = arguments.find(argument);
        if (given == arguments.end() || !given->is_string())
          return fail({.code = Code::invalid_argument, .what = "argument " + argument + " must be a string"});
        return ask_or_tell(call, {question(given->get<std::string>())}, {}, before);
      }};
}

Tool two_rounds() {
  return {.spec = {.name = "test_input_required_result_multi_round", .description = "Asks twice"},
          .input_schema = no_arguments(),
          .call = [](const json&, CallContext& call) -> Result<Envelope> {
            if (!call.answers.contains("step1") && !call.answers.contains("step2"))
              return ask_or_tell(call,
                                 {ask_form("step1", "Step 1: What is your name?", form("name", word()))},
                                 {{"round", 1}});
            return ask_or_tell(
                call, {ask_form("step2", "Step 2: What is your favorite color?", form("color", word()))},
                {{"round", 2}});
          }};
}

Tool only_what_it_can() {
  return {.spec = {.name = "test_input_required_result_capabilities", .description = "Asks what it may"},
          .input_schema = no_arguments(),
          .call = [](const json&, CallContext& call) -> Result<Envelope> {
            std::vector<Question> questions;
            if (call.client.contains("elicitation"))
              questions.push_back(ask_form("user_name", "What is your name?", form("name", word())));
            if (call.client.contains("sampling")) questions.push_back(ask_sample("greeting", "Greet", 50));
            return ask_or_tell(call, questions);
          }};
}

json every_default() {
  return json::parse(R"({"type":"object","properties":{
    "name":{"type":"string","description":"User name","default":"John Doe"},
    "age":{"type":"integer","description":"User age","default":30},
    "score":{"type":"number","description":"User score","default":95.5},
    "status":{"type":"string","enum":["active","inactive","pending"],"default":"active"},
    "verified":{"type":"boolean","default":true}},"required":[]})");
}

json every_choice() {
  return json::parse(R"({"type":"object","properties":{
    "untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
    "titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},
      {"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},
    "legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],"enumNames":["Option One","Option Two","Option Three"]},
    "untitledMulti":{"type":"array","items":{"type":"string","enum":["option1","option2","option3"]}},
    "titledMulti":{"type":"array","items":{"anyOf":[{"const":"value1","title":"First Choice"},
      {"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}},"required":[]})");
}

}  // namespace

std::vector<Tool> conformance_asking_tools() {
  const std::string mrtr = "test_input_required_result_";
  const Question name = ask_form("user_name", "What is your name?", form("name", word()));
  const Question confirm = ask_form("confirm", "Please confirm", form("ok", {{"type", "boolean"}}));
  json two = form("username", word());
  two["properties"]["email"] = word();
  two["required"].push_back("email");
  return {
      asking_with(
          "test_sampling", "prompt",
          [](const std::string& prompt) { return ask_sample("sample", prompt, 100); }, "LLM response"),
      asking_with(
          "test_elicitation", "message",
          [two](const std::string& message) { return ask_form("user", message, two); }, "User response"),
      asking("test_elicitation_sep1034_defaults", {ask_form("user", "Please check", every_default())}, {},
             "Elicitation completed"),
      asking("test_elicitation_sep1330_enums", {ask_form("user", "Please choose", every_choice())}, {},
             "Elicitation completed"),
      asking("test_streaming_elicitation", {confirm}),
      asking(mrtr + "elicitation", {name}),
      asking(mrtr + "sampling", {ask_sample("capital_question", "What is the capital of France?", 100)}),
      asking(mrtr + "list_roots", {ask_roots("client_roots")}),
      asking(mrtr + "request_state", {confirm}, {{"step", "confirm"}}, "state-ok"),
      asking(mrtr + "multiple_inputs",
             {name, ask_sample("greeting", "Generate a greeting", 50), ask_roots("client_roots")},
             {{"step", "all"}}),
      asking(mrtr + "tampered_state", {confirm}, {{"step", "confirm"}}),
      two_rounds(),
      only_what_it_can(),
  };
}

}  // namespace vastgpu
