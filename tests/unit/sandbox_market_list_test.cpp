#include <set>

#include "tests/support/sandbox_bench.h"

using namespace vastgpu;
using namespace vastgpu::sandbox;

namespace {

/// Percent-encoded, as query arguments travel.
std::string encode(const json& j) {
  static const char* kHex = "0123456789ABCDEF";
  std::string out;
  for (const unsigned char c : dump(j)) {
    out += '%';
    out += kHex[c / 16];
    out += kHex[c % 16];
  }
  return out;
}

/// Rents `n` instances, the label of each from its number.
std::vector<std::int64_t> rent_many(Bench& bench, int n) {
  std::vector<std::int64_t> ids;
  const json offers =
      bench.search({{"num_gpus", {{"eq", 1}}}, {"duration", {{"gte", 86400}}}, {"allocated_storage", 20}});
  REQUIRE(offers.size() >= static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    const auto got = bench.put(Bench::ask_path(offers[static_cast<std::size_t>(i)]),
                               Bench::order({{"label", "fleet" + std::to_string(i % 2)}}));
    REQUIRE(got.status == 200);
    ids.push_back(got.body.at("new_contract").get<std::int64_t>());
  }
  bench.pass(4);
  return ids;
}

}  // namespace

TEST_CASE("the list of the vendor's CLI: pages of 25 with a cursor, and rows it can read") {
  Bench bench(WorldOptions{});
  const auto ids = rent_many(bench, 30);
  const std::string first = "/api/v1/instances/?select_filters=%7B%7D&order_by=" +
                            encode(json::array({{{"col", "id"}, {"dir", "asc"}}})) + "&limit=25";
  const auto page = bench.get(first);
  REQUIRE(page.status == 200);
  CHECK(page.body.at("instances").size() == 25);
  CHECK(page.body.at("instances_found") == 30);
  CHECK(page.body.at("total_instances") == 30);
  CHECK(page.body.at("label_counts") == json{{"fleet0", 15}, {"fleet1", 15}});
  REQUIRE(page.body.at("next_token").is_string());
  const auto rest = bench.get(first + "&after_token=" + page.body.at("next_token").get<std::string>());
  CHECK(rest.body.at("instances").size() == 5);
  CHECK(rest.body.at("next_token").is_null());
  std::set<std::int64_t> seen;
  for (const auto* body : {&page.body, &rest.body})
    for (const json& row : body->at("instances")) {
      seen.insert(row.at("id").get<std::int64_t>());
      CHECK(row.at("start_date").is_number());
      CHECK(row.at("extra_env").is_array());
    }
  CHECK(seen == std::set<std::int64_t>(ids.begin(), ids.end()));
}

TEST_CASE("limits, cursors and filters of the list are checked as the API checks them") {
  Bench bench(WorldOptions{});
  const auto ids = rent_many(bench, 8);
  CHECK(bench.get("/api/v1/instances/?limit=26").status == 400);
  CHECK(bench.get("/api/v1/instances/?limit=0").body.at("instances").size() == 5);
  CHECK(bench.get("/api/v1/instances/?after_token=5.madeup").body.at("error") == "invalid_token");
  CHECK(bench.get("/api/v1/instances/?afer_token=5.madeup").status == 200);  // unknown parameters are ignored
  const auto computed =
      bench.get("/api/v1/instances/?select_filters=" + encode({{"dph_total", {{"lt", 1}}}}));
  CHECK(computed.status == 400);
  CHECK(computed.body.at("msg") == "Error in query parameters: dph_total is not a valid search key");
  const auto by_id = bench.get("/api/v1/instances/?select_filters=" + encode({{"id", {{"eq", ids[3]}}}}));
  REQUIRE(by_id.body.at("instances").size() == 1);
  CHECK(by_id.body.at("total_instances") == 8);
  const auto by_label =
      bench.get("/api/v1/instances/?select_filters=" + encode({{"label", {{"in", {"fleet1"}}}}}));
  CHECK(by_label.body.at("instances").size() == 4);
  const auto columns = bench.get("/api/v1/instances/?select_cols=" + encode({"id", "no_such"}));
  CHECK(columns.body.at("instances").at(0).size() == 2);
  CHECK(columns.body.at("instances").at(0).at("no_such").is_null());
}

TEST_CASE("an instance without a label is found as null") {
  Bench bench(WorldOptions{});
  bench.rent({{"label", nullptr}});
  bench.rent();
  bench.pass(4);
  const auto got = bench.get("/api/v1/instances/?select_filters=" + encode({{"label", {{"in", {nullptr}}}}}));
  CHECK(got.body.at("instances").size() == 1);
  CHECK(bench.all().at("label_counts") == json{{"", 1}, {"job-1", 1}});
}

TEST_CASE("the old list is gone, in the words of the real one") {
  Bench bench(WorldOptions{});
  const auto got = bench.get("/api/v0/instances/");
  CHECK(got.status == 410);
  CHECK(got.body == json{{"success", false},
                         {"error", "deprecated_endpoint"},
                         {"msg", "/api/v0/instances/ is deprecated. Use /api/v1/instances/ instead."}});
}
