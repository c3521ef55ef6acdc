// What to do about a lost bid, decided by money; and what the ledger's events tell of pauses.

#include "fleet/outbid.h"
#include "fleet/outbid_history.h"
#include "tests/support/catch.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

// A machine of $0.10 for the GPU and $0.01 for the disk, half way through ten hours.
OutbidSituation half_way() {
  OutbidSituation s;
  s.bid = {0.10};
  s.storage = {0.01};
  s.floor = UsdPerHour{0.12};
  s.on_demand = UsdPerHour{0.40};
  s.lease_left = Hours(5);
  s.grace = Hours(0);
  s.paid = Usd{0.55};
  s.worst_case = Usd{1.10};
  s.paused = Hours(0.1);
  s.results_home = true;
  return s;
}

bool says(const OutbidDecision& d, const std::string& words) {
  INFO(d.why);
  return d.why.find(words) != std::string::npos;
}

const TimePoint kStart = from_unix_seconds(1'790'000'000);

LedgerEvent event(const std::string& kind, Duration after, json detail = json::object(),
                  const std::string& label = "vg-a") {
  return {kStart + after, kind, label, std::move(detail)};
}

Rental ten_hours() {
  Rental r;
  r.label = "vg-a";
  r.price = {0.11};
  r.created = kStart;
  r.lease_end = kStart + 10h;
  return r;
}

}  // namespace

TEST_CASE("a raise has to fit what was approved") {
  OutbidSituation s = half_way();
  // 2 % over the floor: 0.1224, with the disk 0.1324; five hours of it on top of 0.55 are 1.212.
  s.worst_case = Usd{1.22};
  OutbidDecision d = decide_outbid(s);
  CHECK(d.action == OutbidAction::raise);
  CHECK(d.bid.value == Approx(0.1224));
  CHECK(d.price.value == Approx(0.1324));
  CHECK(d.worst_case == Usd{1.22});  // unchanged: it fits
  CHECK(says(d, "stays within"));

  s.worst_case = Usd{1.21};
  d = decide_outbid(s);
  CHECK(d.action == OutbidAction::wait);
  CHECK(says(d, "$1.21 were approved"));

  s.envelope_room = Usd{1.30};
  d = decide_outbid(s);
  CHECK(d.action == OutbidAction::raise);
  CHECK(d.worst_case.value == Approx(1.212));
  CHECK(says(d, "within its envelope"));
  s.envelope_room = Usd{1.20};
  CHECK(decide_outbid(s).action != OutbidAction::raise);
}

TEST_CASE("nobody bids what the machine costs without bidding") {
  OutbidSituation s = half_way();
  s.worst_case = Usd{100};
  s.on_demand = UsdPerHour{0.13};
  const OutbidDecision d = decide_outbid(s);
  CHECK(d.action == OutbidAction::wait);
  CHECK(says(d, "nobody can outbid"));
}

TEST_CASE("a floor below our bid means that it should come back by itself; later the floor is not believed") {
  OutbidSituation s = half_way();
  s.worst_case = Usd{2};
  s.floor = UsdPerHour{0.09};
  s.paused = Hours(0.02);
  CHECK(decide_outbid(s).action == OutbidAction::wait);
  s.paused = Hours(0.2);
  const OutbidDecision d = decide_outbid(s);
  CHECK(d.action == OutbidAction::raise);
  CHECK(d.bid.value == Approx(0.11));
}

TEST_CASE("where pauses are short, waiting is cheaper than a raise for the rest of the lease") {
  OutbidSituation s = half_way();
  s.worst_case = Usd{2};
  s.usual_pause = Hours(0.2);
  CHECK(decide_outbid(s).action == OutbidAction::wait);
  s.paused = Hours(0.25);  // longer than usual
  CHECK(decide_outbid(s).action == OutbidAction::raise);
  s.usual_pause = Hours(3);
  s.paused = Hours(0);
  CHECK(decide_outbid(s).action == OutbidAction::raise);
}

TEST_CASE("waiting ends: another machine within the envelope, or words") {
  OutbidSituation s = half_way();
  s.floor.reset();  // taken on demand
  CHECK(decide_outbid(s).action == OutbidAction::wait);
  s.paused = Hours(0.5);
  OutbidDecision d = decide_outbid(s);
  CHECK(d.action == OutbidAction::give_up);
  CHECK(says(d, "no envelope"));

  s.envelope_room = Usd{4};
  d = decide_outbid(s);
  CHECK(d.action == OutbidAction::give_up);
  CHECK(says(d, "no other machine"));

  s.elsewhere = {UsdPerHour{0.12}, Hours(0.5)};
  CHECK(decide_outbid(s).action == OutbidAction::move);
  s.results_home = false;
  d = decide_outbid(s);
  CHECK(d.action == OutbidAction::give_up);
  CHECK(says(d, "not at home"));
}

