// What a session answers about values that are typed, about changes, and about tasks.
#include <algorithm>

#include "core/text.h"
#include "server/render.h"
#include "server/session.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxCompletions = 100;  // the protocol's limit
constexpr std::size_t kMaxTyped = 2000;       // bytes of what was typed, or chosen before
constexpr std::size_t kMaxChosen = 50;

RpcError invalid(std::string message) { return {kInvalidParams, std::move(message), {}}; }

/// The variables of a template: {instance_id} and {experiment}.
bool has_variable(const std::string& uri_template, const std::string& name) {
  return uri_template.find("{" + name + "}") != std::string::npos;
}

std::map<std::string, std::string> chosen_in(const json& params) {
  std::map<std::string, std::string> chosen;
  const json context = read_field<json>(params, "context").value_or(json());
  const json arguments = read_field<json>(context, "arguments").value_or(json());
  if (!arguments.is_object()) return chosen;
  for (const auto& [name, value] : arguments.items())
    if (value.is_string() && chosen.size() < kMaxChosen &&
        value.get_ref<const std::string&>().size() <= kMaxTyped)
      chosen[name] = value.get<std::string>();
  return chosen;
}

/// Those that begin with what was typed, each once, in their order.
json matching(const std::vector<std::string>& values, const std::string& typed) {
  std::vector<std::string> found;
  for (const std::string& value : values)
    if (starts_with_ignoring_case(value, typed) && std::ranges::find(found, value) == found.end())
      found.push_back(value);
  const std::size_t total = found.size();
  if (total > kMaxCompletions) found.resize(kMaxCompletions);
  return {
      {"completion", {{"values", std::move(found)}, {"total", total}, {"hasMore", total > kMaxCompletions}}}};
}

}  // namespace

void Session::complete_argument(Incoming in) {
  const json ref = read_field<json>(in.params, "ref").value_or(json());
  const json argument = read_field<json>(in.params, "argument").value_or(json());
  const auto name = read_field<std::string>(argument, "name");
  const auto typed = read_field<std::string>(argument, "value");
  if (!name || !typed || typed->size() > kMaxTyped)
    return std::move(in.reply).error(invalid("argument needs a name and a value, both strings"));

  std::vector<std::string> fixed;
  std::string what;  // is asked of the ledger
  if (const auto type = read_field<std::string>(ref, "type"); type == "ref/prompt") {
    const auto wanted = read_field<std::string>(ref, "name").value_or("");
    const auto prompt = std::ranges::find(parts_.prompts, wanted, &Prompt::name);
    if (prompt == parts_.prompts.end()) return std::move(in.reply).error(invalid("Unknown prompt in ref"));
    const auto known = std::ranges::find(prompt->arguments, *name, &PromptArgument::name);
    if (known != prompt->arguments.end()) {
      fixed = known->suggestions;
      what = known->completes;
    }
  } else if (type == "ref/resource") {
    const auto uri = read_field<std::string>(ref, "uri").value_or("");
    const auto& all = parts_.resources.templates;
    if (std::ranges::find(all, uri, &ResourceTemplate::uri_template) == all.end())
      return std::move(in.reply).error(invalid("Unknown resource template in ref"));
    if (has_variable(uri, *name)) what = *name;
  } else {
    return std::move(in.reply).error(invalid("ref must be a ref/prompt or a ref/resource"));
  }
  const Version v = in.version;
  if (what.empty() || !parts_.suggest)
    return std::move(in.reply).result(complete(matching(fixed, *typed), v));
  SuggestRequest request{what, *typed, chosen_in(in.params)};
  start(std::move(in), resource_workers_,  // the ledger lies on disk
        [this, v, fixed = std::move(fixed),
         request = std::move(request)](CallContext&) mutable -> tl::expected<json, RpcError> {
          for (std::string& value : parts_.suggest(request)) fixed.push_back(std::move(value));
          return complete(matching(fixed, request.typed), v);
        },
        "completing", {});
}

void Session::listen(Incoming in) {
  if (subscriptions_.has(in.reply.id()) || calls_.has(in.reply.id()))
    return std::move(in.reply).error({kInvalidRequest, "this id is in use", {}});
  const bool knows_tasks = takes_tasks(in.params);
  subscriptions_.listen(in.params, knows_tasks, std::move(in.reply));
}

void Session::subscribe(Incoming in) {
  const auto uri = read_field<std::string>(in.params, "uri");
  if (!uri) return std::move(in.reply).error(invalid("uri must be a string"));
  subscriptions_.subscribe(*uri, std::move(in.reply));
}

void Session::unsubscribe(Incoming in) {
  const auto uri = read_field<std::string>(in.params, "uri");
  if (!uri) return std::move(in.reply).error(invalid("uri must be a string"));
  subscriptions_.unsubscribe(*uri, std::move(in.reply));
}

void Session::about_task(Incoming in) {
  if (!takes_tasks(in.params)) return std::move(in.reply).error(tasks_undeclared());
  auto ask = &Tasks::get;
  if (in.method == "tasks/update") ask = &Tasks::update;
  if (in.method == "tasks/cancel") ask = &Tasks::cancel;
  json params = std::move(in.params);
  in.params = json::object();  // no progress is sent for tasks
  start(std::move(in), resource_workers_,
        [this, ask, params = std::move(params)](CallContext&) { return (tasks_.*ask)(params); }, "a task",
        {});
}

}  // namespace vastgpu
