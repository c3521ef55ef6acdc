#include <condition_variable>
#include <mutex>

#include "tests/conformance/fixture_tools.h"

namespace vastgpu {
namespace {

using namespace std::chrono_literals;

json text_block(const std::string& text) { return {{"type", "text"}, {"text", text}}; }
json resource_block(const std::string& uri, const std::string& mime, const std::string& text) {
  return {{"type", "resource"}, {"resource", {{"uri", uri}, {"mimeType", mime}, {"text", text}}}};
}
json image_block() { return {{"type", "image"}, {"data", pixel_png()}, {"mimeType", "image/png"}}; }

json no_arguments() { return {{"type", "object"}, {"properties", json::object()}}; }

/// A pause that ends when the call does.
void pause(CallContext& call, std::chrono::milliseconds time) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any never;
  never.wait_for(lock, call.stop, time, [] { return false; });
}

Envelope blocks(std::vector<json> all) {
  Envelope e;
  e.blocks = std::move(all);
  return e;
}

/// A tool without arguments that always answers the same blocks.
Tool fixed(const std::string& name, const std::string& description, std::vector<json> all) {
  return {
      .spec = {.name = name, .description = description},
      .input_schema = no_arguments(),
      .call = [all = std::move(all)](const json&, CallContext&) -> Result<Envelope> { return blocks(all); }};
}

Tool logging_tool(const std::string& name) {
  return {.spec = {.name = name, .description = "Writes three lines to the client's log"},
          .input_schema = no_arguments(),
          .call = [](const json&, CallContext& call) -> Result<Envelope> {
            for (const char* line :
                 {"Tool execution started", "Tool processing data", "Tool execution completed"}) {
              if (call.log) call.log("info", line);
              pause(call, 50ms);
            }
            return blocks({text_block("Three lines were written.")});
          }};
}

Tool progress_tool() {
  return {.spec = {.name = "test_tool_with_progress", .description = "Reports progress three times"},
          .input_schema = no_arguments(),
          .call = [](const json&, CallContext& call) -> Result<Envelope> {
            for (const double done : {0.0, 50.0, 100.0}) {
              call.progress(done, "at work");
              pause(call, 1100ms);  // longer than the pace of the wire, so that each of them goes out
            }
            return blocks({text_block("Progress was reported.")});
          }};
}

Tool schema_tool() {
  // Keywords that a server must pass through as they stand.
  const char* const schema = R"({
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": {"$anchor": "addressDef", "type": "object",
                          "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
    "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"},
                   "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                   "phone": {"type": "string"}, "email": {"type": "string"}},
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]}, "else": {"required": ["email"]},
    "additionalProperties": false})";
  Tool tool = fixed("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", {text_block("ok")});
  tool.input_schema = json::parse(schema);
  return tool;
}

Tool failing_tool() {
  return {.spec = {.name = "test_error_handling", .description = "Fails"},
          .input_schema = no_arguments(),
          .call = [](const json&, CallContext&) -> Result<Envelope> {
            return fail(
                {.code = Code::unavailable, .what = "This tool intentionally returns an error for testing"});
          }};
}

Prompt prompt(
    const std::string& name, std::vector<PromptArgument> arguments,
    std::function<Result<std::vector<PromptMessage>>(const std::map<std::string, std::string>&)> say) {
  return {.name = name,
          .title = name,
          .description = "A prompt of the conformance suite",
          .arguments = std::move(arguments),
          .text = {},
          .messages = std::move(say)};
}

Prompt asking_prompt() {
  Prompt asks =
      prompt("test_input_required_result_prompt", {},
             [](const std::map<std::string, std::string>& given) -> Result<std::vector<PromptMessage>> {
               const auto context = given.find("context");
               return std::vector<PromptMessage>{
                   {.content = text_block(context == given.end() ? "No context." : context->second)}};
             });
  asks.form = [](const std::map<std::string, std::string>& given) -> std::optional<PromptForm> {
    if (given.contains("context")) return std::nullopt;
    return PromptForm{.message = "What context should the prompt use?",
                      .schema = {{"type", "object"},
                                 {"properties", {{"context", {{"type", "string"}}}}},
                                 {"required", {"context"}}}};
  };
  return asks;
}

}  // namespace

std::string pixel_png() {
  return "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
}
std::string silent_wav() { return "UklGRiUAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQEAAACA"; }

std::vector<Tool> conformance_tools() {
  const json audio = {{"type", "audio"}, {"data", silent_wav()}, {"mimeType", "audio/wav"}};
  std::vector<Tool> tools = {
      fixed("test_simple_text", "Text", {text_block("This is a simple text response for testing.")}),
      fixed("test_image_content", "An image", {image_block()}),
      fixed("test_audio_content", "A sound", {audio}),
      fixed("test_embedded_resource", "A resource in the answer",
            {resource_block("test://embedded-resource", "text/plain",
                            "This is an embedded resource content.")}),
      fixed("test_multiple_content_types", "Text, an image and a resource",
            {text_block("Multiple content types test:"), image_block(),
             resource_block("test://mixed-content-resource", "application/json",
                            R"({"test":"data","value":123})")}),
      failing_tool(),
      logging_tool("test_tool_with_logging"),
      logging_tool("test_logging_tool"),
      progress_tool(),
      schema_tool(),
  };
  Tool needs_sampling =
      fixed("test_missing_capability", "Needs a client that samples", {text_block("sampled")});
  needs_sampling.needs = {{"sampling", json::object()}};
  tools.push_back(std::move(needs_sampling));
  return tools;
}

std::vector<Prompt> conformance_prompts() {
  using Messages = std::vector<PromptMessage>;
  using Given = std::map<std::string, std::string>;
  return {
      prompt("test_simple_prompt", {},
             [](const Given&) -> Result<Messages> {
               return Messages{{.content = text_block("This is a simple prompt for testing.")}};
             }),
      prompt("test_prompt_with_arguments",
             {{.name = "arg1",
               .description = "First",
               .required = true,
               .suggestions = {"paris", "park", "party"}},
              {.name = "arg2", .description = "Second", .required = true}},
             [](const Given& given) -> Result<Messages> {
               return Messages{{.content = text_block("Prompt with arguments: arg1='" + given.at("arg1") +
                                                      "', arg2='" + given.at("arg2") + "'")}};
             }),
      prompt("test_prompt_with_embedded_resource",
             {{.name = "resourceUri", .description = "What to embed", .required = true}},
             [](const Given& given) -> Result<Messages> {
               return Messages{{.content = resource_block(given.at("resourceUri"), "text/plain",
                                                          "Embedded resource content for testing.")},
                               {.content = text_block("Please process the embedded resource above.")}};
             }),
      asking_prompt(),
      prompt("test_prompt_with_image", {},
             [](const Given&) -> Result<Messages> {
               return Messages{{.content = image_block()},
                               {.content = text_block("Please analyze the image above.")}};
             }),
  };
}

}  // namespace vastgpu
