#include "server/session.h"

#include "core/log.h"
#include "server/render.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxWaiting = 256;  // calls that wait for a worker
constexpr std::size_t kMaxBatch = 100;
constexpr std::size_t kResourceWorkers = 2;  // what they look at lies on disk
constexpr std::size_t kReadWorkers = 4;
constexpr auto kGrace = std::chrono::milliseconds(250);  // `printf ... | vast-gpu serve` deserves its answers

/// Collects the answers of a batch; writes them as one array when the last request of it was answered.
class Batch {
 public:
  explicit Batch(LineWriter& writer) : writer_(writer) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() {
    if (!answers_.empty()) writer_.write(std::move(answers_) + "]");
  }
  void add(const std::string& answer) {
    const std::scoped_lock hold(mutex_);
    answers_ += (answers_.empty() ? "[" : ",") + answer;
  }

 private:
  LineWriter& writer_;
  std::mutex mutex_;
  std::string answers_;
};

/// What of the parts changes, and how that is noticed.
Watched watched_parts(const ServerParts& parts, Tasks& tasks) {
  Watched watched{parts.resources.marks, {}, {}};
  if (tasks.offered()) {
    watched.task = [&tasks](const std::string& id) { return tasks.state(id); };
    watched.task_folders = [store = parts.tasks.store] { return store->folders(); };
  }
  return watched;
}

/// The id of a request that is too deep to be taken in whole. A response has an id of ours: an error under it
/// would be a second answer to whatever the client asked under the same number.
std::optional<json> salvage_id(const std::string& line) {
  const auto shallow = [](int depth, json::parse_event_t event, json&) {
    return depth == 0 ||
           (event != json::parse_event_t::object_start && event != json::parse_event_t::array_start);
  };
  const json message = json::parse(line, shallow, /*allow_exceptions=*/false);
  if (!message.is_object() || !message.contains("method")) return std::nullopt;
  const auto id = message.find("id");
  if (id == message.end() || !(id->is_string() || id->is_number_integer())) return std::nullopt;
  return *id;
}

}  // namespace

Session::Session(const ServerParts& parts, std::size_t workers, LineWriter& writer)
    : parts_(parts),
      writer_(writer),
      tasks_(parts.tools, parts.tasks),
      subscriptions_(watched_parts(parts, tasks_),
                     [this](std::string message) { writer_.write(std::move(message)); }),
      questions_(parts.asking, [&writer](const std::string& message) { writer.write(message); }),
      tool_workers_(std::max<std::size_t>(workers, 1), kMaxWaiting),
      resource_workers_(kResourceWorkers, kMaxWaiting),
      read_workers_(kReadWorkers, kMaxWaiting) {}

Session::Outlet Session::straight_out() {
  return [&writer = writer_](std::optional<std::string> message) {
    if (message) writer.write(*std::move(message));
  };
}

void Session::receive(const std::string& line) {
  const auto message = parse_json(line, "the message");
  if (!message) {
    const auto id = salvage_id(line);
    const int code = id ? kInvalidRequest : kParseError;
    return refuse_line(id, {code, message.error().what, {}}, straight_out());
  }
  if (!message->is_array()) return receive_message(*message, straight_out(), false);
  if (!legacy_ || !has_batches(*legacy_) || message->empty())
    return refuse_line(std::nullopt, {kInvalidRequest, "no batches here: one message a line", {}},
                       straight_out());
  if (message->size() > kMaxBatch)  // a few bytes of each can ask for a list of many kilobytes
    return refuse_line(std::nullopt,
                       {kInvalidRequest, "too many messages in one batch", {{"limit", kMaxBatch}}},
                       straight_out());

  const auto batch = std::make_shared<Batch>(writer_);
  const Outlet into_batch = [batch](std::optional<std::string> answer) {
    if (answer) batch->add(*answer);
  };
  for (const json& part : *message) receive_message(part, into_batch, true);
}

void Session::receive_too_long() {
  refuse_line(std::nullopt, {kInvalidRequest, "the line is too long", {}}, straight_out());
}

void Session::refuse_line(const std::optional<json>& id, const RpcError& error, const Outlet& outlet) {
  log_fact("refused a line: ", error.message);
  // One client takes any error without an id as the failure of its handshake, so none goes out before that.
  if (id || spoken_) outlet(error_message(id, error));
}

