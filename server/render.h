#pragma once
// What results look like in each revision: fields that an older client does not know are left out. Pure; any
// thread.

#include <chrono>
#include <string>

#include "prompts/prompt.h"
#include "server/version.h"
#include "tools/resource.h"
#include "tools/tool.h"

namespace vastgpu {

json server_info(Version v);
/// What only some servers can do.
struct Extras {
  bool watched = false;  ///< resources can be subscribed to
  bool tasks = false;
  bool modern_logging = false;  ///< see ServerParts
};
json server_capabilities(Version v, Extras extras = {});

/// Adds what every result of this revision carries.
json complete(json result, Version v);

/// How long a client may keep a list, and for whom; modern lists and reads must say so, nothing else may.
enum class Caching { fixed, personal };
json complete(json result, Version v, Caching caching);

json render_tool(const Tool& tool, Version v);
json render_prompt(const Prompt& prompt, Version v);
json render_resource(const ResourceInfo& resource, Version v);
json render_template(const ResourceTemplate& resource, Version v);
json render_content(const ResourceContent& content);

/// What a prompt says for these arguments, by either of its functions.
Result<std::vector<PromptMessage>> prompt_messages(const Prompt& prompt,
                                                   const std::map<std::string, std::string>& arguments);
json render_messages(const std::vector<PromptMessage>& messages, Version v);

/// The result of tools/call: the same facts as text and, where the revision has it, as structured content.
json render_answer(const Envelope& envelope, Version v);
/// A tool that failed is a result, since a model can act on it. The text carries every fact.
json render_failure(const Error& error, Version v);

}  // namespace vastgpu
