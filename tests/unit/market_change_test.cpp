// Acting on instances: success that is none, repeats, rate limits.
#include "market/vast_market.h"
#include "tests/support/catch.h"
#include "tests/support/market_fixture.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {
constexpr const char* kOne = "/api/v0/instances/7/";
constexpr const char* kUser = "/api/v0/users/current/";
}  // namespace

TEST_CASE("destroying is repeated until it is settled, and what is gone is success") {
  ScriptedMarket m;
  m.server.answer("DELETE", kOne,
                  {{.status = 503, .body = "<html>"},
                   {.status = 504, .body = ""},
                   {.status = 404, .body = R"({"success":false,"error":"no_such_instance"})"}});
  CHECK(m.market.destroy({7}, {}));
  const auto seen = m.server.seen();
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].body == "{}");
  CHECK(seen[0].header("content-type") == "application/json");
}

TEST_CASE("a destroy that was not accepted is never taken for one") {
  const auto [status, body, code, effect] = GENERATE(table<int, std::string, Code, Effect>(
      {{404, R"({"error":"auth_error","msg":"Invalid user key"})", Code::unauthenticated, Effect::none},
       {404, "<html>", Code::unavailable, Effect::none},
       {410, R"({"error":"deprecated_endpoint"})", Code::unavailable, Effect::none},
       {200, R"({"success":false,"error":"busy","msg":"later"})", Code::invalid_argument, Effect::none},
       {503, "", Code::unavailable, Effect::unknown}}));
  CAPTURE(status, body);
  ScriptedMarket m;
  m.server.answer("DELETE", kOne, {{.status = status, .body = body}});
  const auto done = m.market.destroy({7}, {});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == code);
  CHECK(done.error().effect == effect);
}

TEST_CASE("an attempt that may have worked leaves the effect unknown, whatever the last one says") {
  ScriptedMarket m;
  m.server.answer(
      "PUT", kOne,
      {{.status = 504, .body = ""}, {.status = 400, .body = R"({"error":"bad_request","msg":"no"})"}});
  const auto done = m.market.stop_instance({7}, {});
  REQUIRE_FALSE(done);
  CHECK(done.error().effect == Effect::unknown);
}

TEST_CASE("a start that is only queued is a failure, and says how to leave the queue") {
  ScriptedMarket m;
  m.server.answer(
      "PUT", kOne,
      {{.body =
            R"({"success":false,"error":"resources_unavailable","msg":"Required resources are currently unavailable, state change queued."})"}});
  const auto done = m.market.start_instance({7}, {});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::wrong_state);
  CHECK(done.error().effect == Effect::happened);
  CHECK(done.error().next_step.find("stop it") != std::string::npos);
  CHECK(m.server.seen().size() == 1);
}

TEST_CASE("a 429 is waited out as it asks, in each of its shapes") {
  const auto [reply, least, most] = GENERATE(table<ScriptedReply, Duration, Duration>(
      {{ScriptedReply{.status = 429,
                      .body = R"({"error":"HTTPTooManyRequests","retry_after":3})",
                      .headers = {{"Retry-After", "10"}}},
        10s, 11s},
       {ScriptedReply{
            .status = 429,
            .body =
                R"({"error":"HTTPTooManyRequests","msg":"API requests too frequent","retry_after":12,"limit":5.0})"},
        12s, 13s},
       {ScriptedReply{.status = 429,
                      .body = R"({"detail":"API requests too frequent endpoint threshold=8.0"})"},
        6s, 11s},
       {ScriptedReply{.status = 429, .body = "API requests too frequent", .content_type = "text/plain"}, 2s,
        6s},
       {ScriptedReply{.status = 429, .body = "", .headers = {{"Retry-After", "86400"}}}, 60s, 61s},
       {ScriptedReply{.status = 429, .body = "", .headers = {{"Retry-After", "0"}}}, 2s, 3s}}));
  ScriptedMarket m;
  m.server.answer(
      "GET", kUser,
      {reply, {.body = R"({"id":3,"credit":5.5,"balance":-0.5,"email":"a@b\u001b[2J","api_key":"secret"})"}});
  const auto got = m.market.account({});
  REQUIRE(got);
  CHECK(got->credit == Usd{5});
  CHECK(got->email == "a@b");
  CHECK(m.clock.slept() >= least);
  CHECK(m.clock.slept() <= most);
}

TEST_CASE("a 429 that does not end is told as one, after four attempts") {
  ScriptedMarket m;
  m.server.answer("GET", kUser, {{.status = 429, .body = "{}"}});
  const auto got = m.market.account({});
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::rate_limited);
  CHECK(m.server.seen().size() == 4);
}

TEST_CASE("no answer is tried four times, and then no answer is the answer") {
  ScriptedMarket m({.answer_timeout = 50ms});
  m.server.answer("GET", kUser, {{.hang = true}});
  const auto got = m.market.account({});
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::unavailable);
  CHECK(got.error().effect == Effect::none);
  CHECK(m.server.seen().size() == 4);
}

TEST_CASE("stop ends a wait for the rate limit") {
  // A clock on which time stands still: only stop can end a wait.
  struct StandingClock : FakeClock {
    bool sleep_until(TimePoint when, std::stop_token stop) override {
      slept_until = when;
      source.request_stop();
      return !stop.stop_requested();
    }
    std::stop_source source;
    TimePoint slept_until{};
  } clock;
  ScriptedHttp server;
  server.answer("GET", kUser, {{.status = 429, .body = "{}"}});
  VastMarket market({.base_url = server.url(), .api_key = Secret("k")}, clock);
  const auto got = market.account(clock.source.get_token());
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::cancelled);
  CHECK(server.seen().size() == 1);
}

TEST_CASE("five calls go at once, the others at the pace of the account") {
  ScriptedMarket m;
  m.server.answer("GET", kUser, {{.body = R"({"credit":1})"}});
  for (int i = 0; i < 5; ++i) REQUIRE(m.market.account({}));
  CHECK(m.clock.slept() == 0s);
  for (int i = 0; i < 5; ++i) REQUIRE(m.market.account({}));
  CHECK(m.clock.slept() == 10s);
}

TEST_CASE("destroys keep the distance that their route asks for") {
  ScriptedMarket m;
  m.server.answer("DELETE", kOne, {{.body = R"({"success":true})"}});
  REQUIRE(m.market.destroy({7}, {}));
  REQUIRE(m.market.destroy({7}, {}));
  CHECK(m.clock.slept() == 3s);
}

TEST_CASE("what the marketplace says is shown without secrets") {
  ScriptedMarket m;
  const std::string hex(64, 'a');
  m.server.answer(
      "PUT", kOne,
      {{.status = 400,
        .body =
            dump({{"error", "invalid_args"},
                  {"msg", std::string(
                              "bad args \x1b[31m{\"jupyter_token\": \"s3cret\", \"env\": {\"HF\": \"hf_x\"}} "
                              "api_key=zzz key ") +
                              ScriptedMarket::kKey + " Bearer yyy " + hex}})}});
  const auto done = m.market.set_label({7}, "x", {});
  REQUIRE_FALSE(done);
  const std::string& what = done.error().what;
  CAPTURE(what);
  CHECK(what.find("bad args") != std::string::npos);
  for (const std::string& secret :
       {std::string("s3cret"), std::string("hf_x"), std::string("zzz"), std::string("yyy"), hex,
        std::string(ScriptedMarket::kKey), std::string("\x1b")})
    CHECK(what.find(secret) == std::string::npos);
}
