// What each method answers. The lists come from the reading thread; calls and resources from workers.
#include <algorithm>

#include "core/text.h"
#include "server/prompt_round.h"
#include "server/render.h"
#include "server/session.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxListens = 32;         // they cost a map entry each; a client needs one
constexpr std::size_t kMaxPromptText = 10'000;  // bytes of one prompt argument
constexpr std::size_t kMaxCompletions = 100;    // the protocol's limit

RpcError invalid(std::string message, json data = {}) {
  return {kInvalidParams, std::move(message), std::move(data)};
}

/// Lists come in one page, so no cursor was ever handed out; an empty one is a cursor too.
bool has_cursor(const json& params) {
  const auto cursor = params.find("cursor");
  return cursor != params.end() && !cursor->is_null();
}
RpcError bad_cursor() { return invalid("Unknown cursor: this list has one page"); }

template <class T>
const T* find_named(const std::vector<T>& all, std::string_view name) {
  const auto at = std::ranges::find(all, name, &T::name);
  return at == all.end() ? nullptr : &*at;
}
const Tool* find_tool(const std::vector<Tool>& all, std::string_view name) {
  const auto at = std::ranges::find(all, name, [](const Tool& tool) { return tool.spec.name; });
  return at == all.end() ? nullptr : &*at;
}

std::optional<json> progress_token(const json& params) {
  const auto meta = params.find("_meta");
  if (meta == params.end() || !meta->is_object()) return std::nullopt;
  const auto token = meta->find("progressToken");
  if (token == meta->end() || !(token->is_string() || token->is_number_integer())) return std::nullopt;
  return *token;
}

RpcError resource_error(const Error& error, const std::string& uri, Version v) {
  switch (error.code) {
    case Code::not_found:
      return {is_modern(v) ? kInvalidParams : kLegacyResourceNotFound, "Resource not found", {{"uri", uri}}};
    case Code::invalid_argument:
      return invalid(error.what, {{"uri", uri}});
    default:
      return {kInternalError, error.what, {{"uri", uri}}};
  }
}

}  // namespace

void Session::discover(Incoming in) {
  json result = {{"supportedVersions", {to_string(Version::v2026_07_28)}},
                 {"capabilities", server_capabilities(in.version, parts_.modern_logging)}};
  if (!parts_.instructions.empty()) result["instructions"] = parts_.instructions;
  std::move(in.reply).result(complete(std::move(result), in.version, Caching::fixed));
}

void Session::ping(Incoming in) { std::move(in.reply).raw_result("{}"); }

void Session::set_log_level(Incoming in) {
  const auto level = in.params.find("level");
  const auto rank = level == in.params.end() ? std::nullopt : log_rank(*level);
  if (!rank) return std::move(in.reply).error(invalid("unknown log level"));
  log_floor_ = *rank;
  std::move(in.reply).raw_result("{}");
}

void Session::list_tools(Incoming in) {
  if (has_cursor(in.params)) return std::move(in.reply).error(bad_cursor());
  std::string& cached = tool_lists_[static_cast<std::size_t>(in.version)];
  if (cached.empty()) {
    json tools = json::array();
    for (const Tool& tool : parts_.tools) tools.push_back(render_tool(tool, in.version));
    cached = dump(complete({{"tools", std::move(tools)}}, in.version, Caching::fixed));
  }
  std::move(in.reply).raw_result(cached);
}

void Session::list_prompts(Incoming in) {
  if (has_cursor(in.params)) return std::move(in.reply).error(bad_cursor());
  json prompts = json::array();
  for (const Prompt& prompt : parts_.prompts) prompts.push_back(render_prompt(prompt, in.version));
  std::move(in.reply).result(complete({{"prompts", std::move(prompts)}}, in.version, Caching::fixed));
}

void Session::get_prompt(Incoming in) {
  const std::string name = read_field<std::string>(in.params, "name").value_or("");
  const Prompt* prompt = find_named(parts_.prompts, name);
  if (!prompt) return std::move(in.reply).error(invalid("Unknown prompt: " + clean_line(name, 100)));

  std::map<std::string, std::string> arguments;
  if (const auto given = in.params.find("arguments"); given != in.params.end() && !given->is_null()) {
    if (!given->is_object()) return std::move(in.reply).error(invalid("arguments must be an object"));
    for (const auto& [key, value] : given->items()) {
      if (!value.is_string() || value.get_ref<const std::string&>().size() > kMaxPromptText)
        return std::move(in.reply).error(
            invalid("argument " + clean_line(key, 100) + " must be a string of at most 10000 bytes"));
      arguments[key] = value.get<std::string>();
    }
  }
  const Version v = in.version;
  if (!prompt->form) {
    const auto result = prompt_round(*prompt, std::move(arguments), v, CallContext{}).result;
    return result ? std::move(in.reply).result(*result) : std::move(in.reply).error(result.error());
  }
  AskedRequest asked = asked_request(v, {.method = in.method, .name = name, .arguments = arguments},
                                     in.params, legacy_client_);
  asked.once = false;  // words cost nothing
  start(std::move(in), tool_workers_,
        [this, prompt, v, arguments, asked = std::move(asked)](CallContext& call) {
          return questions_.run(
              asked, call, [&](CallContext& round) { return prompt_round(*prompt, arguments, v, round); });
        },
        name, {});
}

