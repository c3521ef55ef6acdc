// Keys, logs and money.
#include "market/api_key.h"
#include "market/wire.h"
#include "tests/support/catch.h"
#include "tests/support/market_fixture.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {
constexpr const char* kRequestLogs = "/api/v0/instances/request_logs/7/";
constexpr const char* kPublicKey = "ssh-ed25519 AAAA me";
}  // namespace

TEST_CASE("attaching a key twice is success, and a refusal is none") {
  ScriptedMarket m;
  const auto attach = [&](int status, const std::string& body) {
    m.server.answer("POST", "/api/v0/instances/7/ssh/", {{.status = status, .body = body}});
    return m.market.attach_key({7}, kPublicKey, {});
  };
  CHECK(attach(200, R"({"success":true,"msg":"SSH key added to instance."})"));
  CHECK(attach(
      400, R"({"success":false,"error":"invalid_args","msg":"SSH key already associated with instance"})"));
  CHECK(attach(200, R"({"success":false,"msg":"Key is already associated with this instance."})"));
  CHECK(json::parse(m.server.seen().at(0).body) == json{{"ssh_key", kPublicKey}});
  CHECK(attach(404, R"({"error":"no_such_instance"})").error().code == Code::not_found);
  CHECK(attach(401, R"({"error":"auth_error","msg":"already logged out"})").error().code ==
        Code::unauthenticated);
  CHECK(attach(400, R"({"error":"team_ssh_keys_not_supported"})").error().code == Code::wrong_state);
  CHECK(m.market.attach_key({7}, "-----BEGIN PRIVATE KEY-----", {}).error().code == Code::invalid_argument);
}

TEST_CASE("account keys are read from every shape of list") {
  const json rows = json::parse(
      R"([{"id":1,"public_key":"ssh-rsa A"},{"id":"2","ssh_key":"ssh-ed25519 B"},{"id":3,"key":"ssh-rsa C"},
                                    {"id":4,"key":"ssh-rsa D","deleted_at":1763683200},null])");
  for (const json& answer :
       {rows, json{{"ssh_keys", dump(rows)}}, json{{"keys", rows}}, json{{"data", rows}}}) {
    const auto keys = read_ssh_keys(answer);
    REQUIRE(keys);
    REQUIRE(keys->size() == 3);
    CHECK(keys->at(1).id == 2);
    CHECK(keys->at(2).public_key == "ssh-rsa C");
  }
  CHECK_FALSE(read_ssh_keys(json{{"success", true}}));
  CHECK_FALSE(read_ssh_keys(json{{"ssh_keys", "not json"}}));
}

TEST_CASE("a log is fetched from another server, without the key, as soon as it appears") {
  ScriptedHttp store;
  ScriptedMarket m;
  m.server.answer("PUT", kRequestLogs,
                  {{.body = dump({{"success", true}, {"result_url", store.url() + "/logs/x.log?a=1"}})}});
  store.answer("GET", "/logs/x.log",
               {{.status = 404, .body = ""},
                {.status = 403, .body = ""},
                {.body = "hello \x1b[31mred\n", .content_type = "text/plain"}});
  const auto log = m.market.logs({7}, 100, {});
  REQUIRE(log);
  CHECK(*log == "hello red\n");
  CHECK(json::parse(m.server.seen().at(0).body) == json{{"tail", "100"}});
  REQUIRE(store.seen().size() == 3);
  for (const SeenRequest& r : store.seen()) CHECK(r.header("authorization").empty());
}

TEST_CASE("a log that never appears ends the wait; a huge one is cut to its end") {
  ScriptedHttp store;
  ScriptedMarket m;
  m.server.answer("PUT", kRequestLogs, {{.body = dump({{"result_url", store.url() + "/x"}})}});
  store.answer("GET", "/x", {{.status = 404, .body = ""}});
  const auto none = m.market.logs({7}, 10, {});
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Code::unavailable);
  CHECK(store.seen().size() == 30);

  std::string big;
  for (int i = 0; i < 200'000; ++i) big += "line " + std::to_string(i) + "\n";
  store.answer("GET", "/x", {{.body = big}});
  const auto log = m.market.logs({7}, 10, {});
  REQUIRE(log);
  CHECK(log->size() <= 1'000'000);
  CHECK(log->starts_with("line "));
  CHECK(log->ends_with("line 199999\n"));
  store.answer("GET", "/x", {{.body = std::string(17'000'000, 'x')}});
  CHECK(m.market.logs({7}, 10, {}).error().code == Code::corrupt);
}

