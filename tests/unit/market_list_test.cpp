// Reading machines back: paging, what "gone" is and what it is not, addresses and prices.
#include "market/wire.h"
#include "tests/support/catch.h"
#include "tests/support/market_fixture.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

constexpr const char* kList = "/api/v1/instances/";
constexpr const char* kOne = "/api/v0/instances/7/";

json page(std::vector<int> ids, int total, json next) {
  json rows = json::array();
  for (const int id : ids) rows.push_back({{"id", id}, {"label", "vg-" + std::to_string(id)}});
  return {
      {"success", true}, {"instances", rows}, {"total_instances", total}, {"next_token", std::move(next)}};
}

}  // namespace

TEST_CASE("all pages make one list") {
  ScriptedMarket m;
  m.server.answer("GET", kList,
                  {{.body = dump(page({1, 2}, 4, "t/1+="))},
                   {.body = dump(page({2, 3}, 4, "t2"))},
                   {.body = dump(page({4}, 4, nullptr))}});
  const auto list = m.market.instances({});
  REQUIRE(list);
  REQUIRE(list->size() == 4);
  CHECK(list->back().label == "vg-4");
  const auto seen = m.server.seen();
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].argument("limit") == "25");
  CHECK(json::parse(seen[0].argument("order_by")) == json::parse(R"([{"col":"id","dir":"asc"}])"));
  CHECK(seen[0].argument("after_token").empty());
  CHECK(seen[1].argument("after_token") == "t/1+=");
  CHECK(seen[2].argument("after_token") == "t2");
}

TEST_CASE("a list that may be short is unknown, never shorter") {
  const auto pages = GENERATE_COPY(
      std::vector<ScriptedReply>{{.body = dump(page({1}, 2, "same"))}, {.body = dump(page({2}, 2, "same"))}},
      std::vector<ScriptedReply>{{.body = dump(page({1}, 3, nullptr))}},
      std::vector<ScriptedReply>{{.body = R"({"success":true,"instances":[{"label":"no id"}]})"}},
      std::vector<ScriptedReply>{{.body = R"({"success":true})"}}, std::vector<ScriptedReply>{{.body = "[]"}},
      std::vector<ScriptedReply>{{.body = ""}}, std::vector<ScriptedReply>{{.body = "<html></html>"}},
      std::vector<ScriptedReply>{{.body = R"({"instances":null,"total_instances":0})"}},
      std::vector<ScriptedReply>{{.body = R"({"instances":[{"id":1}],"x":1})", .cut_at = 20}});
  ScriptedMarket m;
  m.server.answer("GET", kList, pages);
  const auto list = m.market.instances({});
  REQUIRE_FALSE(list);
  CHECK((list.error().code == Code::corrupt || list.error().code == Code::unavailable));
}

TEST_CASE("a repeated cursor ends the reading at once") {
  ScriptedMarket m;
  m.server.answer("GET", kList, {{.body = dump(page({1}, 2, "same"))}});
  CHECK(m.market.instances({}).error().code == Code::corrupt);
  CHECK(m.server.seen().size() == 2);
}

TEST_CASE("a page that fails makes the whole list fail") {
  ScriptedMarket m;
  m.server.answer("GET", kList, {{.body = dump(page({1}, 2, "t"))}, {.status = 503, .body = ""}});
  const auto list = m.market.instances({});
  REQUIRE_FALSE(list);
  CHECK(list.error().code == Code::unavailable);
}

TEST_CASE("a retired route is unknown, not empty") {
  ScriptedMarket m;
  m.server.answer(
      "GET", kList,
      {{.status = 410, .body = R"({"success":false,"error":"deprecated_endpoint","msg":"is deprecated"})"}});
  const auto list = m.market.instances({});
  REQUIRE_FALSE(list);
  CHECK(list.error().code == Code::unavailable);
  CHECK(list.error().what.find("unknown") != std::string::npos);
}

