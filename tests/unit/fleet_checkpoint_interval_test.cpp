// How often to save: the two formulas against values worked out by hand, and where each number is from.

#include "fleet/checkpoint_interval.h"

#include "tests/support/catch.h"

using namespace vastgpu;

namespace {
constexpr double kMinute = 1.0 / 60;
}

TEST_CASE("Young: the square root of twice cost times time between") {
  CHECK(young_interval(Hours(0.02), Hours(4)).count() == Approx(0.4));
  CHECK(young_interval(Hours(0.005), Hours(10)).count() == Approx(std::sqrt(0.1)));
}

TEST_CASE("Daly: close to Young where saving is cheap, never longer than the time between") {
  // share = 0.02 / 8 = 0.0025; 0.4 * (1 + 0.05 / 3 + 0.0025 / 9) - 0.02 = 0.386778
  CHECK(daly_interval(Hours(0.02), Hours(4)).count() == Approx(0.386778).epsilon(1e-5));
  // share = 0.5 / 2 = 0.25; 1 * (1 + 0.5 / 3 + 0.25 / 9) - 0.5 = 0.694444
  CHECK(daly_interval(Hours(0.5), Hours(1)).count() == Approx(0.694444).epsilon(1e-5));
  CHECK(daly_interval(Hours(2), Hours(1)) == Hours(1));
  CHECK(daly_interval(Hours(50), Hours(1)) == Hours(1));
}

TEST_CASE("the history of the model counts first, then of the account, else an assumption says so") {
  const BidHistory model{Hours(12), 3}, account{Hours(100), 10}, little{Hours(5), 2};
  CHECK(time_between_outbids("RTX 4090", model, account).value == Hours(4));
  CHECK(time_between_outbids("RTX 4090", model, account).from.find("RTX 4090") != std::string::npos);
  CHECK(time_between_outbids("RTX 4090", little, account).value == Hours(10));
  CHECK(time_between_outbids("RTX 4090", little, account).from.find("account") != std::string::npos);
  const Sourced assumed = time_between_outbids("RTX 4090", little, little);
  CHECK(assumed.value == Hours(4));
  CHECK(assumed.from.find("assumption: 2") != std::string::npos);
  CHECK(time_between_outbids("RTX 4090", {Hours(0), 5}, {Hours(0), 5}).value == Hours(4));
}

TEST_CASE("a save costs its size over the disk's speed") {
  const json receipt{{"files",
                      {{{"path", "a/model.pt"}, {"size", 6'000'000'000}, {"folder", "r"}},
                       {{"path", "a/checkpoint-9/x"}, {"size", 2'000'000'000}, {"folder", "r"}},
                       {{"path", "huge.log"}, {"size", 90'000'000'000}, {"folder", "r"}}}}};
  const Sourced of_receipt = checkpoint_cost(receipt, 7.0);
  CHECK(of_receipt.value.count() * 3600 == Approx(30));
  CHECK(of_receipt.from.find("6.0 GB") != std::string::npos);
  const Sourced of_model = checkpoint_cost(std::nullopt, 1.0);
  CHECK(of_model.value.count() * 3600 == Approx(60));
  CHECK(of_model.from.find("1 billion parameters") != std::string::npos);
  CHECK(checkpoint_cost(json::object(), std::nullopt).value.count() * 3600 == Approx(5));
  for (const json& odd : {json(), json("x"), json{{"files", 3}}, json{{"files", {3, {{"path", 7}}}}},
                          json{{"files", {{{"path", "a.pt"}, {"size", -5}}}}}})
    CHECK(checkpoint_cost(odd, std::nullopt).from.find("assumption") != std::string::npos);
  CHECK(checkpoint_cost(std::nullopt, -1.0).from.find("assumption") != std::string::npos);
}

TEST_CASE("advice is in whole minutes, at least one, and says where it is from") {
  const CheckpointAdvice a = checkpoint_advice({Hours(4), "h"}, {Hours(0.02), "c"});
  CHECK(a.every.count() == Approx(23 * kMinute));
  CHECK(a.young.count() == Approx(0.4));
  CHECK(to_words(a).starts_with("save a checkpoint every 23 min"));
  CHECK(checkpoint_advice({Hours(0.001), "h"}, {Hours(1), "c"}).every.count() == Approx(kMinute));
  const json facts = to_facts(a);
  CHECK(facts["every_minutes"].get<double>() == Approx(23));
  CHECK(facts["save_seconds"] == 72);
}
