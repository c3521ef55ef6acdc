#include "server/tasks.h"

#include <algorithm>

#include "core/conceal.h"
#include "core/log.h"
#include "core/text.h"
#include "server/render.h"

namespace vastgpu {
namespace {

constexpr std::size_t kWorkers = 16;      // tasks that run side by side; a further call is made as any other
constexpr std::size_t kMostOnlyWait = 8;  // of them, so that looking on never keeps anything from being ended
constexpr std::size_t kMostQueued = 16;   // their worker is just putting the one before away
constexpr std::size_t kMaxId = 100, kMaxMessage = 500;
constexpr auto kKept = std::chrono::hours(24);            // ttlMs, from creation
constexpr auto kGoesOnWithin = std::chrono::minutes(10);  // of a server's end, with what acts
constexpr int kPollMs = 2000;
// Real time: it paces our own looks and decides nothing else.
constexpr auto kMindEvery = std::chrono::milliseconds(500);
constexpr auto kTellEvery = std::chrono::seconds(2);   // progress on record: each time a write that is synced
constexpr auto kAliveEvery = std::chrono::minutes(1);  // so that `updated` says when a server ended
constexpr auto kBetweenTurns = std::chrono::milliseconds(500);

const char* const kStopped =
    "Stopped on request. What it had begun stays as it is: a machine that was rented goes on billing until "
    "it is destroyed. Call list to see what there is.";

std::string abandoned(const StoredTask& t) {
  return "Its server ended at " + to_iso8601(t.updated) +
         ". What it had begun stays as it is, and the task did nothing since. Call list to see what there "
         "is, then " +
         clean_line(t.tool, 60) + " again if it is still wanted.";
}

bool is_over(const StoredTask& t) { return t.status != "working"; }

json told(const StoredTask& t) {
  json j = {{"taskId", t.id},
            {"status", t.status},
            {"createdAt", to_iso8601(t.created)},
            {"lastUpdatedAt", to_iso8601(t.updated)},
            {"ttlMs", std::chrono::milliseconds(kKept).count()},
            {"pollIntervalMs", kPollMs}};
  if (!t.message.empty()) j["statusMessage"] = concealed(t.message);
  if (t.result) j["result"] = *t.result;
  if (t.error) j["error"] = concealed_document(*t.error);
  return j;
}

RpcError invalid(std::string message) { return {kInvalidParams, std::move(message), {}}; }

json acknowledged() { return complete(json::object(), Version::v2026_07_28); }

}  // namespace

bool takes_tasks(const json& params) {
  const json meta = read_field<json>(params, "_meta").value_or(json());
  const json can = read_field<json>(meta, "io.modelcontextprotocol/clientCapabilities").value_or(json());
  const json extensions = read_field<json>(can, "extensions").value_or(json());
  return read_field<json::object_t>(extensions, kTasksExtension).has_value();
}

RpcError tasks_undeclared() {
  return {kMissingCapability,
          "Tasks need the extension io.modelcontextprotocol/tasks in this request's clientCapabilities",
          {{"requiredCapabilities", {{"extensions", {{kTasksExtension, json::object()}}}}}}};
}

Tasks::Tasks(const std::vector<Tool>& tools, const TaskParts& parts)
    : tools_(tools), parts_(parts), workers_(kWorkers, kMostQueued) {}

Tasks::~Tasks() { stop(); }

void Tasks::stop() {
  ending_ = true;
  std::vector<std::shared_ptr<Running>> all;
  {
    const std::scoped_lock hold(mutex_);
    for (const auto& [id, task] : running_) all.push_back(task);
  }
  for (const auto& task : all) task->stop.request_stop();  // runs callbacks of tools: not under our lock
}

void Tasks::await_idle(std::chrono::nanoseconds at_most, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  (void)changed_.wait_for(lock, stop, at_most, [&] { return running_.empty(); });
}

const Tool* Tasks::find(const std::string& name) const {
  const auto at = std::ranges::find(tools_, name, [](const Tool& tool) { return tool.spec.name; });
  return at == tools_.end() ? nullptr : &*at;
}

Tasks::Turn Tasks::before(const Tool& tool, json arguments, const std::stop_token& stop) {
  switch (parts_.work.begin(tool.spec.name, arguments)) {
    case TaskWork::Begin::never:
      break;
    case TaskWork::Begin::at_once:
      if (auto created = create(tool, arguments, tool.spec.name + " begins", stop))
        return {json::object(), std::move(created)};
      break;
    case TaskWork::Begin::after_first_turn:
      return {parts_.work.first_turn(tool.spec.name, arguments), std::nullopt};
  }
  return {std::move(arguments), std::nullopt};
}

std::optional<json> Tasks::after(const Tool& tool, const json& arguments, const Envelope& answer,
                                 const std::stop_token& stop) {
  if (parts_.work.begin(tool.spec.name, arguments) != TaskWork::Begin::after_first_turn) return std::nullopt;
  auto next = parts_.work.next_turn(tool.spec.name, arguments, answer);
  return next ? create(tool, *std::move(next), answer.summary, stop) : std::nullopt;
}

/// On record, and held by us, before anybody hears of it.
std::optional<json> Tasks::create(const Tool& tool, json arguments, std::string message,
                                  const std::stop_token& stop) {
  {
    const std::scoped_lock hold(mutex_);
    if (!has_room_for(tool.spec.name)) return std::nullopt;
  }
  StoredTask record;
  record.id = random_hex(16);
  record.tool = tool.spec.name;
  record.arguments = std::move(arguments);
  record.message = clean_line(message, kMaxMessage);
  record.created = record.updated = parts_.store->now();
  if (auto added = parts_.store->add(record, record.created - kKept, stop); !added) {
    log_fact("no task for ", record.tool, ": ", added.error().what);
    return std::nullopt;  // the call itself can still be made
  }
  if (stop.stop_requested()) {  // nobody will hear its id
    record.status = "cancelled";
    record.message = kStopped;
    (void)parts_.store->change(record);
    return std::nullopt;
  }
  auto hold = parts_.store->hold(record.id);
  if (!hold || !begin(record, std::move(hold))) {
    record.status = "failed";
    record.message = "the server was too busy to begin it; nothing was done";
    (void)parts_.store->change(record);
    return std::nullopt;
  }
  json result = complete(told(record), Version::v2026_07_28);
  result["resultType"] = "task";
  return result;
}

/// With the lock held.
bool Tasks::has_room_for(const std::string& tool) const {
  if (running_.size() >= kWorkers) return false;
  const auto only_waits = [&](const std::string& name) {
    return parts_.work.only_waits && parts_.work.only_waits(name);
  };
  return !only_waits(tool) || std::ranges::count_if(running_, [&](const auto& one) {
                                return only_waits(one.second->record.tool);  // never changes
                              }) < static_cast<std::ptrdiff_t>(kMostOnlyWait);
}

bool Tasks::begin(const StoredTask& record, std::shared_ptr<void> hold) {
  auto task = std::make_shared<Running>();
  task->record = record;
  task->hold = std::move(hold);
  {
    const std::scoped_lock lock(mutex_);
    if (ending_ || !has_room_for(record.tool)) return false;
    running_[record.id] = task;
    if (!minder_.joinable()) minder_ = std::jthread([this](const std::stop_token& stop) { mind(stop); });
  }
  changed_.notify_all();
  const bool taken = workers_.submit([this, task] {
    work(*task);
    const std::scoped_lock lock(mutex_);
    running_.erase(task->record.id);
    task->hold.reset();
    changed_.notify_all();
  });
  if (!taken) {
    const std::scoped_lock lock(mutex_);
    running_.erase(record.id);
  }
  return taken;
}

void Tasks::work(Running& task) {
  const Tool* tool = find(task.record.tool);
  if (tool == nullptr)
    return finish(task, [](StoredTask& t) {
      t.status = "failed";
      t.message = "this server has no tool " + clean_line(t.tool, 60);
      t.error = json{{"code", kInternalError}, {"message", t.message}};
    });
  while (!ending_ && turn(task, *tool)) {
    std::mutex nobody;
    std::unique_lock lock(nobody);
    std::condition_variable_any never;
    (void)never.wait_for(lock, task.stop.get_token(), kBetweenTurns, [] { return false; });
  }
}

bool Tasks::turn(Running& task, const Tool& tool) {
  const json arguments = [&] {
    const std::scoped_lock hold(task.mutex);
    return task.record.arguments;
  }();
  CallContext call{.stop = task.stop.get_token(), .progress = [&task](double, const std::string& message) {
                     const std::scoped_lock hold(task.mutex);
                     std::string words = clean_line(message, kMaxMessage);
                     if (words.empty() || words == task.record.message) return;
                     task.record.message = std::move(words);
                     task.told = false;
                   }};
  Result<Envelope> answer = fail({});
  std::string broken;
  try {
    answer = tool.call(parts_.work.long_turn(tool.spec.name, arguments), call);
  } catch (const std::exception& e) {
    broken = "internal error: " + clean_line(e.what(), 200);
  } catch (...) {
    broken = "internal error";
  }
  const auto next = answer ? parts_.work.next_turn(tool.spec.name, arguments, *answer) : std::nullopt;
  const bool too_old = parts_.store->now() > task.record.created + kKept;
  if (broken.empty() && task.cancelled && (!answer || next)) {
    finish(task, [](StoredTask& t) {
      t.status = "cancelled";
      t.message = kStopped;
    });
    return false;
  }
  // Stopped because this server ends: whichever is asked next goes on.
  if (broken.empty() && !answer && task.stop.stop_requested()) return false;
  if (next && !too_old) {
    const std::scoped_lock hold(task.mutex);
    task.record.arguments = *next;
    task.record.message = clean_line(answer->summary, kMaxMessage);
    task.record.updated = parts_.store->now();
    task.told = true;
    const auto kept = parts_.store->change(task.record);
    return !kept || *kept;  // without a record of the turn the next one repeats it, which is harmless
  }
  finish(task, [&](StoredTask& t) {
    if (!broken.empty()) {
      t.status = "failed";
      t.message = broken + "; it is not known what was done: call list";
      t.error = json{{"code", kInternalError}, {"message", broken}};
      return;
    }
    t.status = "completed";
    t.message = clean_line(answer ? answer->summary : answer.error().what, kMaxMessage);
    t.result = answer ? render_answer(*answer, Version::v2026_07_28)
                      : render_failure(answer.error(), Version::v2026_07_28);
  });
  return false;
}

void Tasks::finish(Running& task, const std::function<void(StoredTask&)>& how) {
  const std::scoped_lock hold(task.mutex);
  how(task.record);
  task.record.updated = parts_.store->now();
  task.told = true;
  if (auto kept = parts_.store->change(task.record); !kept)
    log_fact("the end of a task is not on record: ", kept.error().what);
}

/// Puts progress on record, and sees when another server was asked to cancel what runs here.
void Tasks::mind(const std::stop_token& stop) {
  std::vector<std::shared_ptr<Running>> open;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return !running_.empty(); })) return;
      (void)changed_.wait_for(lock, stop, kMindEvery, [] { return false; });
      for (const auto& [id, task] : running_) open.push_back(task);
    }
    for (const auto& task : open) {
      {
        const std::scoped_lock hold(task->mutex);
        const auto now = std::chrono::steady_clock::now();
        if (!is_over(task->record) && now - task->told_at >= (task->told ? kAliveEvery : kTellEvery)) {
          task->told_at = now;
          task->record.updated = parts_.store->now();
          task->told = parts_.store->change(task->record).has_value();
        }
      }
      if (task->cancelled) continue;
      const auto record = parts_.store->find(task->record.id);
      if (!record || !*record || !(*record)->cancel) continue;
      task->cancelled = true;
      task->stop.request_stop();
    }
    open.clear();
  }
}