TEST_CASE("a much cheaper machine is worth its setup, a slightly cheaper one is not") {
  OutbidSituation s = half_way();
  s.worst_case = Usd{2};
  s.elsewhere = {UsdPerHour{0.06}, Hours(0.5)};  // 5.5 h at 0.06 against 5 h at 0.1324
  s.envelope_room = Usd{4};
  CHECK(decide_outbid(s).action == OutbidAction::move);
  s.elsewhere->price = {0.12};
  CHECK(decide_outbid(s).action == OutbidAction::raise);
  s.elsewhere->price = {0.06};
  s.work_left = Hours(0.2);  // the setup would cost more than the rest here
  CHECK(decide_outbid(s).action == OutbidAction::raise);
}

TEST_CASE("with minutes left nothing is worth money") {
  OutbidSituation s = half_way();
  s.lease_left = Hours(0.2);
  s.worst_case = Usd{5};
  const OutbidDecision d = decide_outbid(s);
  CHECK(d.action == OutbidAction::give_up);
  CHECK(says(d, "of its lease are left"));
}

TEST_CASE("pauses are paired per rental, and count for money only as far as they were seen") {
  const std::vector<LedgerEvent> events{
      event("outbid", 1h),          event("outbid", 2h, {}, "vg-b"),
      event("still_outbid", 90min), event("resumed", 2h),
      event("outbid", 4h),          event("resumed", 5h, {}, "vg-b"),
  };
  const auto pauses = pauses_of(events);
  REQUIRE(pauses.size() == 3);
  CHECK(pauses[0].seen_until == kStart + 90min);
  CHECK(pauses[0].resumed == kStart + 2h);
  CHECK(pauses[1].label == "vg-b");
  CHECK_FALSE(pauses[2].resumed);
  CHECK_FALSE(usual_pause(pauses));  // two that ended are too few

  const std::vector<LedgerEvent> mine{event("outbid", 1h), event("still_outbid", 90min), event("resumed", 2h),
                                      event("outbid", 4h)};
  CHECK(open_pause(mine));
  // 1 h + 2.5 h at 0.11, half an hour and, since it is seen right now, one more at 0.01; traffic 0.05.
  const PaidSoFar paid = paid_so_far(ten_hours(), mine, {0.01}, Usd{0.05}, true, kStart + 5h);
  CHECK(paid.at_most.value == Approx(3.5 * 0.11 + 1.5 * 0.01 + 0.05));
  CHECK(paid.ran.count() == Approx(3.5));
  CHECK(paid.paused.count() == Approx(1.5));
  // Not seen now: it may have run since.
  CHECK(paid_so_far(ten_hours(), mine, {0.01}, {}, false, kStart + 5h).at_most.value ==
        Approx(4.5 * 0.11 + 0.5 * 0.01));
}

TEST_CASE("a raised bid counts from the moment it was asked for") {
  Rental r = ten_hours();
  r.price = {0.21};  // what it is now
  const std::vector<LedgerEvent> events{
      event("outbid", 1h), event("bid", 2h, {{"usd_per_hour", 0.21}, {"usd_per_hour_before", 0.11}}),
      event("still_outbid", 2h), event("resumed", 2h)};
  const PaidSoFar paid = paid_so_far(r, events, {0.01}, {}, false, kStart + 4h);
  CHECK(paid.at_most.value == Approx(0.11 + 0.01 + 2 * 0.21));
}

TEST_CASE("the usual pause is the middle one") {
  std::vector<LedgerEvent> events;
  int hour = 0;
  for (const int minutes : {10, 600, 20}) {
    events.push_back(event("outbid", std::chrono::hours(hour)));
    events.push_back(event("resumed", std::chrono::hours(hour) + std::chrono::minutes(minutes)));
    hour += 20;
  }
  const auto usual = usual_pause(pauses_of(events));
  REQUIRE(usual);
  CHECK(usual->lasts.count() == Approx(1.0 / 3));
  CHECK(usual->seen == 3);
}

TEST_CASE("outbid is a bid that does not run, neither by our stop nor by its own end") {
  Instance row;
  row.is_bid = true;
  row.actual_status = "exited";
  row.intended_status = "running";
  row.cur_state = "stopped";
  CHECK(is_outbid(row));
  row.actual_status = "stopped";
  CHECK(is_outbid(row));
  row.cur_state = "running";  // its container ended by itself, and it holds its GPUs
  CHECK_FALSE(is_outbid(row));
  row.cur_state = "stopped";
  row.intended_status = "stopped";
  CHECK_FALSE(is_outbid(row));
  row.intended_status = "running";
  row.actual_status = "offline";
  CHECK_FALSE(is_outbid(row));
  row.actual_status = "exited";
  row.is_bid = false;
  CHECK_FALSE(is_outbid(row));
}
