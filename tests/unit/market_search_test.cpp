// Searching: what is asked, and what is made of the rows that thousands of hosts wrote.
#include "market/wire.h"
#include "tests/support/catch.h"
#include "tests/support/market_fixture.h"

using namespace vastgpu;

namespace {

constexpr const char* kPath = "/api/v0/bundles/";

json offer(int id, double price, double score = 1) {
  return {{"id", id}, {"gpu_name", "RTX 4090"}, {"dph_total", price}, {"score", score}};
}

}  // namespace

TEST_CASE("a search asks in filter objects, for the disk that will be rented, and always with a limit") {
  ScriptedMarket m;
  m.server.answer("POST", kPath, {{.body = R"({"offers":[]})"}});
  OfferQuery q;
  q.disk = {40};
  q.min_gpu_ram = Megabytes{24000};
  q.num_gpus = 2;
  q.gpu_names = {"RTX 4090", "RTX 5090"};
  q.max_price = UsdPerHour{0.6};
  q.machine = MachineId{9};
  q.ask = OfferId{11};
  q.min_cuda = 12.4;
  q.descending = true;
  const auto offers = m.market.search(q, {});
  REQUIRE(offers);
  CHECK(offers->empty());  // a proper empty list is an answer
  CHECK(json::parse(m.server.seen().at(0).body) == json::parse(R"({
    "external":{"eq":false},"rentable":{"eq":true},"verified":{"eq":true},"direct_port_count":{"gte":1},
    "disk_space":{"gte":40.0},"gpu_ram":{"gte":24000.0},"num_gpus":{"eq":2},"gpu_name":{"in":["RTX 4090","RTX 5090"]},
    "reliability":{"gte":0.95},"inet_down":{"gte":100.0},"cuda_max_good":{"gte":12.4},"dph_total":{"lte":0.6},
    "machine_id":{"eq":9},"ask_contract_id":{"eq":11},"order":[["dph_total","desc"]],"type":"on-demand","limit":64,
    "allocated_storage":40.0})"));
  q.kind = RentalKind::interruptible;
  q.verified_only = q.direct_ssh = false;
  const json body = search_body(q);
  CHECK(body["type"] == "bid");
  CHECK_FALSE(body.contains("verified"));
  CHECK_FALSE(body.contains("direct_port_count"));
}

TEST_CASE("needs that the marketplace can filter by are sent to it") {
  OfferQuery q;
  q.min_compute_cap = 800;
  q.max_compute_cap = 900;
  q.countries = {"US", "DE"};
  q.min_host_ram = Megabytes{64000};
  const json body = search_body(q);
  CHECK(body["compute_cap"] == json{{"gte", 800}, {"lte", 900}});
  CHECK(body["geolocation"] == json{{"in", {"US", "DE"}}});
  CHECK(body["cpu_ram"] == json{{"gte", 64000.0}});
}

TEST_CASE("an answer that was cut short is asked for once more") {
  ScriptedMarket m;
  m.server.answer("POST", kPath,
                  {{.body = R"({"offers":[{"id":1,"gpu)"}, {.body = dump({{"offers", {offer(1, 0.5)}}})}});
  const auto offers = m.market.search({}, {});
  REQUIRE(offers);
  CHECK(offers->size() == 1);
}

TEST_CASE("a host's NaN costs its own number, not the page") {
  ScriptedMarket m;
  m.server.answer("POST", kPath,
                  {{.body = R"({"offers":[{"id":1,"gpu_name":"A10","dph_total":0.5,"dlperf":NaN},
                                          {"id":2,"gpu_name":"A10","dph_total":-Infinity}]})"}});
  const auto offers = m.market.search({}, {});
  REQUIRE(offers);
  REQUIRE(offers->size() == 1);
  CHECK(offers->front().dlperf == 0);
  CHECK(m.server.seen().size() == 1);
}

TEST_CASE("what a search for bids finds is interruptible, whatever its rows say") {
  ScriptedMarket m;
  m.server.answer("POST", kPath, {{.body = dump({{"offers", {offer(1, 0.5)}}})}});
  OfferQuery q;
  CHECK_FALSE(m.market.search(q, {})->front().is_bid);
  q.kind = RentalKind::interruptible;
  CHECK(m.market.search(q, {})->front().is_bid);
}

TEST_CASE("a refusal inside a 200 is a refusal") {
  ScriptedMarket m;
  m.server.answer("POST", kPath,
                  {{.body = R"({"success":false,"error":"invalid_args","msg":"no such column"})"}});
  const auto offers = m.market.search({}, {});
  REQUIRE_FALSE(offers);
  CHECK(offers.error().code == Code::invalid_argument);
}

TEST_CASE("an answer that cannot be read is never 'no offers'") {
  const auto body =
      GENERATE(R"({"offers":[{"id":1,"dlperf":Infinity}]})", R"({"offers":null})", R"({"success":true})",
               "[]", "", R"({"offers":[{"id":1},{"id":2}]})", R"({"offers":{"id":1}})");
  CAPTURE(body);
  ScriptedMarket m;
  m.server.answer("POST", kPath, {{.body = body}});
  const auto offers = m.market.search({}, {});
  REQUIRE_FALSE(offers);
  CHECK(offers.error().code == Code::corrupt);
}

TEST_CASE("a bad filter is the caller's to change") {
  ScriptedMarket m;
  m.server.answer(
      "POST", kPath,
      {{.status = 400,
        .body =
            R"({"success":false,"error":"bad_request","msg":"q.gpu_name: Input should be a valid dictionary"})"}});
  const auto offers = m.market.search({}, {});
  REQUIRE_FALSE(offers);
  CHECK(offers.error().code == Code::invalid_argument);
  CHECK(offers.error().what.find("q.gpu_name") != std::string::npos);
}
