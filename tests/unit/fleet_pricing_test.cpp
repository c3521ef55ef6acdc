// How long work takes on an offer, and what that costs.

#include "fleet/pricing.h"

#include "tests/support/catch.h"
#include "tests/support/sample_offers.h"

using namespace vastgpu;

TEST_CASE("a price is GPU and disk over the time, and traffic once") {
  const CostBreakdown c = cost_of(sample_offer(1, "RTX 3090", 0.20, 24576), Hours(3), {{10}, {2}});
  CHECK(c.gpu.value == Approx(0.60));
  CHECK(c.disk.value == Approx(0.03));
  CHECK(c.traffic.value == Approx(10 * 0.002 + 2 * 0.004));
  CHECK(c.total.value == Approx(c.gpu.value + c.disk.value + c.traffic.value));
}

TEST_CASE("a lease is longer than the work, never below an hour, and four hours when nobody knows") {
  CHECK(lease_for(Hours(10)) > Hours(10));
  CHECK(lease_for(Hours(0.05)) == Hours(1));
  CHECK(lease_for(std::nullopt) == Hours(4));
}

TEST_CASE("an estimate is GPU for start and work, disk over the lease, traffic once") {
  const Offer o = sample_offer(1, "RTX 3090", 0.20, 24576);
  const CostBreakdown c = cost_of(o, Timing{Hours(0.5), Hours(3), Hours(5)}, {{100}, {20}});
  CHECK(c.gpu.value == Approx(0.60));
  CHECK(c.boot.value == Approx(0.10));
  CHECK(c.disk.value == Approx(0.05));
  CHECK(c.traffic.value == Approx(0.28));
  CHECK(c.total.value == Approx(1.03));
}

TEST_CASE("a bid is for the GPU, never below the floor, and the disk comes on top") {
  Offer o = sample_offer(1, "RTX 3090", 0.10, 24576);
  o.is_bid = true;
  const CostBreakdown c = cost_of(o, Hours(10), {{0}, {0}});
  CHECK(c.gpu.value == Approx(1.00));
  CHECK(c.disk.value == Approx(0.10));
  CHECK(bid_floor(o).value == Approx(0.10));
  CHECK(disk_price(o).value == Approx(0.01));
  o.min_bid = UsdPerHour{0.12};  // the row's own floor, where it says more
  CHECK(bid_floor(o).value == Approx(0.12));
  o.price_without_disk = {};
  CHECK(bid_floor(o).value == Approx(0.12));
  CHECK(disk_price(o).value == Approx(0));
}

TEST_CASE("the start takes as long as the host's network needs, within reason") {
  Offer o = sample_offer(1, "RTX 3090", 0.2, 24576);
  o.inet_down = {1000};
  CHECK(start_time(o, {10}).count() == Approx(0.05 + 10 * 8000 / 700.0 / 3600));
  o.inet_down = {100'000};
  CHECK(start_time(o, {10}).count() == Approx(0.05 + 10 * 8000 / 800.0 / 3600));
  o.inet_down = {0};  // unknown
  CHECK(start_time(o, {10}).count() == Approx(0.05 + 10 * 8000 / 70.0 / 3600));
  o.inet_down = {0.001};
  CHECK(start_time(o, {10}) < Hours(2));
  CHECK(start_time(o, {0}).count() == Approx(0.05));
}

TEST_CASE("a lease leaves room for a slow start") {
  CHECK(lease_for(Hours(10)) == lease_for(Hours(10), Hours(0.05)));
  CHECK(lease_for(Hours(10), Hours(2)).count() == Approx(13.25));
}

TEST_CASE("hours scale by the card's measured speed, by DLPerf for an unknown card, hardly for small work") {
  TaskProfile p = sample_needs(10, Hours(6));
  CHECK(work_on(sample_offer(1, "RTX 4090", 0.3, 24564), p)->count() == Approx(6 / 1.6));
  Offer unknown = sample_offer(2, "RTX 9999", 0.3, 24564);
  unknown.dlperf = 53 * 2 * 2;
  unknown.num_gpus = 2;
  CHECK(work_on(unknown, p)->count() == Approx(3));
  unknown.dlperf = 0;
  CHECK(work_on(unknown, p) == Hours(6));
  p.scales_with_card = false;
  CHECK(work_on(sample_offer(3, "H100 SXM", 2, 81559), p)->count() == Approx(6 / 1.5));
  CHECK(work_on(sample_offer(4, "RTX 3060", 0.1, 12288), p)->count() == Approx(6 / 0.8));
  p.hours.reset();
  CHECK_FALSE(work_on(sample_offer(5, "RTX 4090", 0.3, 24564), p));
}
