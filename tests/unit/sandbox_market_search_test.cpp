#include <algorithm>
#include <set>

#include "core/gpu_table.h"
#include "tests/support/sandbox_bench.h"

using namespace vastgpu;
using namespace vastgpu::sandbox;

TEST_CASE("the search that the vendor's CLI sends finds believable offers") {
  Bench bench(WorldOptions{});
  const auto got = bench.post("/api/v0/bundles/", {{"verified", {{"eq", true}}},
                                                   {"external", {{"eq", false}}},
                                                   {"rentable", {{"eq", true}}},
                                                   {"order", json::array({json::array({"score", "desc"})})},
                                                   {"type", "on-demand"},
                                                   {"allocated_storage", 5.0}});
  REQUIRE(got.status == 200);
  CHECK(got.headers.find("Content-Type")->second == "application/json");
  const json& offers = got.body.at("offers");
  CHECK(offers.size() > 200);
  for (const json& o : offers) {
    CHECK(o.at("verification") == "verified");
    CHECK(o.at("dph_total").get<double>() > o.at("dph_base").get<double>());
  }
}

TEST_CASE("there are about four hundred offers over thirty models, at prices of their kind") {
  Bench bench(WorldOptions{});
  const json offers = bench.search();
  std::set<std::string> models;
  double least = 1e9, most = 0;
  bool unverified = false, no_ports = false, soon = false, shaky = false;
  for (const json& o : offers) {
    models.insert(o.at("gpu_name").get<std::string>());
    least = std::min(least, o.at("inet_down_cost").get<double>());
    most = std::max(most, o.at("inet_down_cost").get<double>());
    unverified |= o.at("verification") != "verified";
    no_ports |= o.at("direct_port_count") == 0;
    soon |= o.at("duration").get<double>() < 86400;
    shaky |= o.at("reliability2").get<double>() < 0.9;
    if (const GpuModel* model = find_gpu(o.at("gpu_name").get<std::string>());
        model && model->arch == "blackwell")
      CHECK(o.at("cuda_max_good").get<double>() >= 12.8);
    const double per_gpu = o.at("dph_base").get<double>() / o.at("num_gpus").get<double>();
    if (o.at("gpu_name") == "RTX 4090") CHECK((per_gpu >= 0.28 && per_gpu <= 0.50));
    if (o.at("gpu_name") == "H100 SXM") CHECK((per_gpu >= 1.9 && per_gpu <= 2.8));
  }
  CHECK(offers.size() > 330);
  CHECK(offers.size() < 450);
  CHECK(models.size() >= 30);
  CHECK(most / least > 8);
  CHECK((unverified && no_ports && soon && shaky));
}

TEST_CASE("every card that is sold and made by NVIDIA is in the table of models") {
  for (const Card& card : cards()) {
    CAPTURE(card.name);
    CHECK((find_gpu(card.name) != nullptr || card_facts(card).amd));
  }
}

TEST_CASE("a seed always gives the same offers, another seed gives others") {
  const auto first = make_boxes(1, 400, 1e9), same = make_boxes(1, 400, 1e9), other = make_boxes(2, 400, 1e9);
  REQUIRE(first.size() == same.size());
  bool differs = false;
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK(first[i].machine_id == same[i].machine_id);
    CHECK(first[i].gpu_price == same[i].gpu_price);
    differs |= i < other.size() && first[i].gpu_price != other[i].gpu_price;
  }
  CHECK(differs);
}

TEST_CASE("numbers that come as text compare as numbers") {
  Bench bench;
  const json some = bench.search({{"reliability", {{"gt", "0.99"}}},
                                  {"num_gpus", {{"eq", "1"}}},
                                  {"cuda_max_good", {{"gte", "12.4"}}},
                                  {"driver_version", {{"gte", 535086005}}},
                                  {"direct_port_count", {{"gte", "2"}}},
                                  {"dph_total", {{"lt", "1.5"}}}});
  REQUIRE_FALSE(some.empty());
  for (const json& o : some) {
    CHECK(o.at("reliability2").get<double>() > 0.99);
    CHECK(o.at("num_gpus") == 1);
    CHECK(o.at("cuda_max_good").get<double>() >= 12.4);
    CHECK(o.at("direct_port_count").get<int>() >= 2);  // "9" is not more than "16" here
  }
}

TEST_CASE("order, limit, places and lists work as the API does") {
  Bench bench(WorldOptions{});
  const json cheap =
      bench.search({{"order", json::array({json::array({"dph_total", "asc"})})}, {"limit", 5}});
  REQUIRE(cheap.size() == 5);
  for (std::size_t i = 1; i < 5; ++i) CHECK(cheap[i - 1].at("dph_total") <= cheap[i].at("dph_total"));

  const json us = bench.search({{"geolocation", {{"in", {"US", "CA"}}}}});
  REQUIRE_FALSE(us.empty());
  for (const json& o : us) {
    const auto place = o.at("geolocation").get<std::string>();
    CHECK((place.ends_with("US") || place.ends_with("CA")));
  }
  CHECK(bench.search({{"geolocation", {{"eq", "us"}}}}).empty());
  CHECK(bench.search({{"geolocation", {{"eq", "Oregon, US"}}}}).empty());
  CHECK(bench.search({{"gpu_name", {{"eq", "RTX_4090"}}}}).empty());
  CHECK_FALSE(bench.search({{"gpu_name", {{"in", {"RTX 4090", "RTX 5090"}}}}}).empty());
  CHECK_FALSE(bench.search({{"datacenter", {{"eq", true}}}}).empty());
}

