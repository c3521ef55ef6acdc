#include "server/tasks.h"

#include <condition_variable>
#include <semaphore>

#include "server/folder_watch.h"
#include "server/ledger_tasks.h"
#include "state/sqlite_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/fixture_tools.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wire_client.h"
#include "tools/arg_list.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

struct NoArgs {};

/// Servers on one ledger whose tool `work` takes as long as the test wants, in as many turns as it says.
class Bench {
 public:
  struct State {
    std::mutex mutex;
    std::condition_variable_any changed;
    int begun = 0, turns_left = 0, stopped = 0;
    bool may_end = false;
    int running = 0, most_running = 0;
  };

  Bench()
      : store_({clock_, folder_.path(), [this] { return file(); },
                [this](const std::stop_token&) { return make(); }}) {
    parts_ = fixture_.parts();
    parts_.tools.push_back(make_tool({.name = "work", .description = "Works"}, ArgList<NoArgs>{},
                                     [this](const NoArgs&, CallContext& call) { return work(call); }));
    parts_.tools.push_back(make_tool({.name = "watch", .description = "Looks on"}, ArgList<NoArgs>{},
                                     [this](const NoArgs&, CallContext& call) { return work(call); }));
    parts_.tasks.store = &store_;
    parts_.tasks.work = {
        [](const std::string& tool, const json&) {
          return tool == "work" || tool == "watch"   ? TaskWork::Begin::at_once
                 : tool == "echo"                    ? TaskWork::Begin::after_first_turn
                 : tool == "fail" || tool == "throw" ? TaskWork::Begin::at_once
                                                     : TaskWork::Begin::never;
        },
        [](const std::string&, const json& a) { return a; },
        [](const std::string&, const json& a) { return a; },
        [](const std::string& tool, const json& a, const Envelope& e) {
          const bool on = e.outcome == "more" ||
                          (tool == "echo" && e.facts.value("text", "") == "long" && !a.contains("again"));
          return on ? std::optional(tool == "echo" ? json{{"text", "end"}} : a) : std::nullopt;
        },
        [](const std::string& tool) { return tool == "echo" || tool == "watch"; }};
  }

  const ServerParts& parts() const { return parts_; }
  struct Store : LedgerTasks {
    using LedgerTasks::LedgerTasks;
    Result<void> add(const StoredTask& task, TimePoint oldest, std::stop_token stop) override {
      last = task.id;
      if (slow) {
        adding.release();
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any never;
        (void)never.wait_for(lock, stop, 30s, [] { return false; });
        auto added = LedgerTasks::add(task, oldest, {});
        return added;
      }
      return LedgerTasks::add(task, oldest, stop);
    }
    Result<std::optional<StoredTask>> find(const std::string& id) override {
      if (broken) return fail({.code = Code::unavailable, .what = "the disk is full"});
      return LedgerTasks::find(id);
    }
    std::atomic<bool> broken{false}, slow{false};
    std::binary_semaphore adding{0};
    std::string last;
  };

  Store& store() { return store_; }
  const std::filesystem::path& folder() const { return folder_.path(); }

  void await_begun(int n) {
    await([&] { return state_.begun >= n; });
  }
  void await_stopped(int n) {
    await([&] { return state_.stopped >= n; });
  }
  void let_end(int turns = 0) {
    const std::scoped_lock hold(state_.mutex);
    state_.may_end = true;
    state_.turns_left = turns;
    state_.changed.notify_all();
  }
  int begun() {
    const std::scoped_lock hold(state_.mutex);
    return state_.begun;
  }
  int most_running() {
    const std::scoped_lock hold(state_.mutex);
    return state_.most_running;
  }

 private:
  std::optional<std::filesystem::path> file() const {
    const auto path = folder_.path() / "ledger.sqlite";
    return std::filesystem::exists(path) ? std::optional(path) : std::nullopt;
  }
  Result<void> make() {
    auto opened = SqliteLedger::open(folder_.path() / "ledger.sqlite");
    return opened ? Result<void>() : fail(std::move(opened).error());
  }
  template <class Ask>
  void await(Ask ask) {
    std::unique_lock lock(state_.mutex);
    if (!state_.changed.wait_for(lock, 30s, ask)) throw std::runtime_error("it never happened");
  }
  Result<Envelope> work(CallContext& call) {
    std::unique_lock lock(state_.mutex);
    ++state_.begun;
    state_.most_running = std::max(state_.most_running, ++state_.running);
    state_.changed.notify_all();
    call.progress(1, "half way");
    const bool ended = state_.changed.wait(lock, call.stop, [&] { return state_.may_end; });
    --state_.running;
    if (!ended) {
      ++state_.stopped;
      state_.changed.notify_all();
      return fail({.code = Code::cancelled, .what = "stopped"});
    }
    if (state_.turns_left-- > 0) return Envelope{.outcome = "more", .summary = "One more turn."};
    return Envelope{.outcome = "done", .summary = "It is done.", .facts = {{"answer", 42}}};
  }

