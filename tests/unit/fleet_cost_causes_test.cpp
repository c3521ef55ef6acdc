// Why a rental cost what it cost.

#include "fleet/cost_causes.h"

#include <cmath>

#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

const CostCause& cause(const std::vector<CostCause>& all, const std::string& name) {
  for (const CostCause& c : all)
    if (c.name == name) return c;
  FAIL("no cause " << name);
  return all.front();
}

Usd sum_of_differences(const std::vector<CostCause>& all) {
  Usd sum;
  for (const CostCause& c : all) sum += c.difference();
  return sum;
}

bool near(Usd a, double b) { return std::abs(a.value - b) < 1e-9; }

// 2 h of work and 6 min of boot at 40 cents.
const EstimateParts kEstimate{{0.8}, {0.02}, {0.03}, {0.04}, {0.4}};

}  // namespace

TEST_CASE("the differences by cause add up to the whole difference") {
  // 3 h of GPU time for 1.35: 45 cents an hour; of them 2.8 h could be worked.
  const ChargedParts charged{{1.35}, {0.01}, {0.05}, {0.02}, Hours(3)};
  const auto causes = cost_causes(kEstimate, charged, Hours(2.8));
  CHECK(near(sum_of_differences(causes), (charged.total() - kEstimate.total()).value));
  CHECK(near(cause(causes, "gpu").difference(), 0.4 * 2.8 - 0.8));
  CHECK(near(cause(causes, "boot").difference(), 0.4 * 0.2 - 0.04));
  CHECK(near(cause(causes, "price").difference(), 1.35 - 0.4 * 3));
  CHECK(near(cause(causes, "disk").difference(), -0.01));
  CHECK(near(cause(causes, "traffic").difference(), 0.02));
  CHECK(near(cause(causes, "other").difference(), 0.02));
  CHECK(cause(causes, "price").why == "$0.4500/h instead of $0.4000/h");
}

TEST_CASE("work that could be done for longer than the provider counted is no negative boot") {
  const auto causes = cost_causes(kEstimate, {{0.4}, {}, {}, {}, Hours(1)}, Hours(5));
  CHECK(near(cause(causes, "boot").charged, 0));
  CHECK(near(cause(causes, "gpu").charged, 0.4));
  CHECK(near(sum_of_differences(causes), 0.4 - kEstimate.total().value));
}

TEST_CASE("without hours on the bill, or a price in the quote, GPU and boot stay together") {
  EstimateParts old = kEstimate;
  old.gpu_price = {};
  for (const auto& causes : {cost_causes(kEstimate, {{0.9}, {}, {}, {}, std::nullopt}, Hours(2)),
                             cost_causes(old, {{0.9}, {}, {}, {}, Hours(2)}, Hours(2))}) {
    CHECK(near(cause(causes, "gpu").estimated, 0.84));
    CHECK(near(cause(causes, "gpu").charged, 0.9));
    CHECK(near(sum_of_differences(causes), 0.9 - kEstimate.total().value));
  }
}

TEST_CASE("words name what differs by a cent, with its reason, and nothing else") {
  const auto causes = cost_causes(kEstimate, {{1.2}, {0.0201}, {0.03}, {}, Hours(3)}, Hours(2.9));
  const std::string words = to_words(causes);
  CHECK(words.find("gpu +$0.360 (2.9 h instead of 2.0 h)") != std::string::npos);
  CHECK(words.find("disk") == std::string::npos);
  CHECK(words.find("price") == std::string::npos);
  CHECK(to_words({}).empty());
}

TEST_CASE("a quote's parts are read out of its facts; facts of another shape are no estimate") {
  const auto parts = estimate_parts(
      R"({"estimate": {"gpu_usd": 0.8, "disk_usd": 0.02, "traffic_usd": 0.03, "boot_usd": 0.04}, "gpu_usd_per_hour": 0.4})");
  CHECK((parts.total() == kEstimate.total() && parts.gpu_price == UsdPerHour{0.4}));
  for (const char* odd : {"", "[]", "{}", R"({"estimate": 5})", R"({"estimate": {"gpu_usd": "x"}})"})
    CHECK(estimate_parts(odd).total() == Usd{});
}
