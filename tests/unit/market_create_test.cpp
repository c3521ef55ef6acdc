// The create: what makes a contract ours, what certainly does not, and what leaves it open.
#include "market/wire.h"
#include "tests/support/catch.h"
#include "tests/support/market_fixture.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

constexpr const char* kPath = "/api/v0/asks/42/";
const RentRequest kRequest{.offer = {42},
                           .image = "pytorch/pytorch:2.4.0",
                           .disk = {40},
                           .label = "vg-demo-1f",
                           .onstart = "echo hi",
                           .bid = std::nullopt,
                           .env = {{"TZ", "UTC"}, {"-p 8080:8080", "1"}}};

struct Outcome {
  Code code;
  Effect effect;
};

Outcome outcome_of(ScriptedReply reply) {
  ScriptedMarket m;
  m.server.answer("PUT", kPath, {std::move(reply)});
  const auto rented = m.market.rent(kRequest, {});
  REQUIRE_FALSE(rented);
  CHECK_FALSE(rented.error().next_step.empty());
  CHECK((m.server.count("PUT", kPath) == 1 || rented.error().code == Code::rate_limited));
  return {rented.error().code, rented.error().effect};
}

}  // namespace

TEST_CASE("a create sends everything that keeps money safe, and hands the contract back") {
  ScriptedMarket m;
  m.server.answer("PUT", kPath,
                  {{.body = R"({"success":true,"new_contract":38210455,"instance_api_key":"6f0c"})"}});
  const auto rented = m.market.rent(kRequest, {});
  REQUIRE(rented);
  CHECK(rented->contract == InstanceId{38210455});
  CHECK(rented->running);
  CHECK(rented->instance_key.reveal() == "6f0c");

  const auto seen = m.server.seen();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].header("authorization") == std::string("Bearer ") + ScriptedMarket::kKey);
  const json body = json::parse(seen[0].body);
  CHECK(body["cancel_unavail"] == true);
  CHECK(body["label"] == "vg-demo-1f");
  CHECK(body["disk"] == 40);
  CHECK(body["price"].is_null());
  CHECK(body["runtype"] == "ssh_direc ssh_proxy");
  CHECK(body["env"] == json{{"TZ", "UTC"}, {"-p 8080:8080", "1"}});
}

TEST_CASE("a contract in the answer is ours, whatever status and success say") {
  const auto [status, body] = GENERATE(table<int, std::string>(
      {{200, R"({"success":false,"new_contract":7,"instance_api_key":"k"})"},
       {400, R"({"success":false,"error":"invalid_args","msg":"bid too low","new_contract":7})"},
       {429, R"({"error":"HTTPTooManyRequests","new_contract":7})"},
       {504, R"({"new_contract":"7"})"}}));
  CAPTURE(status);
  ScriptedMarket m;
  m.server.answer("PUT", kPath, {{.status = status, .body = body}});
  const auto rented = m.market.rent(kRequest, {});
  REQUIRE(rented);
  CHECK(rented->contract == InstanceId{7});
  CHECK_FALSE(rented->running);
  CHECK(m.server.count("PUT", kPath) == 1);
}

TEST_CASE("a taken offer is not found, in each of its shapes") {
  const auto [status, body] = GENERATE(table<int, std::string>(
      {{400,
        R"({"success":false,"error":"invalid_args","msg":"error 404/3603: no_such_ask  Instance type by id 42 is not available.","ask_id":42})"},
       {404, R"({"success":false,"error":"no_such_ask","msg":"gone"})"},
       {410,
        R"({"success":false,"error":"no_such_ask","msg":"error 410/3907: Offer 42 no longer available.","ask_id":42})"}}));
  const auto o = outcome_of({.status = status, .body = body});
  CHECK(o.code == Code::not_found);
  CHECK(o.effect == Effect::none);
}

TEST_CASE("refusals say what the user has to do, and that nothing was rented") {
  const auto [status, body, code] = GENERATE(table<int, std::string, Code>(
      {{400,
        R"({"success":false,"error":"insufficient_credit","msg":"Your account lacks credit; see the billing page."})",
        Code::over_budget},
       {400, R"({"success":false,"error":"spend_rate_limit","msg":"x"})", Code::over_budget},
       {400, R"({"success":false,"error":"missing_billing"})", Code::over_budget},
       {402, "", Code::over_budget},
       {400, R"({"success":false,"error":"no_ssh_key_for_vm"})", Code::wrong_state},
       {400, R"({"success":false,"error":"invalid_price","msg":"x"})", Code::invalid_argument},
       {400, R"({"success":false,"error":"invalid_args","msg":"error 400/3467: Invalid args: disk"})",
        Code::invalid_argument},
       {403, R"({"success":false,"error":"invalid_args","msg":"error 403/3586: Offer 42 is not your own"})",
        Code::not_found},
       {401, R"({"success":false,"error":"auth_error","msg":"Two Factor Authentication required"})",
        Code::unauthenticated},
       {404, R"({"success":false,"error":"auth_error","msg":"Invalid user key"})", Code::unauthenticated},
       {410, R"({"success":false,"error":"deprecated_endpoint","msg":"x"})", Code::unavailable},
       {404, "<html><body>nginx</body></html>", Code::unavailable},
       {422, R"({"detail":[{"loc":["body"],"msg":"field required"}]})", Code::invalid_argument}}));
  CAPTURE(status, body);
  const auto o = outcome_of({.status = status, .body = body});
  CHECK(o.code == code);
  CHECK(o.effect == Effect::none);
}

