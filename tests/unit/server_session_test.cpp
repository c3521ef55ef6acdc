#include <fcntl.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <future>
#include <map>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/fixture_tools.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wire_client.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

json call(const json& id, const std::string& tool, json arguments = json::object()) {
  return modern(id, "tools/call", {{"name", tool}, {"arguments", std::move(arguments)}});
}
json cancel(const json& id) {
  return {{"jsonrpc", "2.0"}, {"method", "notifications/cancelled"}, {"params", {{"requestId", id}}}};
}
double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("tool definitions hold what each revision knows, and nothing more") {
  struct Row {
    const char* version;
    bool annotations, titles;
  };
  const auto row =
      GENERATE(Row{"2024-11-05", false, false}, Row{"2025-03-26", true, false}, Row{"2025-06-18", true, true},
               Row{"2025-11-25", true, true}, Row{"2026-07-28", true, true});
  CAPTURE(row.version);
  const Fixture fixture;
  WireClient client(fixture.parts());
  const bool is_new = std::string(row.version) == "2026-07-28";
  if (!is_new) CHECK(client.initialize(row.version).at("protocolVersion") == row.version);
  const json first = client.ask(is_new ? modern(1, "tools/list") : legacy(1, "tools/list")).at("result");
  const json again = client.ask(is_new ? modern(2, "tools/list") : legacy(2, "tools/list")).at("result");
  CHECK(first == again);
  CHECK(first.contains("resultType") == is_new);
  CHECK(first.contains("ttlMs") == is_new);
  CHECK(first.contains("_meta") == is_new);
  REQUIRE(first.at("tools").size() == fixture.parts().tools.size());
  for (const json& tool : first.at("tools")) {
    CHECK(tool.at("inputSchema").at("type") == "object");
    CHECK(tool.at("inputSchema").at("additionalProperties") == false);
    CHECK(tool.contains("annotations") == row.annotations);
    CHECK(tool.contains("outputSchema") == row.titles);
    CHECK_FALSE(tool.contains("execution"));
  }
  CHECK(first.at("tools")[0].contains("title") == row.titles);
  if (row.annotations) {
    std::map<std::string, json> hints;
    for (const json& tool : first.at("tools")) {
      hints[tool.at("name")] = tool.at("annotations");
      for (const char* hint : {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"})
        CHECK(tool.at("annotations").at(hint).is_boolean());
    }
    CHECK(hints.at("echo").at("readOnlyHint") == true);
    CHECK(hints.at("wait").at("readOnlyHint") == false);
    CHECK(hints.at("wait").at("destructiveHint") == true);
    CHECK(hints.at("report").at("destructiveHint") == false);
    CHECK(hints.at("fail").at("destructiveHint") == true);
  }
}

TEST_CASE("a handshake that lacks something is refused and can be repeated") {
  const Fixture fixture;
  WireClient client(fixture.parts());
  const json whole = {
      {"protocolVersion", "2025-06-18"}, {"capabilities", json::object()}, {"clientInfo", json::object()}};
  int id = 0;
  for (const auto& [key, value] : whole.items()) {
    json params = whole;
    params.erase(key);
    CHECK(client.ask(legacy(++id, "initialize", params)).at("error").at("code") == -32602);
    params[key] = 7;
    CHECK(client.ask(legacy(++id, "initialize", params)).at("error").at("code") == -32602);
  }
  CHECK(client.ask(legacy(++id, "initialize", whole)).at("result").at("protocolVersion") == "2025-06-18");
}

TEST_CASE("two thousand mixed calls get one answer each") {
  const Fixture fixture;
  WireClient client(fixture.parts());
  client.initialize("2025-06-18");
  constexpr int kCalls = 2000;
  std::mt19937 dice(7);
  std::map<std::string, int> answers;
  for (int i = 0; i < kCalls; ++i) {
    const json id = i % 2 ? json(i) : json("s" + std::to_string(i));
    answers[id.dump()] = 0;
    switch (dice() % 9) {
      case 0:
        client.send(call(id, "echo", {{"text", std::string(dice() % 3000, 'x')}}));
        break;
      case 1:
        client.send(call(id, "fail"));
        break;
      case 2:
        client.send(call(id, "throw"));
        break;
      case 3:
        client.send(call(id, "report", {{"times", 50}}));
        break;
      case 4:
        client.send(legacy(id, "ping"));
        break;
      case 5:
        client.send(legacy(id, "tools/list"));
        break;
      case 6:
        client.send(modern(id, "resources/read", {{"uri", "demo://jobs"}}));
        break;
      case 7:
        client.send(legacy(id, "nope"));
        break;
      default:
        client.send(legacy(id, "tools/call", {{"name", "echo"}, {"arguments", {{"wrong", 1}}}}));
    }
  }
  for (int i = 0; i < kCalls; ++i) ++answers.at(client.next().at("id").dump());
  for (const auto& [id, count] : answers)
    if (count != 1) FAIL_CHECK("id " << id << " got " << count << " answers");
  CHECK(client.finish().empty());
}

TEST_CASE("when too many calls wait, the next one is told so") {
  Fixture fixture;
  WireClient client(fixture.parts(), {.workers = 1});
  client.send(call("first", "wait"));
  fixture.await_begun(1);
  for (int i = 0; i < 256; ++i) client.send(call(i, "echo", {{"text", "x"}}));
  const json refused = client.ask(call("late", "echo", {{"text", "x"}})).at("result");
  CHECK(refused.at("isError") == true);
  CHECK(refused.at("content")[0].at("text").get<std::string>().find("busy") != std::string::npos);
  client.send(cancel("first"));
  for (int i = 0; i < 256; ++i) CHECK(client.answer_to(i).at("result").at("isError") == false);
}

TEST_CASE("a cancellation reaches the tool, and no answer follows") {
  Fixture fixture;
  WireClient client(fixture.parts());
  client.send(call(1, "wait"));
  client.send(call("1", "wait"));
  fixture.await_begun(2);
  client.send(cancel(2));    // unknown
  client.send(cancel("1"));  // not 1: another type
  fixture.await_stopped(1);
  client.send(cancel(1));
  fixture.await_stopped(2);
  client.send(cancel(1));  // again, after the fact
  CHECK(client.ask(call(1, "echo", {{"text", "the id is free again"}})).at("result").at("isError") == false);
  CHECK(client.finish().empty());
}

TEST_CASE("a call that still waits for a worker can be cancelled before it begins") {
  Fixture fixture;
  WireClient client(fixture.parts(), {.workers = 1});
  client.send(call("a", "wait"));
  fixture.await_begun(1);
  client.send(call("b", "wait"));
  client.send(cancel("b"));
  client.send(cancel("a"));
  CHECK(client.ask(call("c", "echo", {{"text", "x"}})).contains("result"));
  CHECK(fixture.begun() == 1);
  CHECK(client.finish().empty());
}

TEST_CASE("an id that is in use is refused, and the first call keeps it") {
  Fixture fixture;
  WireClient client(fixture.parts());
  client.send(call(5, "wait"));
  fixture.await_begun(1);
  CHECK(client.ask(call(5, "echo", {{"text", "x"}})).at("error").at("code") == -32600);
  client.send(cancel(5));
  fixture.await_stopped(1);
  CHECK(client.finish().empty());
}

TEST_CASE("pings, lists and logs are answered while every worker waits") {
  Fixture fixture;
  WireClient client(fixture.parts());
  client.initialize("2025-11-25");
  for (int i = 0; i < 8; ++i) client.send(legacy(i, "tools/call", {{"name", "wait"}}));
  fixture.await_begun(8);
  CHECK(client.ask(legacy("p", "ping")).at("result") == json::object());
  CHECK(client.ask(legacy("t", "tools/list")).contains("result"));
  CHECK(client.ask(legacy("r", "resources/read", {{"uri", "demo://jobs"}})).contains("result"));
}

TEST_CASE("the end of the input ends running calls, each with its answer, in less than a second") {
  Fixture fixture;
  WireClient client(fixture.parts());
  for (int i = 0; i < 12; ++i) client.send(call(i, "wait"));  // eight run, four wait
  fixture.await_begun(8);
  std::vector<json> rest;
  const double took = seconds_of([&] { rest = client.finish(); });
  CHECK(took < 1.0);
  CHECK(client.exit_code() == 0);
  CHECK(rest.size() == 12);
  for (const json& answer : rest) CHECK(answer.at("result").at("isError") == true);
  CHECK(fixture.begun() == 8);  // what had not begun never does
}

TEST_CASE("requests that are piped in before the end get their answers") {
  const Fixture fixture;
  WireClient client(fixture.parts());
  std::string all;
  for (int i = 0; i < 20; ++i) all += dump(call(i, "echo", {{"text", "x"}})) + "\n";
  client.send_raw(all + dump(call(20, "echo", {{"text", "no line end"}})));
  const auto rest = client.finish();
  REQUIRE(rest.size() == 21);
  for (const json& answer : rest) CHECK(answer.at("result").at("isError") == false);
}

TEST_CASE("an empty input ends at once") {
  const Fixture fixture;
  const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  int code = -1;
  CHECK(seconds_of(
            [&] { code = serve(fixture.parts(), {.input = nothing.get(), .output = nothing.get()}); }) < 0.2);
  CHECK(code == 0);
}

TEST_CASE("a client that went away, or a signal, ends the server although the input is open") {
  Fixture fixture;
  SECTION("nobody reads the answers") {
    WireClient client(fixture.parts());
    client.send(call(1, "wait"));
    fixture.await_begun(1);
    client.close_output();
    client.send(legacy(2, "ping"));
    fixture.await_stopped(1);
  }
  SECTION("a stop was asked for") {
    std::stop_source stop;
    WireClient client(fixture.parts(), {.stop = stop.get_token()});
    client.send(call(1, "wait"));
    fixture.await_begun(1);
    stop.request_stop();
    CHECK(client.answer_to(1).at("result").at("isError") == true);
    fixture.await_stopped(1);
  }
}

TEST_CASE("an open subscription is answered when the server ends, and their number is bounded") {
  const Fixture fixture;
  WireClient client(fixture.parts());
  for (int i = 0; i < 32; ++i) {
    client.send(modern(i, "subscriptions/listen", {{"notifications", {{"toolsListChanged", true}}}}));
    const json ack = client.next();
    CHECK(ack.at("method") == "notifications/subscriptions/acknowledged");
    CHECK(ack.at("params").at("notifications") == json::object());
  }
  CHECK(client.ask(modern("more", "subscriptions/listen", {{"notifications", json::object()}}))
            .contains("error"));
  CHECK(client.ask(modern("odd", "subscriptions/listen", {{"notifications", 1}})).contains("error"));
  client.send(cancel(3));
  const auto rest = client.finish();
  CHECK(rest.size() == 31);
  for (const json& answer : rest) {
    CHECK(answer.at("result").at("resultType") == "complete");
    CHECK(answer.at("result").at("_meta").at("io.modelcontextprotocol/subscriptionId") == answer.at("id"));
    CHECK(answer.at("id") != 3);
  }
}

TEST_CASE("progress is sent to those who asked, before the answer only") {
  const Fixture fixture;
  WireClient client(fixture.parts());
  const json token = GENERATE(json(0), json("t"));
  json request = call(1, "report", {{"times", 5000}});
  request["params"]["_meta"]["progressToken"] = token;
  client.send(request);
  int updates = 0;
  for (json message = client.next(); message.contains("method"); message = client.next(), ++updates) {
    CHECK(message.at("method") == "notifications/progress");
    CHECK(message.at("params").at("progressToken") == token);
  }
  CHECK(updates >= 1);
  CHECK(updates < 20);  // not 5000
  client.send(call(2, "report", {{"times", 5}}));
  CHECK(client.next().at("id") == 2);
  CHECK(client.finish().empty());
}

TEST_CASE("what tools and their children print does not reach the protocol") {
  const TempFolder folder;
  const Fixture fixture;
  const auto out = folder.path() / "out", err = folder.path() / "err",
             in = folder.write("in", dump(call(1, "print")) + "\n");
  std::fflush(stdout);
  {  // this process's own descriptors, put back afterwards
    const Fd kept_out(::dup(1)), kept_err(::dup(2));
    const Fd to_out(::open(out.c_str(), O_CREAT | O_WRONLY, 0600)),
        to_err(::open(err.c_str(), O_CREAT | O_WRONLY, 0600));
    ::dup2(to_out.get(), 1);
    ::dup2(to_err.get(), 2);
    const Fd protocol(claim_stdout());
    const Fd input(::open(in.c_str(), O_RDONLY));
    serve(fixture.parts(), {.input = input.get(), .output = protocol.get()});
    ::dup2(kept_out.get(), 1);
    ::dup2(kept_err.get(), 2);
  }
  const auto content = [](const std::filesystem::path& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const json answer = json::parse(content(out));  // throws if anything else is in it
  CHECK(answer.at("result").at("structuredContent").at("outcome") == "printed");
  CHECK(content(err).find("stray print") != std::string::npos);
  CHECK(content(err).find("stray child") != std::string::npos);
}

TEST_CASE("a request nested too deeply is refused under its own id") {
  const Fixture fixture;
  WireClient client(fixture.parts());
  std::string deep(100'000, '[');
  deep += std::string(100'000, ']');
  client.send(R"({"jsonrpc":"2.0","method":"tools/call","params":{"x":)" + deep + R"(},"id":"deep"})");
  CHECK(client.answer_to("deep").at("error").at("code") == -32600);
  CHECK(client.ask(legacy(1, "ping")).contains("result"));
}

TEST_CASE("a response nested too deeply is not answered: its id is ours, not the client's") {
  const Fixture fixture;
  WireClient client(fixture.parts());
  client.initialize("2025-11-25");
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  client.send(R"({"jsonrpc":"2.0","id":7,"error":{"code":1,"message":)" + deep + "}}");
  CHECK_FALSE(client.next().contains("id"));
  CHECK(client.ask(legacy(7, "ping")).contains("result"));
  CHECK(client.finish().empty());
}

TEST_CASE("a line of forty megabytes is refused, and the next one is served") {
  const Fixture fixture;
  WireClient client(fixture.parts());
  client.initialize("2025-11-25");
  client.send(std::string(40 << 20, 'x'));
  const json refused = client.next();
  CHECK(refused.at("error").at("code") == -32600);
  CHECK_FALSE(refused.contains("id"));
  CHECK(client.ask(legacy(1, "ping")).contains("result"));
}

TEST_CASE("resources that take their time hold up nothing else, and end when they are told to") {
  Fixture fixture;
  ServerParts parts = fixture.parts();
  std::atomic<int> begun{0}, stopped{0};
  parts.resources.read = [&](const std::string&, std::stop_token stop) -> Result<ResourceContent> {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any changed;
    begun.fetch_add(1);
    begun.notify_all();
    changed.wait(lock, stop, [] { return false; });
    ++stopped;
    return fail({.code = Code::cancelled, .what = "stopped"});
  };
  const auto read = [](const json& id) { return modern(id, "resources/read", {{"uri", "demo://slow"}}); };
  const auto await_begun = [&](int count) {
    for (int now = begun; now < count; now = begun) begun.wait(now);
  };
  WireClient client(parts);
  for (int i = 0; i < 20; ++i) client.send(read(i));
  await_begun(4);
  CHECK(client.ask(modern("list", "resources/list")).contains("result"));
  client.send(cancel(0));
  client.send(cancel(1));
  client.send(cancel(2));
  client.send(cancel(3));
  await_begun(8);  // those that were cancelled made room
  const auto rest = client.finish();
  CHECK(rest.size() == 16);
  for (const json& answer : rest) CHECK(answer.at("error").at("code") == -32603);
  CHECK(begun == 8);  // what had not begun never does
  CHECK(stopped == 8);
}

TEST_CASE("a batch asks for a bounded number of answers") {
  const Fixture fixture;
  WireClient client(fixture.parts());
  client.initialize("2025-03-26");
  json batch = json::array();
  for (int i = 0; i < 100; ++i) batch.push_back(legacy(i, "ping"));
  client.send(batch);
  CHECK(client.next().size() == 100);
  batch.push_back(legacy(100, "ping"));
  client.send(batch);
  const json refused = client.next();
  REQUIRE(refused.is_object());
  CHECK_FALSE(refused.contains("id"));
  CHECK(refused.at("error").at("code") == -32600);
  CHECK(client.finish().empty());
}

TEST_CASE("a client that closes our input and reads nothing lets the server end") {
  const Fixture fixture;
  std::array<int, 2> to{}, from{};
  REQUIRE(::pipe2(to.data(), O_CLOEXEC) == 0);
  REQUIRE(::pipe2(from.data(), O_CLOEXEC) == 0);
  const Fd server_in(to[0]), server_out(from[1]);
  Fd in(to[1]), out(from[0]);
  std::string all = dump(modern("l", "subscriptions/listen", {{"notifications", json::object()}})) + "\n";
  for (int i = 0; i < 100; ++i) all += dump(modern(i, "tools/list")) + "\n";
  REQUIRE(all.size() < 65536);  // fits into the pipe; the answers do not
  REQUIRE(::write(in.get(), all.data(), all.size()) == static_cast<ssize_t>(all.size()));
  in.reset();
  auto ended = std::async(std::launch::async, [&] {
    return serve(fixture.parts(), {.input = server_in.get(), .output = server_out.get()});
  });
  const bool in_time = ended.wait_for(15s) == std::future_status::ready;
  out.reset();  // ends one that waits
  CHECK(in_time);
  CHECK(ended.get() == 0);
}
