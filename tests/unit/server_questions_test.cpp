#include "server/questions.h"

#include "tests/support/asking_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/wire_client.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

const json kForms = {{"elicitation", {{"form", json::object()}}}};
const json kYes = {{"action", "accept"}, {"content", {{"yes", true}}}};
const json kNo = {{"action", "decline"}};

json call(const json& id, json more = json::object(), const json& can = kForms,
          const std::string& tool = "pay") {
  json params = {{"name", tool}, {"arguments", {{"amount", 3}}}};
  if (tool == "look") params.erase("arguments");
  params.update(more);
  json request = modern(id, "tools/call", std::move(params));
  request["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = can;
  return request;
}
json retry(const json& id, const json& asked, const json& answer) {
  return call(id, {{"requestState", asked.at("requestState")}, {"inputResponses", {{"approve", answer}}}});
}
std::string outcome(const json& answer) { return answer.at("result").at("structuredContent").at("outcome"); }

json ask(WireClient& client, const json& id) {
  json result = client.ask(call(id)).at("result");
  REQUIRE(result.at("resultType") == "input_required");
  return result;
}

/// The legacy handshake of a client that can be asked.
void shake_hands(WireClient& client, const std::string& version, const json& can = kForms) {
  (void)client.ask(legacy("init", "initialize",
                          {{"protocolVersion", version},
                           {"capabilities", can},
                           {"clientInfo", {{"name", "t"}, {"version", "1"}}}}));
}
json legacy_call(const json& id, const std::string& tool = "pay") {
  return legacy(id, "tools/call",
                {{"name", tool}, {"arguments", tool == "pay" ? json{{"amount", 3}} : json::object()}});
}
json answer_of(const json& question, const json& result) {
  return {{"jsonrpc", "2.0"}, {"id", question.at("id")}, {"result", result}};
}

}  // namespace

TEST_CASE("a modern client is asked by a result, and its answer counts once") {
  AskingFixture fixture;
  WireClient client(fixture.parts());
  const json asked = ask(client, 1);
  const json& one = asked.at("inputRequests").at("approve");
  CHECK(one.at("method") == "elicitation/create");
  CHECK(one.at("params").at("mode") == "form");
  CHECK(one.at("params").at("message") == "Pay 3?");
  CHECK(one.at("params").at("requestedSchema").at("required") == json::array({"yes"}));
  for (const char* absent : {"structuredContent", "content", "ttlMs", "cacheScope"})
    CHECK_FALSE(asked.contains(absent));
  CHECK(fixture.spent() == 0);

  fixture.pass(3s);
  CHECK(outcome(client.ask(retry(2, asked, kYes))) == "paid");
  CHECK(fixture.spent() == 3);
  const json again = client.ask(retry(3, asked, kYes));
  CHECK(again.at("error").at("code") == kInvalidParams);
  WireClient other(fixture.parts());  // another process with the same memory
  CHECK(other.ask(retry(4, asked, kYes)).at("error").at("code") == kInvalidParams);
  CHECK(fixture.spent() == 3);
}

TEST_CASE("another server of the same user takes the answer") {
  AskingFixture fixture;
  json asked;
  {
    WireClient first(fixture.parts());
    asked = ask(first, 1);
  }
  WireClient second(fixture.parts());
  CHECK(outcome(second.ask(retry(1, asked, kYes))) == "paid");
  AskingFixture stranger;  // has another key
  WireClient third(stranger.parts());
  CHECK(third.ask(retry(1, asked, kYes)).at("error").at("code") == kInvalidParams);
}

