#include "server/subscriptions.h"

#include <atomic>
#include <fstream>
#include <future>
#include <set>

#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/fixture_tools.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wire_client.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

/// Two resources that a test changes; a third that may still come; a file tells that something changed.
class Changing {
 public:
  Changing() {
    parts_ = fixture_.parts();
    parts_.resources.marks.of = [this](const std::string& uri) -> std::optional<std::string> {
      if (uri == "demo://a") return std::to_string(a_);
      if (uri == "demo://b") return std::to_string(b_);
      if (uri == "demo://broken") throw std::runtime_error("a bug");
      return std::nullopt;
    };
    parts_.resources.marks.list = [this] { return std::to_string(list_); };
    parts_.resources.marks.folders = [this](const std::string&) {
      return std::vector<std::filesystem::path>{folder_.path()};
    };
  }
  void change_a() { touch(++a_); }
  void change_b() { touch(++b_); }
  void change_list() { touch(++list_); }
  const ServerParts& parts() const { return parts_; }

 private:
  void touch(int n) { std::ofstream(folder_.path() / "news") << n; }
  Fixture fixture_;
  ServerParts parts_;
  TempFolder folder_;
  std::atomic<int> a_{0}, b_{0}, list_{0};
};

json listen(const json& id, json wanted) {
  return modern(id, "subscriptions/listen", {{"notifications", std::move(wanted)}});
}
json cancel(const json& id) {
  return {{"jsonrpc", "2.0"}, {"method", "notifications/cancelled"}, {"params", {{"requestId", id}}}};
}
json tag(const json& message) {
  return message.at("params").at("_meta").at("io.modelcontextprotocol/subscriptionId");
}

}  // namespace

TEST_CASE("a server that can watch says so, and one that cannot does not") {
  const Changing world;
  const Fixture fixture;
  const json can = {{"subscribe", true}, {"listChanged", true}};
  CHECK(WireClient(world.parts())
            .ask(modern(1, "server/discover"))
            .at("result")
            .at("capabilities")
            .at("resources") == can);
  CHECK(WireClient(world.parts()).initialize("2025-11-25").at("capabilities").at("resources") ==
        json{{"subscribe", true}});  // the list is told to a listen, which this era has not
  CHECK(WireClient(fixture.parts()).initialize("2025-11-25").at("capabilities").at("resources") ==
        json::object());
}

TEST_CASE("a subscription fires once for each change, and never after it ended") {
  Changing world;
  WireClient client(world.parts());
  client.initialize(GENERATE("2024-11-05", "2025-11-25"));
  CHECK(client.ask(legacy(1, "resources/subscribe", {{"uri", "demo://a"}})).at("result") == json::object());
  CHECK(client.ask(legacy(2, "resources/subscribe", {{"uri", "demo://a"}})).at("result") == json::object());
  CHECK(client.ask(legacy(3, "resources/subscribe", {{"uri", "demo://b"}})).contains("result"));
  world.change_a();
  const json first = client.next();
  CHECK(first.at("method") == "notifications/resources/updated");
  CHECK(first.at("params") == json{{"uri", "demo://a"}});  // legacy ones carry no tag

  CHECK(client.ask(legacy(4, "resources/unsubscribe", {{"uri", "demo://a"}})).at("result") == json::object());
  world.change_a();
  world.change_b();
  CHECK(client.next().at("params").at("uri") == "demo://b");
  CHECK(client.finish().empty());
}

TEST_CASE("what cannot be watched is refused in the words of its era") {
  const Changing world;
  WireClient client(world.parts());
  client.initialize("2025-11-25");
  CHECK(client.ask(legacy(1, "resources/subscribe", {{"uri", "demo://nope"}})).at("error").at("code") ==
        -32002);
  CHECK(client.ask(legacy(2, "resources/subscribe", {{"uri", "demo://broken"}})).at("error").at("code") ==
        -32002);
  CHECK(client.ask(legacy(3, "resources/subscribe", {{"uri", 7}})).at("error").at("code") == -32602);
  CHECK(client.ask(legacy(4, "resources/unsubscribe", {{"uri", "demo://a"}})).contains("result"));
  CHECK(client.ask(modern(5, "resources/subscribe", {{"uri", "demo://a"}})).at("error").at("code") == -32601);
  for (int i = 0; i < 200; ++i)
    client.send(legacy(text("s", i), "resources/subscribe", {{"uri", text("demo://nope", i)}}));
  for (int i = 0; i < 200; ++i) CHECK(client.answer_to(text("s", i)).contains("error"));
}