void Session::list_templates(Incoming in) {
  if (has_cursor(in.params)) return std::move(in.reply).error(bad_cursor());
  json templates = json::array();
  for (const ResourceTemplate& one : parts_.resources.templates)
    templates.push_back(render_template(one, in.version));
  std::move(in.reply).result(
      complete({{"resourceTemplates", std::move(templates)}}, in.version, Caching::fixed));
}

void Session::complete_argument(Incoming in) {
  const json ref = read_field<json>(in.params, "ref").value_or(json());
  const json argument = read_field<json>(in.params, "argument").value_or(json());
  const auto name = read_field<std::string>(argument, "name");
  const auto typed = read_field<std::string>(argument, "value");
  if (!name || !typed)
    return std::move(in.reply).error(invalid("argument needs a name and a value, both strings"));

  json values = json::array();
  if (const auto type = read_field<std::string>(ref, "type"); type == "ref/prompt") {
    const Prompt* prompt = find_named(parts_.prompts, read_field<std::string>(ref, "name").value_or(""));
    if (!prompt) return std::move(in.reply).error(invalid("Unknown prompt in ref"));
    if (const PromptArgument* known = find_named(prompt->arguments, *name))
      for (const std::string& value : known->suggestions)
        if (starts_with_ignoring_case(value, *typed) && values.size() < kMaxCompletions)
          values.push_back(value);
  } else if (type == "ref/resource") {
    // What would fit (machines, experiments) is in the ledger, which is not opened for every keystroke.
    const auto uri = read_field<std::string>(ref, "uri").value_or("");
    if (std::ranges::find(parts_.resources.templates, uri, &ResourceTemplate::uri_template) ==
        parts_.resources.templates.end())
      return std::move(in.reply).error(invalid("Unknown resource template in ref"));
  } else {
    return std::move(in.reply).error(invalid("ref must be a ref/prompt or a ref/resource"));
  }
  const std::size_t total = values.size();
  std::move(in.reply).result(complete(
      {{"completion", {{"values", std::move(values)}, {"total", total}, {"hasMore", false}}}}, in.version));
}

void Session::listen(Incoming in) {
  const auto wanted = in.params.find("notifications");
  if (wanted == in.params.end() || !wanted->is_object())
    return std::move(in.reply).error(invalid("notifications must be an object"));
  const std::string key = dump(in.reply.id());
  if (listens_.contains(key) || calls_.has(in.reply.id()))
    return std::move(in.reply).error({kInvalidRequest, "this id is in use", {}});
  if (listens_.size() >= kMaxListens)
    return std::move(in.reply).error(invalid("too many open subscriptions"));
  // Nothing of ours is announced, so nothing is promised; the request stays open, as the protocol has it.
  writer_.write(notification("notifications/subscriptions/acknowledged",
                             {{"notifications", json::object()},
                              {"_meta", {{"io.modelcontextprotocol/subscriptionId", in.reply.id()}}}}));
  listens_.emplace(key, std::move(in.reply));
}

void Session::call_tool(Incoming in) {
  const std::string name = read_field<std::string>(in.params, "name").value_or("");
  const Tool* tool = find_tool(parts_.tools, name);
  if (!tool) return std::move(in.reply).error(invalid("Unknown tool: " + clean_line(name, 100)));
  if (is_modern(in.version) && !declares(client_capabilities(in.params), tool->needs))
    return std::move(in.reply).error({kMissingCapability,
                                      name + " needs a capability that the request does not declare",
                                      {{"requiredCapabilities", tool->needs}}});
  json arguments = json::object();
  if (const auto given = in.params.find("arguments"); given != in.params.end() && !given->is_null()) {
    if (!given->is_object()) return std::move(in.reply).error(invalid("arguments must be an object"));
    arguments = *given;
  }
  const Version v = in.version;
  const json busy = render_failure({.code = Code::unavailable,
                                    .what = "the server is busy: too many calls are waiting",
                                    .next_step = "wait for some of them to end, then call again"},
                                   v);
  AskedRequest asked = asked_request(v, {.method = in.method, .name = name, .arguments = arguments},
                                     in.params, legacy_client_);
  asked.once = tool->spec.effect != ToolEffect::read_only;
  start(
      std::move(in), tool_workers_,
      [this, tool, v, asked = std::move(asked)](CallContext& call) -> tl::expected<json, RpcError> {
        if (call.stop.stop_requested() || calls_.ending())
          return render_failure({.code = Code::cancelled,
                                 .what = "the server is ending; this call was not started",
                                 .next_step = "start the server again and repeat the call"},
                                v);
        return questions_.run(asked, call, [&](CallContext& round) -> Round {
          const auto answer = tool->call(asked.by.arguments, round);
          if (!answer) return {render_failure(answer.error(), v)};
          return {render_answer(*answer, v), answer->asks, answer->ask_state};
        });
      },
      name, busy);
}