void Session::receive_message(const json& message, const Outlet& outlet, bool in_batch) {
  if (is_response(message)) return questions_.answered(message);
  auto request = read_request(message);
  if (!request) {
    if (const BadMessage& bad = request.error(); bad.answer) refuse_line(bad.id, *bad.answer, outlet);
    return;
  }
  if (!request->id) return notice(*request);

  Reply reply(*request->id, outlet);
  const auto version = version_of(request->method, request->params, legacy_);
  if (!version) return std::move(reply).error(version.error());
  if (version->has_value() && is_modern(**version)) {
    if (in_batch) return std::move(reply).error({kInvalidRequest, "this revision has no batches", {}});
    spoken_ = true;
  } else if (request->method == "initialize") {
    return initialize(request->params, std::move(reply));
  }
  // Before the handshake only a ping comes this far, and its answer is the same everywhere.
  dispatch({std::move(request->method), std::move(request->params), version->value_or(Version::v2025_11_25),
            std::move(reply)});
}

void Session::notice(const Request& notification) {
  if (notification.method != "notifications/cancelled") return;  // the others change nothing here
  const auto id = notification.params.find("requestId");
  if (id == notification.params.end()) return;
  if (!subscriptions_.cancel(*id)) calls_.cancel(*id);
}

void Session::dispatch(Incoming in) {
  const bool watched = parts_.resources.marks.of != nullptr, tasks = tasks_.offered();
  struct Method {
    const char* name;
    bool legacy, modern;
    void (Session::*serve)(Incoming in);
  };
  const Method methods[] = {
      {"server/discover", false, true, &Session::discover},
      {"ping", true, false, &Session::ping},
      {"logging/setLevel", true, false, &Session::set_log_level},
      {"tools/list", true, true, &Session::list_tools},
      {"tools/call", true, true, &Session::call_tool},
      {"prompts/list", true, true, &Session::list_prompts},
      {"prompts/get", true, true, &Session::get_prompt},
      {"resources/list", true, true, &Session::list_resources},
      {"resources/templates/list", true, true, &Session::list_templates},
      {"resources/read", true, true, &Session::read_resource},
      {"completion/complete", true, true, &Session::complete_argument},
      {"subscriptions/listen", false, true, &Session::listen},
      {"resources/subscribe", watched, false, &Session::subscribe},
      {"resources/unsubscribe", watched, false, &Session::unsubscribe},
      {"tasks/get", false, tasks, &Session::about_task},
      {"tasks/update", false, tasks, &Session::about_task},
      {"tasks/cancel", false, tasks, &Session::about_task},
  };
  for (const Method& method : methods)
    if (in.method == method.name && (is_modern(in.version) ? method.modern : method.legacy))
      return (this->*method.serve)(std::move(in));
  std::move(in.reply).error({kMethodNotFound, "Method not found: " + clean_line(in.method, 100), {}});
}

void Session::initialize(const json& params, Reply reply) {
  if (legacy_) return std::move(reply).error({kInvalidRequest, "already initialized", {}});
  const auto requested = read_field<std::string>(params, "protocolVersion");
  if (!requested || !read_field<json::object_t>(params, "capabilities") ||
      !read_field<json::object_t>(params, "clientInfo"))
    return std::move(reply).error(
        {kInvalidParams, "initialize needs protocolVersion, capabilities and clientInfo", {}});
  legacy_ = negotiate(*requested);
  legacy_client_ = params.at("capabilities");
  spoken_ = true;
  json result = {{"protocolVersion", to_string(*legacy_)},
                 {"capabilities", server_capabilities(*legacy_, extras_of(parts_))},
                 {"serverInfo", server_info(*legacy_)}};
  if (!parts_.instructions.empty()) result["instructions"] = parts_.instructions;
  std::move(reply).result(result);
}

void Session::end(bool at_once) {
  if (!at_once) calls_.wait_empty(kGrace);
  writer_.hurry();  // before anything that writes: a client that does not read must not keep us
  subscriptions_.end();
  tasks_.stop();      // they stay on record, for the next server
  calls_.stop_all();  // the workers' destructors wait for them
}

}  // namespace vastgpu
