// What a trial of a few minutes says about the whole run.
#include "fleet/canary.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

CanaryReading good() {
  CanaryReading r;
  r.ended_by_us = true;
  r.exit_code = 143;
  r.whole = Hours(10);
  r.peak = Megabytes{9000};
  return r;
}

using Kind = CanaryVerdict::Kind;

JobLook look_with(const LogProgress& progress, int exit_code, Hours ran) {
  JobLook look;
  look.job.exit_code = exit_code;
  look.so_far.progress = progress;
  look.so_far.ran = ran;
  return look;
}

}  // namespace

TEST_CASE("the whole run is counted from its beginning, at the speed that was reached") {
  LogProgress p;
  p.rate = 2.0;
  p.rate_unit = "steps/s";
  p.steps_done = 200;
  p.steps_total = 72'000;
  const CanaryReading r = read_canary(look_with(p, 143, Hours(0.05)));
  REQUIRE(r.whole);
  CHECK(r.whole->count() == Approx(10.0));
  CHECK(r.ended_by_us);
  THEN("one that ended by itself took as long as it took") {
    const CanaryReading ended = read_canary(look_with(p, 0, Hours(0.02)));
    REQUIRE(ended.whole);
    CHECK(ended.whole->count() == Approx(0.02));
  }
  THEN("without steps nobody knows") { CHECK_FALSE(read_canary(look_with({}, 143, Hours(0.05))).whole); }
}

TEST_CASE("another card is named only where it is clearly cheaper or faster from here") {
  const auto judge = [](const std::vector<Elsewhere>& others) {
    return judge_canary(good(), "RTX 3090", UsdPerHour{0.20}, Hours(20), others);
  };
  const auto none = judge({});
  CHECK(none.kind == Kind::fits);
  CHECK(none.here.value == Approx(2.0));
  CHECK_FALSE(none.cheaper);
  const auto little = judge({{"q-1", "RTX 4090", Usd{1.9}, Hours(8.5)}});
  CHECK_FALSE(little.cheaper);
  CHECK_FALSE(little.faster);
  const auto both = judge({{"q-1", "RTX 3060", Usd{1.2}, Hours(18)}, {"q-2", "H100", Usd{6}, Hours(2)}});
  REQUIRE(both.cheaper);
  CHECK(both.cheaper->quote_id == "q-1");
  REQUIRE(both.faster);
  CHECK(both.faster->quote_id == "q-2");
  CHECK(both.words.find("not measured") != std::string::npos);
}

TEST_CASE("a lease that is too short, a failure and a full card are said as such") {
  CHECK_FALSE(judge_canary(good(), "A", UsdPerHour{1}, Hours(9), {}).lease_is_long_enough);
  CanaryReading failed;
  failed.exit_code = 1;
  CHECK(judge_canary(failed, "A", UsdPerHour{1}, Hours(9), {}).kind == Kind::failed);
  failed.out_of_memory = true;
  const auto full = judge_canary(failed, "A", UsdPerHour{1}, Hours(9), {{"q-9", "B", Usd{3}, Hours(1)}});
  CHECK(full.kind == Kind::out_of_memory);
  REQUIRE(full.cheaper);
  CanaryReading silent;
  silent.ended_by_us = true;
  silent.exit_code = 143;
  CHECK(judge_canary(silent, "A", UsdPerHour{1}, Hours(9), {}).kind == Kind::unknown_length);
}
