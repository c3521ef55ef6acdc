#include "server/call_log.h"

#include "tests/fuzz/conversation.h"
#include "tests/support/catch.h"
#include "tests/support/wire_client.h"

using namespace vastgpu;

namespace {

json call_report(bool is_modern, json meta) {
  json params = {{"name", "report"}, {"arguments", {{"times", 2}}}, {"_meta", std::move(meta)}};
  return is_modern ? modern(1, "tools/call", std::move(params)) : legacy(1, "tools/call", std::move(params));
}

/// The messages for the log that came before the answer to `request`; none may come after.
std::vector<json> log_of(const ServerParts& parts, WireClient& client, const json& request) {
  client.send(request);
  std::vector<json> messages;
  for (json message = client.next(); !message.contains("result"); message = client.next())
    messages.push_back(std::move(message));
  CHECK(client.finish().empty());
  CHECK_FALSE(parts.tools.empty());
  return messages;
}

}  // namespace

TEST_CASE("a legacy client hears what its level lets through, from warning on before it sets one") {
  const ServerParts parts = quick_parts();
  WireClient client(parts);
  client.initialize("2025-11-25");
  SECTION("nothing was set: a line of level info stays here") {
    CHECK(log_of(parts, client, call_report(false, json::object())).empty());
  }
  SECTION("debug lets it through, with the tool's name") {
    CHECK(client.ask(legacy(9, "logging/setLevel", {{"level", "debug"}})).at("result").empty());
    const auto heard = log_of(parts, client, call_report(false, json::object()));
    REQUIRE(heard.size() == 2);
    CHECK(heard[1].at("method") == "notifications/message");
    CHECK(heard[1].at("params") == json{{"level", "info"}, {"logger", "report"}, {"data", {{"step", 1}}}});
  }
  SECTION("error silences it") {
    client.ask(legacy(9, "logging/setLevel", {{"level", "error"}}));
    CHECK(log_of(parts, client, call_report(false, json::object())).empty());
  }
}

TEST_CASE("a modern request hears a log only if it asks, and only where the server offers one") {
  ServerParts parts = quick_parts();
  const bool offered = GENERATE(true, false);
  parts.modern_logging = offered;
  WireClient client(parts);
  const json can = client.ask(modern(8, "server/discover")).at("result").at("capabilities");
  CHECK(can.contains("logging") == offered);
  const json asks = {{"io.modelcontextprotocol/logLevel", "info"}};
  const bool is_asked = GENERATE(true, false);
  const auto heard = log_of(parts, client, call_report(true, is_asked ? asks : json::object()));
  CHECK(heard.size() == (offered && is_asked ? 2u : 0u));
}

TEST_CASE("nothing is said after the log was closed, and unknown levels never") {
  int sent = 0;
  CallLog log(0, "tool", [&](const std::string&) { ++sent; });
  log.write("loud", "no level");
  CHECK(sent == 0);
  log.write("debug", "text");
  CHECK(sent == 1);
  log.close();
  log.write("emergency", "too late");
  CHECK(sent == 1);
}

TEST_CASE("blocks travel as they are, and as text to a client that does not know their kind") {
  const ServerParts parts = quick_parts();
  const json ask = legacy(1, "tools/call", {{"name", "blocks"}});
  WireClient old(parts);
  old.initialize("2024-11-05");
  const json plain = old.ask(ask).at("result").at("content");
  REQUIRE(plain.size() == 1);
  CHECK(plain[0] == json{{"type", "text"}, {"text", "[audio: audio/wav]"}});

  WireClient client(parts);
  client.initialize("2025-11-25");
  const json result = client.ask(ask).at("result");
  CHECK(result.at("content")[0].at("type") == "audio");
  CHECK(result.at("content")[1].at("type") == "resource_link");
  CHECK_FALSE(result.contains("structuredContent"));
}

TEST_CASE("a tool that cannot do without a capability is refused to those who do not declare it") {
  ServerParts parts = quick_parts();
  parts.tools[0].needs = {{"elicitation", {{"form", json::object()}}}};
  WireClient client(parts);
  json call = modern(1, "tools/call", {{"name", "echo"}, {"arguments", {{"text", "x"}}}});
  const json refused = client.ask(call).at("error");
  CHECK(refused.at("code") == -32021);
  CHECK(refused.at("data").at("requiredCapabilities") == parts.tools[0].needs);
  call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {
      {"elicitation", {{"form", json::object()}}}};
  CHECK(client.ask(call).contains("result"));
}