TEST_CASE("a state that is not as it was sent spends nothing") {
  AskingFixture fixture;
  WireClient client(fixture.parts());
  const json asked = ask(client, 1);
  const std::string good = asked.at("requestState");
  std::vector<json> bad{"",         "v1.",          "v1..", "v2" + good.substr(2), good + "A",
                        good + "=", good.substr(1), 7,      json::object(),        std::string(60'000, 'A')};
  for (std::size_t i = 0; i < good.size(); i += 7) {
    std::string turned = good;
    turned[i] = turned[i] == 'A' ? 'B' : 'A';
    bad.emplace_back(turned);
  }
  std::string last = good;  // the last character holds two bits that mean nothing
  last.back() = static_cast<char>(last.back() + 1);
  bad.emplace_back(last);
  int id = 10;
  for (const json& state : bad) {
    CAPTURE(state.dump());
    const json answer =
        client.ask(call(++id, {{"requestState", state}, {"inputResponses", {{"approve", kYes}}}}));
    CHECK(answer.at("error").at("code") == kInvalidParams);
  }
  json more = {{"requestState", good}, {"inputResponses", {{"approve", kYes}}}};
  json other_arguments = more, other_tool = more;
  other_arguments["arguments"] = {{"amount", 3000}};
  other_tool["name"] = "look";
  other_tool["arguments"] = {{"amount", 3}};
  CHECK(client.ask(call(3, other_arguments)).at("error").at("code") == kInvalidParams);
  CHECK(client.ask(call(4, other_tool)).at("error").at("code") == kInvalidParams);
  fixture.pass(kAskFor);
  CHECK(client.ask(call(5, more)).at("error").at("code") == kInvalidParams);
  CHECK(fixture.spent() == 0);
}

TEST_CASE("a no is final; one that nobody can have read is none") {
  AskingFixture fixture;
  WireClient client(fixture.parts());
  const json first = ask(client, 1);
  fixture.pass(1s);
  CHECK(outcome(client.ask(retry(2, first, kNo))) == "unheard");
  const json unticked{{"action", "accept"}, {"content", {{"yes", false}}}};  // a host that fills in defaults
  CHECK(outcome(client.ask(retry(2, ask(client, 3), unticked))) == "unheard");
  for (const json& no :
       {kNo, json{{"action", "cancel"}}, json{{"action", "accept"}, {"content", {{"yes", false}}}}}) {
    const json asked = ask(client, 3);
    fixture.pass(2s);
    CHECK(outcome(client.ask(retry(4, asked, no))) == "declined");
  }
  CHECK(fixture.spent() == 0);
}

TEST_CASE("what does not fit the form is asked for once more") {
  AskingFixture fixture;
  WireClient client(fixture.parts());
  const json bad = GENERATE(json(), json("yes"), json{{"action", "accept"}}, json{{"action", "maybe"}},
                            json{{"action", "accept"}, {"content", {{"yes", "true"}}}},
                            json{{"action", "accept"}, {"content", {{"no", true}}}});
  CAPTURE(bad.dump());
  const json asked = ask(client, 1);
  fixture.pass(5s);
  const json again = client.ask(retry(2, asked, bad)).at("result");
  REQUIRE(again.at("resultType") == "input_required");
  CHECK(again.at("inputRequests") == asked.at("inputRequests"));
  fixture.pass(5s);
  if (GENERATE(true, false)) {
    CHECK(outcome(client.ask(retry(3, again, kYes))) == "paid");
    CHECK(client.ask(retry(4, asked, kYes)).at("error").at("code") == kInvalidParams);  // the same question
    CHECK(fixture.spent() == 3);
  } else {
    CHECK(outcome(client.ask(retry(3, again, bad))) == "unheard");
    CHECK(fixture.spent() == 0);
  }
}

TEST_CASE("who cannot be asked gets the answer that says how else") {
  AskingFixture fixture;
  WireClient client(fixture.parts());
  CHECK(outcome(client.ask(call(1, json::object(), json::object()))) == "approval_needed");
  CHECK(outcome(client.ask(call(2, json::object(), {{"elicitation", {{"url", json::object()}}}}))) ==
        "approval_needed");
  CHECK(
      client.ask(call(3, json::object(), {{"elicitation", json::object()}})).at("result").at("resultType") ==
      "input_required");
  fixture.memory().key = [] { return Result<Secret>(fail({.what = "the disk is full"})); };
  WireClient keyless(fixture.parts());
  CHECK(outcome(keyless.ask(call(4))) == "approval_needed");
}

TEST_CASE("other requests to the client travel the same way") {
  AskingFixture fixture;
  const json can = {{"roots", json::object()}, {"sampling", json::object()}};
  const json roots = {{"roots", json::array()}}, sample = {{"role", "assistant"}};
  SECTION("in one result") {
    WireClient client(fixture.parts());
    const json asked = client.ask(call(1, json::object(), can, "look")).at("result");
    CHECK(asked.at("inputRequests").at("where") == json{{"method", "roots/list"}});
    CHECK(asked.at("inputRequests").at("words").at("params").at("maxTokens") == 5);
    const json half =
        client
            .ask(call(2, {{"requestState", asked.at("requestState")}, {"inputResponses", {{"where", roots}}}},
                      can, "look"))
            .at("result");
    CHECK_FALSE(half.at("inputRequests").contains("where"));
    const json all = client.ask(
        call(3, {{"requestState", half.at("requestState")}, {"inputResponses", {{"words", sample}}}}, can,
             "look"));
    CHECK(all.at("result").at("structuredContent").at("where") == roots);
    CHECK(all.at("result").at("structuredContent").at("words") == sample);
  }
  SECTION("one after the other") {
    WireClient client(fixture.parts());
    shake_hands(client, "2025-11-25", can);
    client.send(legacy_call(1, "look"));
    const json first = client.next();
    CHECK(first.at("method") == "roots/list");
    client.send(answer_of(first, roots));
    const json second = client.next();
    CHECK(second.at("method") == "sampling/createMessage");
    client.send({{"jsonrpc", "2.0"}, {"id", second.at("id")}, {"error", {{"code", -1}, {"message", "no"}}}});
    const json all = client.answer_to(1);
    CHECK(all.at("result").at("structuredContent").at("where") == roots);
    CHECK(all.at("result").at("structuredContent").at("words") == "unheard");
  }
}

TEST_CASE("a legacy client is asked while its call is open") {
  AskingFixture fixture;
  fixture.memory().too_fast = 0ms;
  const std::string version = GENERATE("2025-06-18", "2025-11-25");
  WireClient client(fixture.parts());
  shake_hands(client, version);
  client.send(legacy_call(1));
  const json question = client.next();
  CHECK(question.at("method") == "elicitation/create");
  CHECK(question.at("params").contains("mode") == (version == "2025-11-25"));
  CHECK(client.ask(legacy(2, "ping")).at("result") == json::object());  // the reader does not wait
  client.send(answer_of({{"id", 4711}}, kYes));                         // nobody asked that
  client.send(answer_of({{"id", "1"}}, kYes));
  client.send(answer_of(question, GENERATE(kYes, kNo)));
  const json answer = client.answer_to(1);
  CHECK(outcome(answer) == (fixture.spent() == 3 ? "paid" : "declined"));
  CHECK(client.finish().empty());
}

TEST_CASE("a legacy question that nobody answers ends all the same") {
  AskingFixture fixture;
  SECTION("the call is cancelled") {
    WireClient client(fixture.parts());
    shake_hands(client, "2025-11-25");
    client.send(legacy_call(1));
    const json question = client.next();
    client.send({{"jsonrpc", "2.0"}, {"method", "notifications/cancelled"}, {"params", {{"requestId", 1}}}});
    const json told = client.next();
    CHECK(told.at("method") == "notifications/cancelled");
    CHECK(told.at("params").at("requestId") == question.at("id"));
    client.send(answer_of(question, kYes));  // too late
    CHECK(client.ask(legacy(2, "ping")).at("result") == json::object());
    CHECK(client.finish().empty());
  }
  SECTION("time passes") {
    fixture.memory().wait = 30ms;
    WireClient client(fixture.parts());
    shake_hands(client, "2025-11-25");
    client.send(legacy_call(1));
    const json question = client.next();
    CHECK(client.next().at("params").at("requestId") == question.at("id"));
    CHECK(outcome(client.answer_to(1)) == "unheard");
  }
  SECTION("the client cannot do it after all, or answers nonsense, or says no at once") {
    WireClient client(fixture.parts());
    shake_hands(client, "2025-11-25");
    int id = 0;
    for (const json& result : {json(), json::array(), json{{"action", "accept"}}, kNo}) {
      client.send(legacy_call(++id));
      const json question = client.next();
      client.send(result.is_null() ? json{{"jsonrpc", "2.0"},
                                          {"id", question.at("id")},
                                          {"error", {{"code", -32601}, {"message", "Method not found"}}}}
                                   : answer_of(question, result));
      CHECK(outcome(client.answer_to(id)) == "unheard");
    }
  }
  SECTION("as many are open as may be") {
    WireClient client(fixture.parts());
    shake_hands(client, "2025-11-25");
    for (int id = 1; id <= 4; ++id) client.send(legacy_call(id));
    for (int id = 1; id <= 4; ++id) CHECK(client.next().at("method") == "elicitation/create");
    CHECK(outcome(client.ask(legacy_call(5))) == "unheard");
  }
  CHECK(fixture.spent() == 0);
}

TEST_CASE("clients that never said so, or are too old for it, are not asked") {
  AskingFixture fixture;
  WireClient client(fixture.parts());
  const bool old = GENERATE(true, false);
  shake_hands(client, old ? "2025-03-26" : "2025-11-25", old ? kForms : json{{"roots", json::object()}});
  const json answer = client.ask(legacy_call(1)).at("result");
  CHECK(answer.at("content").at(0).at("text").get<std::string>().find("approval_needed") !=
        std::string::npos);
  CHECK(client.finish().empty());
}

TEST_CASE("a prompt asks for an argument that was not given") {
  AskingFixture fixture;
  WireClient client(fixture.parts());
  const auto get = [&](json params, const json& can) {
    params["name"] = "greet";
    json request = modern(1, "prompts/get", std::move(params));
    request["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = can;
    return client.ask(request);
  };
  const auto words = [](const json& answer) {
    return answer.at("result").at("messages").at(0).at("content").at("text");
  };
  CHECK(words(get({{"arguments", {{"who", "Ada"}}}}, kForms)) == "Say hello to Ada");
  CHECK(get(json::object(), json::object()).at("error").at("code") == kInvalidParams);
  const json asked = get(json::object(), kForms).at("result");
  REQUIRE(asked.at("resultType") == "input_required");
  const auto answer = [&](const json& said) {
    return get({{"requestState", asked.at("requestState")}, {"inputResponses", {{"arguments", said}}}},
               kForms);
  };
  fixture.pass(3s);
  CHECK(words(answer({{"action", "accept"}, {"content", {{"who", "Alan"}}}})) == "Say hello to Alan");
  CHECK(answer(kNo).at("error").at("code") == kInvalidParams);
}

TEST_CASE("a memory that cannot be read is the server's failure, and nothing is spent") {
  AskingFixture fixture;
  WireClient client(fixture.parts());
  const json asked = ask(client, 1);
  fixture.pass(3s);
  const auto broken = [] { return fail({.code = Code::unavailable, .what = "the disk is gone"}); };
  if (GENERATE(true, false))
    fixture.memory().key = [=]() -> Result<Secret> { return broken(); };
  else
    fixture.memory().take = [=](const std::string&, TimePoint, TimePoint) -> Result<bool> {
      return broken();
    };
  WireClient other(fixture.parts());
  CHECK(other.ask(retry(2, asked, kYes)).at("error").at("code") == kInternalError);
  CHECK(fixture.spent() == 0);
}