TEST_CASE("filters that the API refuses are refused in its words") {
  Bench bench;
  const auto bare = bench.post("/api/v0/bundles/", {{"gpu_name", "RTX 4090"}});
  CHECK(bare.status == 400);
  CHECK(bare.body.at("error") == "bad_request");
  CHECK(bare.body.at("msg").get<std::string>().find("q.gpu_name: Input should be a valid dictionary") == 0);
  CHECK(bench.post("/api/v0/bundles/", {{"limit", {{"eq", "3"}}}}).status == 400);
  CHECK(bench.post("/api/v0/bundles/", {{"num_gpus", {{"about", 3}}}}).status == 400);
}

TEST_CASE("a live offer is not found by its id, and is found by ask_contract_id and by machine_id") {
  Bench bench;
  const json offer = bench.good_offer();
  CHECK(bench.search({{"id", {{"eq", offer.at("id")}}}}).empty());
  CHECK(bench.search({{"ask_contract_id", {{"eq", offer.at("id")}}}}).size() == 1);
  CHECK_FALSE(bench.search({{"machine_id", {{"eq", offer.at("machine_id")}}}}).empty());
}

TEST_CASE("the price counts the disk that was asked for") {
  Bench bench;
  const json offer = bench.good_offer();
  const json machine = {{"eq", offer.at("machine_id")}};
  const json small = bench.search({{"machine_id", machine}, {"allocated_storage", 5}})[0];
  const json large = bench.search({{"machine_id", machine}, {"allocated_storage", 100}})[0];
  const double per_gb = offer.at("storage_cost").get<double>() / 720;
  CHECK(large.at("dph_total").get<double>() - small.at("dph_total").get<double>() == Approx(95 * per_gb));
  CHECK(small.at("search").at("totalHour") == small.at("dph_total"));
  CHECK(bench.search({{"machine_id", machine}, {"allocated_storage", 1e6}}).empty());
}

TEST_CASE("interruptible offers show the floor of bids as their price") {
  Bench bench;
  const json plain = bench.good_offer();
  const json bid = bench.search({{"type", "bid"}, {"ask_contract_id", {{"eq", plain.at("id")}}}})[0];
  CHECK(bid.at("is_bid") == true);
  CHECK(bid.at("dph_base") == plain.at("min_bid"));
  CHECK(bid.at("dph_base") < plain.at("dph_base"));
}

TEST_CASE("renting one chunk of a machine takes away the chunks that overlap it") {
  Bench bench;
  const json offer = bench.good_offer({{"num_gpus", {{"eq", 4}}}, {"gpu_frac", {{"eq", 1.0}}}});
  const json machine = {{"eq", offer.at("machine_id")}};
  const json before = bench.search({{"machine_id", machine}});
  REQUIRE(before.size() == 3);  // 1, 2 and 4 GPUs, all with GPU 0
  const json* pair = nullptr;
  for (const json& o : before)
    if (o.at("num_gpus") == 2) pair = &o;
  REQUIRE(pair);
  REQUIRE(bench.put(Bench::ask_path(*pair), Bench::order()).status == 200);

  for (const json& o : before) {
    const auto again = bench.put(Bench::ask_path(o), Bench::order());
    CHECK(again.status == 400);
    CHECK(again.body.at("msg").get<std::string>().find("no_such_ask") != std::string::npos);
  }
  const json after = bench.search({{"machine_id", machine}});
  REQUIRE(after.size() == 2);
  for (const json& o : after) CHECK(o.at("gpu_ids")[0] == 2);
}

TEST_CASE("offers get new ids in time while the machine keeps its own, and the old id rents for a while") {
  Bench bench;
  const json offer = bench.good_offer();
  const auto id_now = [&] {
    for (const json& o : bench.search({{"machine_id", {{"eq", offer.at("machine_id")}}}}))
      if (o.at("num_gpus") == offer.at("num_gpus")) return o.at("id").get<std::int64_t>();
    return std::int64_t{0};
  };
  for (int i = 0; i < 40 && id_now() == offer.at("id"); ++i) bench.pass(600);
  CHECK(id_now() != offer.at("id"));
  CHECK(bench.put(Bench::ask_path(offer), Bench::order()).status == 200);
  bench.pass(2 * 3600);
  CHECK(bench.put(Bench::ask_path(offer), Bench::order()).status == 400);
}

TEST_CASE("the older ways to search still work, and unknown routes are 404 in JSON") {
  Bench bench(WorldOptions{});
  CHECK_FALSE(
      bench.get("/api/v0/bundles/?q=%7B%22num_gpus%22%3A%7B%22eq%22%3A1%7D%7D").body.at("offers").empty());
  CHECK_FALSE(bench.put("/api/v0/search/asks/", {{"select_cols", {"*"}}, {"q", {{"num_gpus", {{"eq", 1}}}}}})
                  .body.at("offers")
                  .empty());
  CHECK(bench.ask("GET", "/api/v0/gpu_names/unique/", nullptr, "").body.at("gpu_names").size() >= 30);
  const auto lost = bench.get("/api/v0/offers/42/");
  CHECK(lost.status == 404);
  CHECK(lost.body.at("success") == false);
  CHECK(bench.ask("POST", "/api/v0/bundles").status == 200);  // no slash, no body
}

TEST_CASE("a few rows are always dirty") {
  Bench bench(WorldOptions{});
  bool null_cores = false, spaces = false;
  for (const json& o : bench.search()) {
    null_cores |= o.at("cpu_cores").is_null();
    spaces |= o.at("public_ipaddr").get<std::string>().ends_with("\n");
  }
  CHECK(null_cores);
  CHECK(spaces);
}
