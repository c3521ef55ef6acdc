// Tools whose calls become tasks, and a store that forgets them with the process.
#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>

#include "server/tasks.h"
#include "tests/conformance/fixture_tools.h"

namespace vastgpu {
namespace {

using namespace std::chrono_literals;

class MemoryTasks : public TaskStore {
 public:
  TimePoint now() const override { return SystemClock().now(); }
  Result<void> add(const StoredTask& task, TimePoint, std::stop_token) override {
    const std::scoped_lock hold(mutex_);
    tasks_[task.id] = task;
    return {};
  }
  Result<std::optional<StoredTask>> find(const std::string& id) override {
    const std::scoped_lock hold(mutex_);
    const auto at = tasks_.find(id);
    return at == tasks_.end() ? std::nullopt : std::optional(at->second);
  }
  Result<bool> change(const StoredTask& task) override {
    const std::scoped_lock hold(mutex_);
    const auto at = tasks_.find(task.id);
    if (at == tasks_.end() || at->second.status != "working") return false;
    const bool cancel = at->second.cancel;
    at->second = task;
    at->second.cancel = cancel;
    return true;
  }
  Result<bool> ask_cancel(const std::string& id) override {
    const std::scoped_lock hold(mutex_);
    const auto at = tasks_.find(id);
    if (at == tasks_.end() || at->second.status != "working") return false;
    return at->second.cancel = true;
  }
  std::shared_ptr<void> hold(const std::string& id) override {
    const std::scoped_lock hold(mutex_);
    auto& held = held_[id];
    if (held.lock()) return nullptr;
    auto mine = std::make_shared<int>(0);
    held = mine;
    return mine;
  }
  std::vector<std::filesystem::path> folders() const override { return {}; }

 private:
  std::mutex mutex_;
  std::map<std::string, StoredTask> tasks_;
  std::map<std::string, std::weak_ptr<void>> held_;
};

json text_block(const std::string& text) { return {{"type", "text"}, {"text", text}}; }

Envelope done(const std::string& text) {
  Envelope e;
  e.summary = text;
  e.blocks = {text_block(text)};
  return e;
}

/// False when the call was stopped before.
bool pause(const std::stop_token& stop, std::chrono::milliseconds time) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any never;
  return !never.wait_for(lock, stop, time, [&] { return stop.stop_requested(); });
}

Tool plain(const std::string& name, json properties,
           std::function<Result<Envelope>(const json&, CallContext&)> call) {
  return {.spec = {.name = name, .description = "A tool of the suite for tasks"},
          .input_schema = {{"type", "object"}, {"properties", std::move(properties)}},
          .call = std::move(call)};
}

Result<Envelope> compute(const json& arguments, CallContext& call) {
  const double seconds = read_number(arguments, "seconds").value_or(1);
  if (!pause(call.stop, std::chrono::milliseconds(static_cast<int>(std::min(seconds, 60.0) * 1000))))
    return fail({.code = Code::cancelled, .what = "stopped"});
  return done("Computed.");
}

Result<Envelope> greet_later(const json& arguments, CallContext& call) {
  if (const auto name = read_field<std::string>(arguments, "user_name")) return done("Hello, " + *name + "!");
  const auto answer = call.answers.find("user_name");
  if (answer != call.answers.end()) {
    Envelope e = done("The greeting follows.");
    e.outcome = "going";
    e.facts = {{"user_name", read_field<std::string>(answer->second.content, "name").value_or("")}};
    return e;
  }
  Envelope e = done("This needs a name.");
  e.asks = {
      {.key = "user_name",
       .message = "What is your name?",
       .schema = {
           {"type", "object"}, {"properties", {{"name", {{"type", "string"}}}}}, {"required", {"name"}}}}};
  return e;
}

TaskWork suite_work() {
  const auto same = [](const std::string&, const json& arguments) { return arguments; };
  return {.begin =
              [](const std::string& tool, const json&) {
                if (tool == "slow_compute" || tool == "failing_job" || tool == "protocol_error_job" ||
                    tool == "confirm_delete")
                  return TaskWork::Begin::at_once;
                return tool == "test_tool_with_task" ? TaskWork::Begin::after_first_turn
                                                     : TaskWork::Begin::never;
              },
          .first_turn = same,
          .long_turn = same,
          .next_turn = [](const std::string&, const json&, const Envelope& answer) -> std::optional<json> {
            return answer.outcome == "going" ? std::optional(answer.facts) : std::nullopt;
          }};
}

}  // namespace

std::vector<Tool> conformance_task_tools() {
  std::vector<Tool> tools = {
      plain("greet", {{"name", {{"type", "string"}}}},
            [](const json& arguments, CallContext&) -> Result<Envelope> {
              return done("Hello, " + read_field<std::string>(arguments, "name").value_or("you") + "!");
            }),
      plain("slow_compute", {{"seconds", {{"type", "number"}}}}, compute),
      plain("failing_job", json::object(),
            [](const json&, CallContext& call) -> Result<Envelope> {
              pause(call.stop, 300ms);
              return fail({.code = Code::unavailable, .what = "The job fails, as it always does."});
            }),
      plain("protocol_error_job", json::object(),
            [](const json&, CallContext&) -> Result<Envelope> { throw std::runtime_error("a bug"); }),
      // The suite's own asks within its task; ours ask before one begins, so this one has nothing left to
      // ask.
      plain("confirm_delete", json::object(),
            [](const json&, CallContext&) -> Result<Envelope> { return done("Deleted."); }),
      plain("test_tool_with_task", json::object(), greet_later),
  };
  // The suite wants this one to be refused to a client that takes no tasks.
  tools[2].needs = {{"extensions", {{kTasksExtension, json::object()}}}};
  return tools;
}

TaskParts conformance_tasks() {
  static MemoryTasks store;
  return {&store, suite_work()};
}

}  // namespace vastgpu