TEST_CASE("a log address that is not https is refused") {
  ScriptedMarket m;
  const auto address = GENERATE("http://example.com/x.log", "file:///etc/passwd", "https://a@b/", "x");
  m.server.answer("PUT", kRequestLogs, {{.body = dump({{"result_url", address}})}});
  CHECK(m.market.logs({7}, 10, {}).error().code == Code::invalid_argument);
}

TEST_CASE("charges are asked for by day, read page by page, and only of the time asked for") {
  ScriptedMarket m;
  const auto row = [](const char* source, std::int64_t start) {
    return json{{"start", start},
                {"end", start + 86400},
                {"type", "instance"},
                {"source", source},
                {"amount", 9.81},
                {"items",
                 {{{"type", "gpu"}, {"amount", 9.6}, {"description", "24 hours"}, {"items", json::array()}},
                  {{"type", "disk"}, {"amount", 0.21}}}}};
  };
  constexpr std::int64_t kDay = 1763683200;
  m.server.answer("GET", "/api/v0/charges/",
                  {{.body = dump({{"results", {row("instance-38210455", kDay), row("volume-3", kDay)}},
                                  {"next_token", "n"}})},
                   {.body = dump({{"results",
                                   {row("instance-7", kDay - 5 * 86400), row("instance-8x", kDay),
                                    row("instance-9", kDay + 86400)}},
                                  {"next_token", nullptr}})}});
  const auto from = from_unix_seconds(kDay + 3600);
  const auto charges = m.market.charges(from, from + 2h, {});
  REQUIRE(charges);
  REQUIRE(charges->size() == 2);
  CHECK(charges->at(0).instance == InstanceId{38210455});
  CHECK(charges->at(0).type == "gpu");
  CHECK(charges->at(0).amount == Usd{9.6});
  CHECK(charges->at(1).type == "disk");
  const json filter = json::parse(m.server.seen().at(0).argument("select_filters"));
  CHECK(filter["day"]["gte"] == kDay);
  CHECK(filter["day"]["lte"] == kDay + 3 * 3600);
  CHECK(m.server.seen().at(1).argument("after_token") == "n");
}

TEST_CASE("an account without credit fields is unknown, not poor") {
  CHECK_FALSE(read_account(json{{"id", 1}}));
  CHECK_FALSE(read_account(json()));
  CHECK(read_account(json{{"id", 1}, {"credit", nullptr}, {"balance", "2.5"}})->credit == Usd{2.5});
}

TEST_CASE("the key is looked for where the vendor's client puts it, and its place is told") {
  const TempFolder home;
  std::map<std::string, std::string> environment;
  const auto find = [&] {
    return find_api_key(
        [&](const char* name) -> std::optional<std::string> {
          const auto at = environment.find(name);
          return at == environment.end() ? std::nullopt : std::optional(at->second);
        },
        home.path());
  };
  const auto none = find();
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Code::unauthenticated);
  CHECK(none.error().next_step.find("VAST_API_KEY") != std::string::npos);

  home.write(".vast_api_key", "legacy\n");
  CHECK(find()->key.reveal() == "legacy");
  home.write(".config/vastai/vast_api_key", "  plain \n");
  CHECK(find()->key.reveal() == "plain");
  CHECK(find()->place == (home.path() / ".config/vastai/vast_api_key").string());
  home.write(".config/vastai/vast_tfa_key", "session");
  CHECK(find()->key.reveal() == "session");
  environment["XDG_CONFIG_HOME"] = (home.path() / "xdg").string();
  CHECK(find()->key.reveal() == "legacy");
  home.write("xdg/vastai/vast_api_key", "moved");
  CHECK(find()->key.reveal() == "moved");
  environment["VAST_API_KEY"] = " \n";
  CHECK(find()->key.reveal() == "moved");  // set but empty is not set
  environment["VAST_API_KEY"] = "from-env";
  CHECK(find()->key.reveal() == "from-env");
  CHECK(find()->place == "VAST_API_KEY");
  environment["VAST_API_KEY"] = "two words";
  CHECK(find().error().code == Code::invalid_argument);
  CHECK(find().error().what.find("two words") == std::string::npos);
}
