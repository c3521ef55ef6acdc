// What each method answers. The lists come from the reading thread; calls and resources from workers.
#include <algorithm>
#include <functional>

#include "core/text.h"
#include "server/pages.h"
#include "server/prompt_round.h"
#include "server/render.h"
#include "server/session.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxPromptText = 10'000;  // bytes of one prompt argument

RpcError invalid(std::string message, json data = {}) {
  return {kInvalidParams, std::move(message), std::move(data)};
}

template <class T>
const T* find_named(const std::vector<T>& all, std::string_view name) {
  const auto at = std::ranges::find(all, name, &T::name);
  return at == all.end() ? nullptr : &*at;
}
const Tool* find_tool(const std::vector<Tool>& all, std::string_view name) {
  const auto at = std::ranges::find(all, name, [](const Tool& tool) { return tool.spec.name; });
  return at == all.end() ? nullptr : &*at;
}

const std::string& name_of_tool(const Tool& tool) { return tool.spec.name; }

template <class T, class Name>
std::vector<std::string> names_of(const std::vector<T>& all, Name name) {
  std::vector<std::string> names;
  for (const T& one : all) names.push_back(std::invoke(name, one));
  return names;
}

/// One page of a list, and where the next one begins.
template <class T, class Render>
json paged(const char* key, const std::vector<T>& all, const Page& page, const Render& render) {
  json items = json::array();
  for (std::size_t i = page.begin; i < page.end; ++i) items.push_back(render(all[i]));
  json result = {{key, std::move(items)}};
  if (!page.next.empty()) result["nextCursor"] = page.next;
  return result;
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
                 {"capabilities", server_capabilities(in.version, extras_of(parts_))}};
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
  const auto page = page_of(in.params, "tools", names_of(parts_.tools, name_of_tool), parts_.page_size);
  if (!page) return std::move(in.reply).error(page.error());
  const auto listed = [&] {
    return dump(complete(
        paged("tools", parts_.tools, *page, [&](const Tool& tool) { return render_tool(tool, in.version); }),
        in.version, Caching::fixed));
  };
  if (!page->is_all(parts_.tools.size())) return std::move(in.reply).raw_result(listed());
  std::string& cached = tool_lists_[static_cast<std::size_t>(in.version)];
  if (cached.empty()) cached = listed();
  std::move(in.reply).raw_result(cached);
}

void Session::list_prompts(Incoming in) {
  const auto page = page_of(in.params, "prompts", names_of(parts_.prompts, &Prompt::name), parts_.page_size);
  if (!page) return std::move(in.reply).error(page.error());
  std::move(in.reply).result(
      complete(paged("prompts", parts_.prompts, *page,
                     [&](const Prompt& prompt) { return render_prompt(prompt, in.version); }),
               in.version, Caching::fixed));
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
  const auto& all = parts_.resources.templates;
  const auto page =
      page_of(in.params, "templates", names_of(all, &ResourceTemplate::uri_template), parts_.page_size);
  if (!page) return std::move(in.reply).error(page.error());
  std::move(in.reply).result(
      complete(paged("resourceTemplates", all, *page,
                     [&](const ResourceTemplate& one) { return render_template(one, in.version); }),
               in.version, Caching::fixed));
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
  const bool may_go_on = tasks_.offered() && is_modern(v) && takes_tasks(in.params);
  start(
      std::move(in), tool_workers_,
      [this, tool, v, may_go_on,
       asked = std::move(asked)](CallContext& call) -> tl::expected<json, RpcError> {
        if (call.stop.stop_requested() || calls_.ending())
          return render_failure({.code = Code::cancelled,
                                 .what = "the server is ending; this call was not started",
                                 .next_step = "start the server again and repeat the call"},
                                v);
        return questions_.run(asked, call, [&](CallContext& round) -> Round {
          const Tasks::Turn turn = may_go_on ? tasks_.before(*tool, asked.by.arguments, round.stop)
                                             : Tasks::Turn{asked.by.arguments, {}};
          if (turn.created) return {*turn.created};
          if (round.stop.stop_requested())
            return {render_failure(
                {.code = Code::cancelled, .what = "this call was not started: it was cancelled"}, v)};
          const auto answer = tool->call(turn.arguments, round);
          if (!answer) return {render_failure(answer.error(), v)};
          // Questions go first: what is asked here is no task yet.
          if (may_go_on && answer->asks.empty())
            if (auto created = tasks_.after(*tool, turn.arguments, *answer, round.stop)) return {*created};
          return {render_answer(*answer, v), answer->asks, answer->ask_state};
        });
      },
      name, busy);
}

void Session::list_resources(Incoming in) {
  const Version v = in.version;
  json asked = {{"cursor", in.params.value("cursor", json())}};
  start(std::move(in), resource_workers_,
        [this, v, asked = std::move(asked)](CallContext&) -> tl::expected<json, RpcError> {
          std::vector<ResourceInfo> all;
          if (parts_.resources.list) {
            auto listed = parts_.resources.list();
            if (!listed) return tl::unexpected(RpcError{kInternalError, to_text(listed.error()), {}});
            all = *std::move(listed);
          }
          const auto page = page_of(asked, "resources", names_of(all, &ResourceInfo::uri), parts_.page_size);
          if (!page) return tl::unexpected(page.error());
          return complete(paged("resources", all, *page,
                                [&](const ResourceInfo& one) { return render_resource(one, v); }),
                          v, Caching::personal);
        },
        "listing resources", {});
}

void Session::read_resource(Incoming in) {
  const auto uri = read_field<std::string>(in.params, "uri");
  if (!uri) return std::move(in.reply).error(invalid("uri must be a string"));
  const Version v = in.version;
  start(std::move(in), read_workers_,
        [this, v, uri = *uri](CallContext& call) -> tl::expected<json, RpcError> {
          const Error none{.code = Code::not_found};
          const auto content = parts_.resources.read ? parts_.resources.read(uri, call.stop)
                                                     : Result<ResourceContent>(fail(none));
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

/// Runs the work on the pool. `when_busy` is the result if that is full; null means an error, and so does
/// work that had not begun when the server ended. Tools say that themselves.
void Session::start(Incoming in, WorkerPool& pool, Work work, const std::string& doing,
                    const json& when_busy) {
  // With two calls under one id a cancellation could not tell them apart; the first one keeps it.
  if (calls_.has(in.reply.id()) || subscriptions_.has(in.reply.id()))
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
  const bool says_itself = !when_busy.is_null();
  const bool taken = pool.submit([this, call, log, says_itself, work = std::move(work)] {
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
      if (!says_itself && (context.stop.stop_requested() || calls_.ending()))
        answer = tl::unexpected(
            RpcError{kInternalError, "the server is ending; this request was not started", {}});
      else
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
