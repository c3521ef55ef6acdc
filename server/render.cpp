#include "server/render.h"

#include "core/base64.h"
#include "core/conceal.h"

namespace vastgpu {
namespace {

constexpr auto kKeepLists =
    std::chrono::milliseconds(std::chrono::hours(1));  // ours never change while we run

struct Hints {
  bool read_only, destructive, idempotent;
};

Hints hints(ToolEffect effect) {
  switch (effect) {
    case ToolEffect::read_only:
      return {true, false, true};
    case ToolEffect::writes_files:
      return {false, false, true};
    // Clients ask before what is destructive, and money that is spent does not come back.
    case ToolEffect::spends_money:
      return {false, true, false};
    case ToolEffect::destroys:
      return {false, true, true};
  }
  return {false, true, false};
}

/// name, title, description as all four kinds of definition have them.
template <class Described>
json described(const Described& thing, Version v) {
  json j = {{"name", thing.name}};
  if (!thing.description.empty()) j["description"] = thing.description;
  if (has_titles(v) && !thing.title.empty()) j["title"] = thing.title;
  return j;
}

json text_block(const std::string& text) { return json::array({{{"type", "text"}, {"text", text}}}); }

json link_block(const ResourceLink& link) {
  return {{"type", "resource_link"}, {"uri", link.uri}, {"name", link.name}, {"mimeType", link.mime_type}};
}

/// A block as this revision may have it: older parsers refuse a kind that they do not know.
json gated(const json& block, Version v) {
  const std::string kind = block.value("type", "");
  const bool known = (kind != "audio" || has_audio(v)) && (kind != "resource_link" || has_resource_links(v));
  if (known) return block;
  const std::string name = block.value("uri", block.value("mimeType", ""));
  return {{"type", "text"}, {"text", "[" + kind + ": " + name + "]"}};
}

}  // namespace

json server_info(Version v) {
  json info = {{"name", "vast-gpu"}, {"version", VASTGPU_VERSION}};
  if (has_titles(v)) info["title"] = "Vast.ai GPUs";
  return info;
}

json server_capabilities(Version v, Extras extras) {
  // Tools and prompts never change; what can be read comes and goes with rentals.
  json can = {{"tools", json::object()}, {"prompts", json::object()}, {"resources", json::object()}};
  if (extras.watched) can["resources"]["subscribe"] = true;
  if (extras.watched && is_modern(v)) can["resources"]["listChanged"] = true;  // told to a listen only
  if (extras.tasks && is_modern(v)) can["extensions"]["io.modelcontextprotocol/tasks"] = json::object();
  if (has_completions_capability(v)) can["completions"] = json::object();
  if (!is_modern(v) || extras.modern_logging) can["logging"] = json::object();
  return can;
}

json complete(json result, Version v) {
  if (!is_modern(v)) return result;
  result["resultType"] = "complete";
  result["_meta"]["io.modelcontextprotocol/serverInfo"] = server_info(v);
  return result;
}

json complete(json result, Version v, Caching caching) {
  if (is_modern(v)) {
    const bool fixed = caching == Caching::fixed;
    result["ttlMs"] = fixed ? kKeepLists.count() : 0;
    result["cacheScope"] = fixed ? "public" : "private";
  }
  return complete(std::move(result), v);
}

json render_tool(const Tool& tool, Version v) {
  json j = described(tool.spec, v);
  j["inputSchema"] = tool.input_schema;
  if (has_annotations(v)) {
    const Hints h = hints(tool.spec.effect);
    j["annotations"] = {{"readOnlyHint", h.read_only},
                        {"destructiveHint", h.destructive},
                        {"idempotentHint", h.idempotent},
                        {"openWorldHint", true}};
    if (!tool.spec.title.empty()) j["annotations"]["title"] = tool.spec.title;
  }
  if (has_structured_content(v)) {
    const json schema = tool.make_output_schema ? tool.make_output_schema() : tool.output_schema;
    if (!schema.is_null()) j["outputSchema"] = schema;
  }
  if (has_titles(v) && !tool.view.empty()) j["_meta"]["ui"]["resourceUri"] = tool.view;
  return j;
}

json render_prompt(const Prompt& prompt, Version v) {
  json j = described(prompt, v);
  for (const PromptArgument& argument : prompt.arguments) {
    json a = {{"name", argument.name}, {"required", argument.required}};
    if (!argument.description.empty()) a["description"] = argument.description;
    j["arguments"].push_back(std::move(a));
  }
  return j;
}

json render_resource(const ResourceInfo& resource, Version v) {
  json j = described(resource, v);
  j["uri"] = resource.uri;
  if (!resource.mime_type.empty()) j["mimeType"] = resource.mime_type;
  if (!resource.audience.empty()) j["annotations"]["audience"] = resource.audience;
  if (resource.priority) j["annotations"]["priority"] = *resource.priority;
  if (has_titles(v) && !resource.last_modified.empty())
    j["annotations"]["lastModified"] = resource.last_modified;
  return j;
}

json render_template(const ResourceTemplate& resource, Version v) {
  json j = described(resource, v);
  j["uriTemplate"] = resource.uri_template;
  if (!resource.mime_type.empty()) j["mimeType"] = resource.mime_type;
  return j;
}

json render_content(const ResourceContent& content) {
  json item = {{"uri", content.uri}, {"mimeType", content.mime_type}};
  if (content.binary)
    item["blob"] = to_base64(content.text);
  else
    item["text"] = content.mime_type.starts_with("text/html") ? content.text : concealed(content.text);
  if (!content.meta.empty()) item["_meta"] = content.meta;
  return item;
}

Result<std::vector<PromptMessage>> prompt_messages(const Prompt& prompt,
                                                   const std::map<std::string, std::string>& arguments) {
  if (prompt.messages) return prompt.messages(arguments);
  return prompt.text(arguments).map([](const std::string& text) {
    return std::vector<PromptMessage>{{.content = {{"type", "text"}, {"text", text}}}};
  });
}

json render_messages(const std::vector<PromptMessage>& messages, Version v) {
  json all = json::array();
  for (const PromptMessage& one : messages)
    all.push_back({{"role", one.role}, {"content", gated(one.content, v)}});
  return all;
}

json render_answer(const Envelope& envelope, Version v) {
  json result = {{"content", json::array()}, {"isError", false}};
  if (envelope.blocks.empty()) result["content"] = text_block(to_text(envelope));
  for (const json& block : envelope.blocks) result["content"].push_back(gated(block, v));
  if (has_structured_content(v) && !envelope.outcome.empty())
    result["structuredContent"] = to_structured(envelope);
  if (has_resource_links(v))  // older parsers refuse a block that they do not know
    for (const ResourceLink& link : envelope.links) result["content"].push_back(link_block(link));
  return complete(std::move(result), v);
}

json render_failure(const Error& error, Version v) {
  return complete({{"content", text_block(to_text(error))}, {"isError", true}}, v);
}

}  // namespace vastgpu