bool Tasks::runs_here(const std::string& id) {
  const std::scoped_lock hold(mutex_);
  return running_.contains(id);
}

Result<std::optional<StoredTask>> Tasks::known(const std::string& id) {
  if (id.empty() || id.size() > kMaxId) return std::nullopt;
  auto record = parts_.store->find(id);
  if (record && *record && (*record)->created + kKept < parts_.store->now()) return std::nullopt;
  return record;
}

std::optional<json> Tasks::state(const std::string& id) {
  const auto record = known(id);
  if (!record || !*record) return std::nullopt;
  if (!is_over(**record)) take_over(id);
  return told(**record);
}

/// The one that is named, carried on from here if its server died.
tl::expected<StoredTask, RpcError> Tasks::asked_for(const json& params) {
  const auto id = read_field<std::string>(params, "taskId");
  if (!id) return tl::unexpected(invalid("taskId must be a string"));
  auto record = known(*id);
  if (!record)  // a client that heard "unknown" would forget a task that may be at work
    return tl::unexpected(
        RpcError{kInternalError,
                 concealed("the tasks cannot be read now: " + clean_line(record.error().what, 300)),
                 {}});
  if (!*record) return tl::unexpected(invalid("Unknown task"));
  return **std::move(record);
}

/// Its server ended so long ago that its call may do harm to what is there now.
bool Tasks::too_late_for(const StoredTask& task) const {
  const auto& only_waits = parts_.work.only_waits;
  return parts_.store->now() - task.updated > kGoesOnWithin && !(only_waits && only_waits(task.tool));
}

