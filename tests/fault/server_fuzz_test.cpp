#include <map>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/fixture_tools.h"
#include "tests/support/wire_client.h"

using namespace vastgpu;

namespace {

const std::vector<std::string>& seeds() {
  static const std::vector<std::string> kSeeds = [] {
    std::vector<std::string> all;
    const json init = {
        {"protocolVersion", "2025-03-26"}, {"capabilities", json::object()}, {"clientInfo", json::object()}};
    for (const json& message :
         {modern(1, "server/discover"), modern("a", "tools/list"), legacy(2, "initialize", init),
          legacy(3, "ping"), modern(4, "tools/call", {{"name", "echo"}, {"arguments", {{"text", "hé\"\\"}}}}),
          modern(5, "tools/call", {{"name", "report"}, {"arguments", {{"times", 3}}}}),
          modern(6, "prompts/get", {{"name", "greet"}, {"arguments", {{"who", "x"}}}}),
          modern(7, "resources/read", {{"uri", "demo://jobs"}}),
          modern(8, "subscriptions/listen", {{"notifications", json::object()}}),
          modern(9, "completion/complete",
                 {{"ref", {{"type", "ref/prompt"}, {"name", "greet"}}},
                  {"argument", {{"name", "who"}, {"value", "A"}}}}),
          json::array({legacy(10, "ping"), legacy(11, "tools/list")}),
          legacy(12, "logging/setLevel", {{"level", "info"}})})
      all.push_back(message.dump());
    all.push_back(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}})");
    return all;
  }();
  return kSeeds;
}

std::string mutated(std::mt19937& dice) {
  static const char* const kBits[] = {"null",    "{}",      "[]",       "\"\"", "-1",       "1e999",
                                      "\\u0000", "\\ud800", "\xff\xfe", "\xc3", "\"id\"",   "\"_meta\"",
                                      "[[[[",    "}}}}",    ",",        ":",    "\x00\x01", "1.5"};
  std::string line = seeds()[dice() % seeds().size()];
  for (auto times = dice() % 4; times > 0; --times) {
    const std::size_t at = dice() % (line.size() + 1);
    switch (dice() % 5) {
      case 0:
        line.insert(at, kBits[dice() % std::size(kBits)]);
        break;
      case 1:
        line.erase(at, dice() % 10);
        break;
      case 2:
        if (at < line.size()) line[at] = static_cast<char>(dice());
        break;
      case 3:
        line.resize(at);
        break;
      default:
        line += seeds()[dice() % seeds().size()];
    }
    if (line.empty()) line = " ";
  }
  std::erase(line, '\n');
  return line;
}

}  // namespace

TEST_CASE("thousands of broken lines bring the server neither down nor to a second answer") {
  const Fixture fixture;
  const auto seed = static_cast<unsigned>(GENERATE(1, 2, 3));
  CAPTURE(seed);
  std::mt19937 dice(seed);
  WireClient client(fixture.parts());
  std::map<std::string, int> asked;  // how often an id was put to the server, at most
  const auto count = [&](const json& message) {
    if (message.is_object() && message.contains("id") && message.contains("method"))
      ++asked[message.at("id").dump()];
    else if (message.is_object() && message.contains("id"))
      ++asked[message.at("id").dump()];
  };
  for (int i = 0; i < 1500; ++i) {
    const std::string line = mutated(dice);
    const json message = json::parse(line, nullptr, false);
    if (message.is_array())
      for (const json& part : message) count(part);
    else
      count(message);
    client.send(line);
    if (i % 500 == 499)
      CHECK(client.ask(modern("alive" + std::to_string(i), "tools/list")).contains("result"));
  }
  std::map<std::string, int> answered;
  const auto take = [&](const json& message) {
    if (message.contains("id")) ++answered[message.at("id").dump()];
  };
  for (const json& message : client.finish())
    if (message.is_array())
      for (const json& part : message) take(part);
    else
      take(message);
  CHECK(client.exit_code() == 0);
  for (const auto& [id, times] : answered)
    if (times > asked[id]) FAIL_CHECK("id " << id << ": asked " << asked[id] << ", answered " << times);
}