  Fixture fixture_;
  SystemClock clock_;
  TempFolder folder_;
  Store store_;
  State state_;
  ServerParts parts_;
};

json with_tasks(const json& id, const std::string& method, json params) {
  json request = modern(id, method, std::move(params));
  request["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]["extensions"][kTasksExtension] =
      json::object();
  return request;
}
json call(const json& id, const std::string& tool, json arguments = json::object()) {
  return with_tasks(id, "tools/call", {{"name", tool}, {"arguments", std::move(arguments)}});
}
json about(const std::string& what, const json& task, json more = json::object()) {
  static int id = 1000;
  more["taskId"] = task;
  return with_tasks(++id, "tasks/" + what, std::move(more));
}
/// Asks until it is over, as a client does.
json end_of(WireClient& client, const json& task) {
  for (;;) {
    json state = client.ask(about("get", task)).at("result");
    if (state.at("status") != "working") return state;
    std::this_thread::sleep_for(10ms);
  }
}

}  // namespace

TEST_CASE("a long call becomes a task, on record before it is told, and ends with what the call returns") {
  Bench bench;
  WireClient client(bench.parts());
  CHECK(client.ask(modern(1, "server/discover")).at("result").at("capabilities").at("extensions") ==
        json{{kTasksExtension, json::object()}});
  const json made = client.ask(call(2, "work")).at("result");
  CHECK(made.at("resultType") == "task");
  CHECK(made.at("status") == "working");
  CHECK(made.at("ttlMs") == 86'400'000);
  CHECK(made.at("pollIntervalMs") == 2000);
  CHECK_FALSE(made.contains("result"));
  const std::string id = made.at("taskId");
  CHECK(id.size() == 32);
  REQUIRE(bench.store().find(id)->has_value());

  bench.await_begun(1);
  const json working = client.ask(about("get", id)).at("result");
  CHECK(working.at("resultType") == "complete");
  CHECK(working.at("status") == "working");
  bench.let_end(2);  // two further turns
  const json ended = end_of(client, id);
  CHECK(ended.at("status") == "completed");
  CHECK(ended.at("statusMessage") == "It is done.");
  CHECK(ended.at("result").at("isError") == false);
  CHECK(ended.at("result").at("resultType") == "complete");
  CHECK(ended.at("result").at("structuredContent").at("answer") == 42);
  bench.await_begun(3);
  // What is over stays so.
  CHECK(client.ask(about("cancel", id)).at("result").at("resultType") == "complete");
  CHECK(client.ask(about("get", id)).at("result") == ended);
}

TEST_CASE("only the rest of a call becomes a task where its beginning must not come twice") {
  Bench bench;
  WireClient client(bench.parts());
  const json short_one = client.ask(call(1, "echo", {{"text", "short"}})).at("result");
  CHECK(short_one.at("resultType") == "complete");
  CHECK(short_one.at("structuredContent").at("text") == "short");
  const json made = client.ask(call(2, "echo", {{"text", "long"}})).at("result");
  CHECK(made.at("resultType") == "task");
  CHECK(end_of(client, made.at("taskId")).at("result").at("structuredContent").at("text") == "end");
}

TEST_CASE("a tool that fails is a completed task, a bug in it a failed one") {
  Bench bench;
  WireClient client(bench.parts());
  const json refused = end_of(client, client.ask(call(1, "fail")).at("result").at("taskId"));
  CHECK(refused.at("status") == "completed");
  CHECK(refused.at("result").at("isError") == true);
  const json broken = end_of(client, client.ask(call(2, "throw")).at("result").at("taskId"));
  CHECK(broken.at("status") == "failed");
  CHECK(broken.at("error").at("code") == -32603);
  CHECK(broken.at("statusMessage").get<std::string>().find("list") != std::string::npos);
  CHECK_FALSE(broken.contains("result"));
}

