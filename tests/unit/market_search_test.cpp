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

TEST_CASE("dirty rows are read as far as they go") {
  const json good = json::parse(
      R"({"id":"5","gpu_name":" RTX 4090\n","dph_total":"0.41","machine_id":28143,"host_id":108771,
    "gpu_frac":0.5,"gpu_ram":24564,"num_gpus":1,"compute_cap":890,"cuda_max_good":12.8,"verification":"verified",
    "hosting_type":null,"geolocation":", US\u001b[31m","reliability2":0.9957,"duration":2592000.0,"min_bid":0.2,
    "direct_port_count":124,"static_ip":1,"storage_cost":0.15,"hostname":null,"cpu_cores":null,"is_bid":false})");
  const auto o = read_offer(good);
  REQUIRE(o);
  CHECK(o->id == OfferId{5});
  CHECK(o->gpu_name == "RTX 4090");
  CHECK(o->price == UsdPerHour{0.41});
  CHECK(o->location == "US");
  CHECK(o->verified);
  CHECK_FALSE(o->datacenter);
  CHECK(o->static_ip);
  CHECK(o->compute_cap == 890);
  CHECK(o->max_duration == Hours(720));
  CHECK(o->min_bid == UsdPerHour{0.2});
  CHECK(o->gpu_fraction == 0.5);

  json bare = {{"id", 6}, {"gpu_name", "A10"}, {"search", {{"totalHour", 0.3}}}, {"verified", "verified"}};
  CHECK(read_offer(bare)->price == UsdPerHour{0.3});
  CHECK(read_offer(bare)->verified);
  for (const char* needed : {"id", "gpu_name", "search"}) {
    json without = bare;
    without[needed] = nullptr;
    CHECK_FALSE(read_offer(without));
  }
  bare["dph_total"] = -1;
  bare["search"]["totalHour"] = 0;
  CHECK_FALSE(read_offer(bare));
}

TEST_CASE("of rows with one id the best score stays; unreadable rows do not hide the others") {
  const auto offers = read_offers({{"offers",
                                    {offer(1, 0.5, 10), offer(2, 0.4), offer(1, 0.6, 20), offer(1, 0.7, 15),
                                     nullptr, "x", json::object()}}});
  REQUIRE(offers);
  REQUIRE(offers->size() == 2);
  CHECK(offers->at(0).price == UsdPerHour{0.6});
}

TEST_CASE("a text with NaN is asked for once more") {
  ScriptedMarket m;
  m.server.answer(
      "POST", kPath,
      {{.body = R"({"offers":[{"id":1,"dlperf":NaN}]})"}, {.body = dump({{"offers", {offer(1, 0.5)}}})}});
  const auto offers = m.market.search({}, {});
  REQUIRE(offers);
  CHECK(offers->size() == 1);
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
