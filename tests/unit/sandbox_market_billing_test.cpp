#include <numeric>

#include "tests/support/sandbox_bench.h"

using namespace vastgpu;
using namespace vastgpu::sandbox;

namespace {

std::string charges_path(double from, double to) {
  return "/api/v0/charges/?select_filters=%7B%22day%22%3A%7B%22gte%22%3A" +
         std::to_string(static_cast<long>(from)) + "%2C%22lte%22%3A" + std::to_string(static_cast<long>(to)) +
         "%7D%7D&format=table&latest_first=false&limit=100";
}

}  // namespace

TEST_CASE("the GPU bills to the second while it runs, the disk from creation until gone") {
  Bench bench;
  const std::int64_t id = bench.rent({{"disk", 50}});
  const json before = bench.truth(id);
  CHECK(before.at("gpu_seconds") == 0);
  double loading = 0;
  while (bench.truth(id).at("actual_status") != "running") {
    bench.pass(0.5);
    loading += 0.5;
  }
  const double at_first = bench.truth(id).at("gpu_seconds").get<double>();
  CHECK(at_first < 0.5);  // loading was free
  bench.pass(1000);
  const json row = bench.one(id);
  const double gpu_rate = row.at("dph_base").get<double>(),
               disk_rate = row.at("storage_total_cost").get<double>();
  CHECK(disk_rate == Approx(row.at("storage_cost").get<double>() * 50 / 720));
  json truth = bench.truth(id);
  CHECK(truth.at("gpu_seconds").get<double>() == Approx(at_first + 1000));
  CHECK(truth.at("billed").at("gpu").get<double>() == Approx((at_first + 1000) * gpu_rate / 3600));
  CHECK(truth.at("billed").at("disk").get<double>() == Approx((loading + 1000) * disk_rate / 3600));

  bench.put(Bench::path_of(id), {{"state", "stopped"}});
  bench.pass(4);  // still running for these four seconds
  bench.pass(7200);
  truth = bench.truth(id);
  CHECK(truth.at("gpu_seconds").get<double>() == Approx(at_first + 1004));
  CHECK(truth.at("disk_seconds").get<double>() == Approx(loading + 1000 + 4 + 7200));
  CHECK(bench.one(id).at("instance").at("totalHour").get<double>() == Approx(disk_rate));
  CHECK(bench.one(id).at("dph_total").get<double>() ==
        Approx(gpu_rate + disk_rate));  // the row shows the running price

  bench.del(Bench::path_of(id));
  bench.pass(5);
  const double final_bill = bench.truth(id).at("billed").at("total").get<double>();
  bench.pass(86400);
  CHECK(bench.truth(id).at("billed").at("total").get<double>() == final_bill);
  CHECK(bench.state().at("billing_contracts") == 0);
  CHECK(bench.state().at("credit").get<double>() == Approx(25 - final_bill));
  CHECK(bench.get("/api/v0/users/current").body.at("credit").get<double>() == Approx(25 - final_bill));
}

TEST_CASE("it does not matter how often somebody looks") {
  Bench often, seldom;
  const std::int64_t a = often.rent(), b = seldom.rent();
  for (int i = 0; i < 500; ++i) often.pass(7);
  seldom.pass(3500);
  CHECK(often.truth(a).at("billed").at("total").get<double>() ==
        Approx(seldom.truth(b).at("billed").at("total").get<double>()));
  CHECK(often.truth(a).at("gpu_seconds").get<double>() ==
        Approx(seldom.truth(b).at("gpu_seconds").get<double>()));
}

TEST_CASE("charges come by UTC day and add up to the bill") {
  WorldOptions rich;
  rich.credit = 1000;
  Bench bench(rich);
  const double start = to_unix_seconds(bench.clock.now());
  const std::int64_t id = bench.rent_and_boot();
  bench.pass(2.5 * 86400);
  bench.post("/admin/instance/" + std::to_string(id), {{"uploaded_gb", 3.0}});
  const auto got = bench.get(charges_path(start, start + 3 * 86400));
  REQUIRE(got.status == 200);
  const json& rows = got.body.at("results");
  CHECK(rows.size() >= 3);
  double sum = 0;
  for (const json& row : rows) {
    CHECK(row.at("source") == "instance-" + std::to_string(id));
    CHECK(row.at("start").get<long>() % 86400 == 0);
    CHECK(row.at("metadata").at("label") == "job-1");
    double items = 0;
    for (const json& item : row.at("items")) items += item.at("amount").get<double>();
    CHECK(items == Approx(row.at("amount").get<double>()));
    sum += row.at("amount").get<double>();
  }
  CHECK(rows.back().at("items").back().at("type") == "bwu");
  CHECK(rows.front().at("items").at(2).at("type") == "bwd");  // the image
  CHECK(sum == Approx(bench.truth(id).at("billed").at("total").get<double>()));
  CHECK(bench.get("/api/v0/charges/").status == 400);
  CHECK(bench.get(charges_path(start - 10 * 86400, start - 5 * 86400)).body.at("results").empty());
}

TEST_CASE("growth of the disk counts as download") {
  Bench bench;
  const std::int64_t id = bench.rent_and_boot();
  bench.room.disk = 1'000'000'000;
  bench.pass(1);
  const double before = bench.truth(id).at("billed").at("down").get<double>();
  bench.room.disk = 3'000'000'000;
  bench.pass(1);
  CHECK(bench.truth(id).at("billed").at("down").get<double>() - before ==
        Approx(2 * bench.one(id).at("inet_down_cost").get<double>()));
}

TEST_CASE("when the credit is used up everything stops at that second") {
  WorldOptions poor;
  poor.credit = 0.02;
  Bench bench(poor);
  const std::int64_t id = bench.rent({{"disk", 10}});
  bench.pass(40 * 3600);
  const json row = bench.one(id);
  CHECK(row.at("actual_status") == "exited");
  CHECK(row.at("intended_status") == "stopped");
  const json truth = bench.truth(id);
  const double gpu = truth.at("billed").at("gpu").get<double>();
  CHECK(gpu < 0.02);  // what is billed after that is disk alone
  CHECK(truth.at("dollars_per_hour").get<double>() == Approx(row.at("storage_total_cost").get<double>()));
  CHECK(bench.put(Bench::path_of(id), {{"state", "running"}}).body.at("error") == "insufficient_credit");
  CHECK(bench.put(Bench::ask_path(bench.good_offer()), Bench::order()).body.at("error") ==
        "insufficient_credit");
  bench.post("/admin/credit", {{"credit", 5}});
  CHECK(bench.one(id).at("actual_status") == "exited");  // a top-up does not start it
  CHECK(bench.put(Bench::path_of(id), {{"state", "running"}}).body.at("success") == true);
}

TEST_CASE("an offline host bills neither GPU nor disk") {
  Bench bench;
  const std::int64_t id = bench.rent_and_boot();
  bench.fault({{"name", "offline"}, {"value", "0:500"}, {"instance", id}});
  CHECK(bench.one(id).at("actual_status") == "offline");
  CHECK(bench.one(id).at("ports").contains("22/tcp"));  // stale
  const double before = bench.truth(id).at("billed").at("total").get<double>();
  bench.pass(400);
  CHECK(bench.truth(id).at("billed").at("total").get<double>() == before);
  bench.pass(200);
  CHECK(bench.one(id).at("actual_status") == "running");
  CHECK(bench.truth(id).at("billed").at("total").get<double>() > before);
}