TEST_CASE("clients that did not say that they know tasks get none and may ask about none") {
  Bench bench;
  bench.let_end();
  WireClient client(bench.parts());
  const json plain = client.ask(modern(1, "tools/call", {{"name", "work"}})).at("result");
  CHECK(plain.at("resultType") == "complete");
  int id = 10;
  for (const char* method : {"tasks/get", "tasks/update", "tasks/cancel"}) {
    const json refused = client.ask(modern(++id, method, {{"taskId", "x"}})).at("error");
    CHECK(refused.at("code") == -32021);
    CHECK(refused.at("data").at("requiredCapabilities").at("extensions").contains(kTasksExtension));
    json params = {{"taskId", "nobody"}, {"inputResponses", json::object()}};
    CHECK(client.ask(with_tasks(++id, method, params)).at("error").at("code") == -32602);
    params["taskId"] = 7;
    CHECK(client.ask(with_tasks(++id, method, params)).at("error").at("code") == -32602);
  }
  CHECK(client.ask(modern(++id, "subscriptions/listen", {{"notifications", {{"taskIds", {"x"}}}}}))
            .at("error")
            .at("code") == -32021);
  CHECK(client.ask(with_tasks(++id, "tasks/list", json::object())).at("error").at("code") == -32601);
  WireClient old(bench.parts());
  CHECK_FALSE(old.initialize("2025-11-25").at("capabilities").contains("extensions"));
  CHECK(old.ask(legacy(1, "tasks/get", {{"taskId", "x"}})).at("error").at("code") == -32601);
  const Fixture none;
  CHECK(WireClient(none.parts()).ask(about("get", "x")).at("error").at("code") == -32601);
}

TEST_CASE("cancelling stops the work, here and in another server, and what was begun is said to stay") {
  Bench bench;
  WireClient first(bench.parts()), second(bench.parts());
  const json id = first.ask(call(1, "work")).at("result").at("taskId");
  bench.await_begun(1);
  WireClient& asked = GENERATE(true, false) ? first : second;
  CHECK(asked.ask(about("cancel", id)).at("result").at("resultType") == "complete");
  bench.await_stopped(1);
  const json ended = end_of(second, id);
  CHECK(ended.at("status") == "cancelled");
  CHECK(ended.at("statusMessage").get<std::string>().find("billing") != std::string::npos);
  CHECK(first.ask(about("update", id, {{"inputResponses", {{"q", {{"action", "accept"}}}}}}))
            .contains("result"));
}

TEST_CASE("a task whose server ended is carried on by the one that is asked next, once") {
  Bench bench;
  json id;
  {
    WireClient first(bench.parts());
    id = first.ask(call(1, "work")).at("result").at("taskId");
    bench.await_begun(1);
    (void)first.finish();
  }
  bench.await_stopped(1);
  CHECK((*bench.store().find(id))->status == "working");
  WireClient second(bench.parts()), third(bench.parts());
  for (int i = 0; i < 10; ++i) {
    CHECK(second.ask(about("get", id)).at("result").at("status") == "working");
    CHECK(third.ask(about("get", id)).at("result").at("status") == "working");
  }
  bench.await_begun(2);
  bench.let_end();
  CHECK(end_of(third, id).at("result").at("structuredContent").at("answer") == 42);
  CHECK(bench.most_running() == 1);
}

TEST_CASE("a task is not begun again long after its server ended, unless it only waits") {
  Bench bench;
  bench.let_end();
  const auto now = bench.store().now();
  const auto add = [&](const char* id, const char* tool, std::chrono::minutes ago) {
    REQUIRE(bench.store().add({.id = id, .tool = tool, .created = now - 20h, .updated = now - ago}, {}, {}));
  };
  add("old", "work", 11min);
  add("young", "work", 9min);
  add("waits", "echo", 19h);
  WireClient client(bench.parts());
  const json old = client.ask(about("get", "old")).at("result");
  CHECK(old.at("status") == "failed");
  CHECK(old.at("statusMessage").get<std::string>().find("ended at " + to_iso8601(now - 11min)) !=
        std::string::npos);
  CHECK(old.at("error").at("message") == old.at("statusMessage"));
  CHECK(end_of(client, "waits").at("status") == "completed");
  CHECK(bench.begun() == 0);
  CHECK(end_of(client, "young").at("status") == "completed");
  CHECK(bench.begun() == 1);
}