TEST_CASE("each listen gets its own copy, tagged, of what it asked for and no more") {
  Changing world;
  WireClient client(world.parts());
  client.send(listen("one", {{"resourceSubscriptions", {"demo://a", "demo://nope"}},
                             {"resourcesListChanged", true},
                             {"toolsListChanged", true},
                             {"promptsListChanged", true}}));
  const json one = client.next();
  CHECK(one.at("method") == "notifications/subscriptions/acknowledged");
  CHECK(one.at("params").at("notifications") ==
        json{{"resourceSubscriptions", {"demo://a"}}, {"resourcesListChanged", true}});
  client.send(listen(2, {{"resourceSubscriptions", {"demo://a"}}, {"resourcesListChanged", false}}));
  CHECK(client.next().at("params").at("notifications") == json{{"resourceSubscriptions", {"demo://a"}}});

  world.change_a();
  std::set<std::string> tags;
  for (int i = 0; i < 2; ++i) {
    const json update = client.next();
    CHECK(update.at("params").at("uri") == "demo://a");
    tags.insert(dump(tag(update)));
  }
  CHECK(tags == std::set<std::string>{"\"one\"", "2"});

  client.send(cancel(2));
  CHECK(client.ask(modern("after", "tools/list")).contains("result"));
  world.change_list();
  const json list = client.next();
  CHECK(list.at("method") == "notifications/resources/list_changed");
  CHECK(tag(list) == "one");
  CHECK(client.ask(modern("one", "tools/call", {{"name", "echo"}, {"arguments", {{"text", "x"}}}}))
            .at("error")
            .at("code") == -32600);

  const auto rest = client.finish();  // the end answers what is open
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].at("id") == "one");
  CHECK(rest[0].at("result").at("resultType") == "complete");
  CHECK(rest[0].at("result").at("_meta").at("io.modelcontextprotocol/subscriptionId") == "one");
}

TEST_CASE("many changes in a moment are few updates, and the last one is never lost") {
  Changing world;
  WireClient client(world.parts());
  client.send(listen(1, {{"resourceSubscriptions", {"demo://a", "demo://b"}}}));
  (void)client.next();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 300; ++i) world.change_a();
  int updates = 0;
  CHECK(client.next().at("params").at("uri") == "demo://a");
  ++updates;
  world.change_a();  // told too, although the one before was told just now
  CHECK(client.next().at("params").at("uri") == "demo://a");
  ++updates;
  world.change_b();
  for (;;) {
    const json message = client.next();
    if (message.at("params").at("uri") == "demo://b") break;
    ++updates;
  }
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  CHECK(updates <= 1 + static_cast<int>(seconds * 2));  // the first at once, then two a second
}

TEST_CASE("a listen that asks for nothing we have is acknowledged with nothing") {
  const Fixture fixture;
  WireClient client(fixture.parts());
  client.send(listen(
      1, {{"resourceSubscriptions", {"demo://jobs"}}, {"resourcesListChanged", true}, {"taskIds", {"t"}}}));
  CHECK(client.next().at("params").at("notifications") == json::object());
  CHECK(client.ask(listen(2, {{"resourceSubscriptions", "demo://jobs"}})).at("error").at("code") == -32602);
  CHECK(client.ask(listen(3, {{"resourceSubscriptions", {1}}})).at("error").at("code") == -32602);
}

TEST_CASE("what one client may watch is bounded, and what ended makes room") {
  const Changing world;
  WireClient client(world.parts());
  const auto many = [](int count) {
    json uris = json::array();
    for (int i = 0; i < count; ++i) uris.push_back(text("demo://nope", i));
    return json{{"resourceSubscriptions", uris}};
  };
  CHECK(client.ask(listen("wide", many(201))).at("error").at("code") == -32602);
  for (int i = 0; i < 32; ++i) {
    client.send(listen(i, {{"resourceSubscriptions", {"demo://a"}}}));
    CHECK(client.next().at("method") == "notifications/subscriptions/acknowledged");
  }
  CHECK(client.ask(listen("more", {{"resourceSubscriptions", {"demo://a"}}})).at("error").at("code") ==
        -32602);
  client.send(cancel(5));
  client.send(listen("room", {{"resourceSubscriptions", {"demo://a"}}}));
  CHECK(client.next().at("params").at("notifications").size() == 1);
}

TEST_CASE("a subscribe that is cancelled before its first look gets no answer") {
  const Changing world;
  ServerParts parts = world.parts();
  std::promise<void> look;
  parts.resources.marks.of = [may_look = look.get_future().share()](const std::string&) {
    may_look.wait();
    return std::optional<std::string>("a mark");
  };
  WireClient client(parts);
  client.initialize("2025-11-25");
  client.send(legacy(1, "resources/subscribe", {{"uri", "demo://a"}}));
  client.send(legacy(2, "resources/subscribe", {{"uri", "demo://a"}}));
  client.send(cancel(1));
  CHECK(client.ask(legacy(3, "ping")).contains("result"));
  look.set_value();
  CHECK(client.answer_to(2).contains("result"));
  CHECK(client.finish().empty());
}