TEST_CASE("whatever settles nothing leaves the rental unknown, and is not sent again") {
  const auto reply =
      GENERATE(ScriptedReply{.status = 504, .body = "<html>gateway timeout</html>"},
               ScriptedReply{.status = 500, .body = ""}, ScriptedReply{.status = 502, .body = "oops"},
               ScriptedReply{.status = 408, .body = ""}, ScriptedReply{.status = 409, .body = "{}"},
               ScriptedReply{.status = 425, .body = "{}"}, ScriptedReply{.status = 200, .body = ""},
               ScriptedReply{.status = 200, .body = R"({"success":true})"},
               ScriptedReply{.status = 200, .body = R"({"success":false,"error":"odd"})"},
               ScriptedReply{.status = 200, .body = R"({"success":true,"new_contr)"},
               ScriptedReply{.status = 400, .body = R"({"new_contract":12345678901234567890123})"},
               ScriptedReply{.status = 200, .body = R"({"new_contract":1234})", .cut_at = 9});
  CAPTURE(reply.status, reply.body);
  const auto o = outcome_of(reply);
  CHECK(o.code == Code::unavailable);
  CHECK(o.effect == Effect::unknown);
}

TEST_CASE("a create that gets no answer in time is unknown, and never sent twice") {
  ScriptedMarket m({.create_timeout = 100ms});
  m.server.answer("PUT", kPath, {{.hang = true}});
  const auto rented = m.market.rent(kRequest, {});
  REQUIRE_FALSE(rented);
  CHECK(rented.error().code == Code::unavailable);
  CHECK(rented.error().effect == Effect::unknown);
  CHECK(rented.error().what.find("unknown") != std::string::npos);
  CHECK(m.server.count("PUT", kPath) == 1);
}

TEST_CASE("a create is never sent over a kept connection, whose silent end would look like a lost answer") {
  ScriptedMarket m;
  m.server.answer("GET", "/api/v0/users/current/", {{.body = R"({"id":1,"credit":5})"}});
  m.server.answer("PUT", kPath, {{.body = R"({"new_contract":7})"}});
  REQUIRE(m.market.account({}));
  REQUIRE(m.market.account({}));
  CHECK(m.server.connections() == 1);
  REQUIRE(m.market.rent(kRequest, {}));
  CHECK(m.server.connections() == 2);
}

TEST_CASE("without a connection nothing was rented") {
  FakeClock clock;
  std::string nobody;
  {
    ScriptedHttp gone;
    nobody = gone.url();
  }
  VastMarket market({.base_url = nobody, .api_key = Secret("k")}, clock);
  const auto rented = market.rent(kRequest, {});
  REQUIRE_FALSE(rented);
  CHECK(rented.error().code == Code::unavailable);
  CHECK(rented.error().effect == Effect::none);
}

TEST_CASE("only a 429 to a create is repeated") {
  ScriptedMarket m;
  m.server.answer("PUT", kPath,
                  {{.status = 429, .body = "{}", .headers = {{"Retry-After", "10"}}},
                   {.body = R"({"success":true,"new_contract":7})"}});
  const auto rented = m.market.rent(kRequest, {});
  REQUIRE(rented);
  CHECK(rented->contract == InstanceId{7});
  CHECK(m.server.count("PUT", kPath) == 2);
  CHECK(m.clock.slept() >= 10s);
  CHECK(m.clock.slept() < 20s);
}

TEST_CASE("a rental that makes no sense is refused before anything is sent") {
  ScriptedMarket m;
  const auto refused = [&](auto spoil) {
    RentRequest r = kRequest;
    spoil(r);
    const auto rented = m.market.rent(r, {});
    return !rented && rented.error().code == Code::invalid_argument && rented.error().effect == Effect::none;
  };
  CHECK(refused([](RentRequest& r) { r.disk = {5}; }));
  CHECK(refused([](RentRequest& r) { r.label.clear(); }));
  CHECK(refused([](RentRequest& r) { r.label.assign(257, 'x'); }));
  CHECK(refused([](RentRequest& r) { r.onstart.assign(4049, 'x'); }));
  CHECK(refused([](RentRequest& r) { r.bid = UsdPerHour{0}; }));
  CHECK(refused([](RentRequest& r) { r.image.clear(); }));
  CHECK(refused([](RentRequest& r) { r.offer = {}; }));
  CHECK(m.server.seen().empty());
}