void Session::list_resources(Incoming in) {
  if (has_cursor(in.params)) return std::move(in.reply).error(bad_cursor());
  const Version v = in.version;
  start(std::move(in), resource_workers_,
        [this, v](CallContext&) -> tl::expected<json, RpcError> {
          json resources = json::array();
          if (parts_.resources.list) {
            const auto listed = parts_.resources.list();
            if (!listed) return tl::unexpected(RpcError{kInternalError, to_text(listed.error()), {}});
            for (const ResourceInfo& one : *listed) resources.push_back(render_resource(one, v));
          }
          return complete({{"resources", std::move(resources)}}, v, Caching::personal);
        },
        "listing resources", {});
}

void Session::read_resource(Incoming in) {
  const auto uri = read_field<std::string>(in.params, "uri");
  if (!uri) return std::move(in.reply).error(invalid("uri must be a string"));
  const Version v = in.version;
  start(std::move(in), resource_workers_,
        [this, v, uri = *uri](CallContext&) -> tl::expected<json, RpcError> {
          const Error none{.code = Code::not_found};
          const auto content =
              parts_.resources.read ? parts_.resources.read(uri) : Result<ResourceContent>(fail(none));
          if (!content) return tl::unexpected(resource_error(content.error(), uri, v));
          return complete({{"contents", json::array({render_content(*content)})}}, v, Caching::personal);
        },
        "reading", {});
}

/// Null where this request wants no log, or this server offers it none.
std::shared_ptr<CallLog> Session::call_log(const Incoming& in, const std::string& logger) const {
  const auto floor = is_modern(in.version) ? wanted_log_floor(in.params) : std::optional(log_floor_);
  if (!floor || (is_modern(in.version) && !parts_.modern_logging)) return nullptr;
  return std::make_shared<CallLog>(*floor, logger,
                                   [this](const std::string& message) { writer_.write(message); });
}

/// Runs the work on the pool. `when_busy` is the result if that is full; null means an error.
void Session::start(Incoming in, WorkerPool& pool, Work work, const std::string& doing,
                    const json& when_busy) {
  // With two calls under one id a cancellation could not tell them apart; the first one keeps it.
  if (calls_.has(in.reply.id()) || listens_.contains(dump(in.reply.id())))
    return std::move(in.reply).error({kInvalidRequest, "this id is in use", {}});

  std::shared_ptr<CallProgress> progress;
  if (auto token = progress_token(in.params)) {
    progress = std::make_shared<CallProgress>(
        *std::move(token), has_progress_message(in.version), doing + " is running",
        [this](const std::string& message) { writer_.write(message); }, std::chrono::steady_clock::now());
    ticker_.add(progress);
  }
  const auto log = call_log(in, doing);
  const auto call = calls_.open(std::move(in.reply), std::move(progress));
  const bool taken = pool.submit([this, call, log, work = std::move(work)] {
    CallContext context{.stop = call->stop.get_token(), .progress = [](double, const std::string&) {}};
    if (call->progress)
      context.progress = [report = call->progress](double done, const std::string& message) {
        report->report(done, message, std::chrono::steady_clock::now());
      };
    if (log)
      context.log = [log, stop = context.stop](const std::string& level, const json& data) {
        if (!stop.stop_requested()) log->write(level, data);  // a cancelled call says nothing more
      };
    tl::expected<json, RpcError> answer = tl::unexpected(RpcError{kInternalError, "internal error", {}});
    try {
      answer = work(context);
    } catch (const std::exception& e) {
      answer = tl::unexpected(RpcError{kInternalError, "internal error: " + clean_line(e.what()), {}});
    } catch (...) {  // a library's own type: the answer above stands
    }
    if (log) log->close();
    auto reply = calls_.finish(*call);
    if (!reply) return;  // cancelled
    if (answer)
      std::move(*reply).result(*answer);
    else
      std::move(*reply).error(answer.error());
  });
  if (taken) return;
  if (auto reply = calls_.finish(*call)) {
    if (when_busy.is_null())
      std::move(*reply).error({kInternalError, "busy: too many requests are waiting", {}});
    else
      std::move(*reply).result(when_busy);
  }
}

}  // namespace vastgpu