TEST_CASE("looking on never keeps work from beginning, and what finds no room is made as any other call") {
  Bench bench;
  WireClient client(bench.parts());
  for (int i = 1; i <= 8; ++i) REQUIRE(client.ask(call(i, "watch")).at("result").at("resultType") == "task");
  client.send(call("ninth", "watch"));
  const json work = client.ask(call(10, "work")).at("result");
  CHECK(work.at("resultType") == "task");
  bench.await_begun(10);  // the ninth, too: in its own call
  bench.let_end();
  CHECK(client.next().at("result").at("resultType") == "complete");
}

TEST_CASE("a call that was cancelled becomes no task") {
  Bench bench;
  WireClient client(bench.parts());
  bench.store().slow = true;
  client.send(call(1, "work"));
  bench.store().adding.acquire();
  client.send({{"jsonrpc", "2.0"}, {"method", "notifications/cancelled"}, {"params", {{"requestId", 1}}}});
  (void)client.finish();
  CHECK(bench.store().find(bench.store().last).value().value().status == "cancelled");
  CHECK(bench.begun() == 0);
}

TEST_CASE("a look at a task changes nothing that a watcher of its folder would hear of") {
  Bench bench;
  REQUIRE(bench.store().add({.id = "t", .tool = "work", .created = bench.store().now()}, {}, {}));
  FolderWatch watch;
  watch.watch({bench.folder()});
  for (int i = 0; i < 3; ++i) CHECK(bench.store().find("t")->has_value());
  CHECK(watch.wait(0ms) == FolderWatch::Woken::time);
  bench.store().ask_cancel("t").value();
  CHECK(watch.wait(10s) == FolderWatch::Woken::change);
}

TEST_CASE("a task whose record cannot be read now is not unknown") {
  Bench bench;
  WireClient client(bench.parts());
  const json id = client.ask(call(1, "work")).at("result").at("taskId");
  bench.await_begun(1);
  bench.store().broken = true;
  for (const char* what : {"get", "update", "cancel"}) {
    const json error = client.ask(about(what, id, {{"inputResponses", json::object()}})).at("error");
    CHECK(error.at("code") == -32603);
    CHECK(error.at("message").get<std::string>().find("the disk is full") != std::string::npos);
  }
  bench.store().broken = false;
  CHECK(client.ask(about("get", id)).at("result").at("status") == "working");
}

TEST_CASE("a task that nobody works on is cancelled by whoever is asked") {
  Bench bench;
  json id;
  {
    WireClient first(bench.parts());
    id = first.ask(call(1, "work")).at("result").at("taskId");
    bench.await_begun(1);
  }
  WireClient second(bench.parts());
  CHECK(second.ask(about("cancel", id)).contains("result"));
  CHECK(second.ask(about("get", id)).at("result").at("status") == "cancelled");
  CHECK(bench.most_running() == 1);
}

TEST_CASE("a listen on a task tells its progress and its end, tagged") {
  Bench bench;
  WireClient worker(bench.parts()), other(bench.parts());
  const json id = worker.ask(call(1, "work")).at("result").at("taskId");
  bench.await_begun(1);
  other.send(with_tasks("l", "subscriptions/listen", {{"notifications", {{"taskIds", {id, "nobody"}}}}}));
  CHECK(other.next().at("params").at("notifications") == json{{"taskIds", {id}}});
  bench.let_end();
  json last;
  do {
    last = other.next();
    CHECK(last.at("method") == "notifications/tasks");
    CHECK(last.at("params").at("taskId") == id);
    CHECK(last.at("params").at("_meta").at("io.modelcontextprotocol/subscriptionId") == "l");
  } while (last.at("params").at("status") == "working");
  CHECK(last.at("params").at("status") == "completed");
  CHECK(last.at("params").at("result").at("structuredContent").at("answer") == 42);
}

TEST_CASE("a day after its creation a task is forgotten") {
  Bench bench;
  REQUIRE(bench.store().add({.id = "old", .tool = "work", .created = bench.store().now() - 25h}, {}, {}));
  REQUIRE(bench.store().add(
      {.id = "young", .tool = "work", .created = bench.store().now() - 23h, .updated = bench.store().now()},
      {}, {}));
  bench.let_end();
  WireClient client(bench.parts());
  CHECK(client.ask(about("get", "old")).at("error").at("code") == -32602);
  CHECK(end_of(client, "young").at("status") == "completed");
  (void)client.ask(call(1, "work"));
  CHECK_FALSE(bench.store().find("old")->has_value());
}