TEST_CASE("what the create sent along is read back, bounded and cleaned") {
  json pairs = json::parse(
      R"([["TZ","UTC"],["-p 8080:8080","1"],["A"],["B",7],7,"C",["",""],["D\u001b[31m","x\ny"]])");
  for (int n = 0; n < 100; ++n) pairs.push_back({"N" + std::to_string(n), std::string(1000, 'v')});
  const auto row = read_instance({{"id", 7}, {"extra_env", pairs}});
  REQUIRE(row);
  REQUIRE(row->env.size() == 64);
  CHECK(row->env[0] == std::pair<std::string, std::string>("TZ", "UTC"));
  CHECK(row->env[1].first == "D");
  CHECK(row->env[1].second.find('\n') == std::string::npos);
  CHECK(row->env[2].second.size() <= 256 + 3);  // the ellipsis
  for (const json& odd : {json(), json(7), json("TZ=UTC"), json::object()})
    CHECK(read_instance({{"id", 7}, {"extra_env", odd}})->env.empty());
}

TEST_CASE("gone has four shapes") {
  const auto [status, body] =
      GENERATE(table<int, std::string>({{200, R"({"instances":null})"},
                                        {200, R"({"instances":[]})"},
                                        {404, R"({"success":false,"error":"no_such_instance","msg":"x"})"},
                                        {404, R"({"error":"not_found","msg":"no_such_instance 7"})"}}));
  ScriptedMarket m;
  m.server.answer("GET", kOne, {{.status = status, .body = body}});
  const auto one = m.market.instance({7}, {});
  REQUIRE(one);
  CHECK_FALSE(one->has_value());
}

TEST_CASE("what is not known is not gone") {
  const auto [status, body, code] = GENERATE(table<int, std::string, Code>(
      {{404, R"({"success":false,"error":"auth_error","msg":"Invalid user key"})", Code::unauthenticated},
       {404, R"({"success":false,"msg":"Session expired, log in again"})", Code::unauthenticated},
       {404, "<html>404</html>", Code::unavailable},
       {404, "", Code::unavailable},
       {410, R"({"error":"deprecated_endpoint"})", Code::unavailable},
       {401, "", Code::unauthenticated},
       {403, R"({"error":"x","msg":"This action requires login."})", Code::unauthenticated},
       {200, "", Code::corrupt},
       {200, "{}", Code::corrupt},
       {200, "null", Code::corrupt},
       {200, R"({"instances":{"label":"no id"}})", Code::corrupt},
       {200, R"({"instances":{"id":8}})", Code::corrupt},
       {500, "", Code::unavailable}}));
  CAPTURE(status, body);
  ScriptedMarket m;
  m.server.answer("GET", kOne, {{.status = status, .body = body}});
  const auto one = m.market.instance({7}, {});
  REQUIRE_FALSE(one);
  CHECK(one.error().code == code);
}

TEST_CASE("an instance is read from what really arrives") {
  json row = json::parse(
      R"({"id":7,"machine_id":28143,"label":null,"actual_status":"running","intended_status":"running",
    "cur_state":"running","status_msg":"success, running \u001b[31mimage\n","image_uuid":"pytorch/pytorch:2.4",
    "image_runtype":"ssh_direc ssh_proxy","gpu_name":"RTX 4090","num_gpus":2,"gpu_ram":24564,"gpu_util":-1,"is_bid":false,
    "public_ipaddr":" 203.0.113.7\n","ssh_host":"ssh4.vast.ai","ssh_port":"10455",
    "ports":{"22/tcp":[{"HostIp":"0.0.0.0","HostPort":"40022"}]},"start_date":1763700000.12,"end_date":1766200000,
    "disk_space":40,"disk_usage":null,"dph_base":0.4,"dph_total":0.408333,"storage_total_cost":0.008333,
    "inet_up_cost":0.004,"inet_down_cost":0.002,"instance":{"totalHour":0.408333}})");
  const auto read = [&] { return *read_instance(row); };
  {
    const Instance i = read();
    CHECK(i.label.empty());
    CHECK(i.status_msg == "success, running image");
    CHECK(i.direct == Endpoint{"203.0.113.7", 40022});
    CHECK(i.relay == Endpoint{"ssh4.vast.ai", 10455});
    CHECK_FALSE(i.gpu_util);
    CHECK_FALSE(i.disk_used);
    CHECK(i.price == UsdPerHour{0.408333});
    CHECK(i.storage_price == UsdPerHour{0.008333});
    CHECK(i.num_gpus == 2);
  }
  SECTION("the relay of a jupyter image is one port further") {
    row["image_runtype"] = "jupyter_direc ssh_direc ssh_proxy";
    CHECK(read().relay == Endpoint{"ssh4.vast.ai", 10456});
  }
  SECTION("without ports there is no direct address") {
    for (const json& none :
         {json(nullptr), json::object(), json::array({1, 2}), json{{"8080/tcp", json::array()}},
          json{{"22/tcp", nullptr}}, json{{"22/tcp", json::array({{{"HostPort", "99999"}}})}}}) {
      row["ports"] = none;
      CHECK_FALSE(read().direct);
    }
    row.erase("ports");
    CHECK_FALSE(read().direct);
  }
  SECTION("an address that is none is dropped") {
    for (const char* evil : {"-oProxyCommand=x", "1.2.3.4; rm", "$(x)", ""}) {
      row["public_ipaddr"] = evil;
      row["ssh_host"] = evil;
      CHECK_FALSE(read().direct);
      CHECK_FALSE(read().relay);
    }
  }
  SECTION("a stopped machine costs what its row says") {
    row["cur_state"] = "stopped";
    row["actual_status"] = "exited";
    row["instance"]["totalHour"] = 0.0091;
    CHECK(read().storage_price == UsdPerHour{0.0091});
  }
  SECTION("absurd values do no harm") {
    row["end_date"] = 1e300;
    row["num_gpus"] = -4;
    row["actual_status"] = nullptr;
    CHECK_FALSE(read().end_date);
    CHECK(read().num_gpus == 1);
    CHECK(read().actual_status.empty());
  }
}