/// Nobody else works on it once we hold it; what became of it meanwhile is read again.
void Tasks::take_over(const std::string& id) {
  if (ending_ || runs_here(id)) return;
  auto hold = parts_.store->hold(id);
  if (!hold) return;
  const auto found = known(id);
  if (!found || !*found || is_over(**found)) return;
  StoredTask record = **found;
  if (record.cancel || too_late_for(record)) {
    record.status = record.cancel ? "cancelled" : "failed";
    record.message = record.cancel ? std::string(kStopped) : abandoned(record);
    if (!record.cancel) record.error = json{{"code", kInternalError}, {"message", record.message}};
    record.updated = parts_.store->now();
    (void)parts_.store->change(record);
    return;
  }
  log_fact("going on with a task whose server ended: ", record.tool);
  (void)begin(record, std::move(hold));
}

Tasks::Answer Tasks::get(const json& params) {
  auto record = asked_for(params);
  if (!record) return tl::unexpected(record.error());
  if (!is_over(*record)) {
    take_over(record->id);
    if (auto now = known(record->id); now && *now) *record = **std::move(now);
  }
  return complete(told(*record), Version::v2026_07_28);
}

Tasks::Answer Tasks::update(const json& params) {
  if (!read_field<json::object_t>(params, "inputResponses"))
    return tl::unexpected(invalid("inputResponses must be an object"));
  auto record = asked_for(params);
  if (!record) return tl::unexpected(record.error());
  return acknowledged();  // ours ask before they begin, so every key is one that was never asked
}

Tasks::Answer Tasks::cancel(const json& params) {
  auto record = asked_for(params);
  if (!record) return tl::unexpected(record.error());
  if (is_over(*record)) return acknowledged();
  auto noted = parts_.store->ask_cancel(record->id);
  if (!noted) return tl::unexpected(RpcError{kInternalError, clean_line(noted.error().what), {}});
  std::shared_ptr<Running> here;
  {
    const std::scoped_lock hold(mutex_);
    if (const auto at = running_.find(record->id); at != running_.end()) here = at->second;
  }
  if (here) {
    here->cancelled = true;
    here->stop.request_stop();
  } else {
    take_over(record->id);  // nobody works on it: it ends here
  }
  return acknowledged();
}

}  // namespace vastgpu
