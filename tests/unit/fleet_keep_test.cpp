// The decisions of a pass that are pure: when a lease is renewed and by how much, what a dearer price leaves
// of it, what counts as idle, what a row says, when a machine is looked into, and which layer counts as dead.

#include "fleet/idle.h"
#include "fleet/layers.h"
#include "fleet/notice.h"
#include "fleet/price_watch.h"
#include "fleet/renew.h"
#include "fleet/see_to.h"
#include "tests/support/catch.h"

using namespace vastgpu;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const TimePoint kStart{std::chrono::hours(1000)};

/// Two hours at $1.20, the guard's five minutes, and twelve cents of traffic.
Rental two_hours() {
  Rental r;
  r.label = "vg-test-1";
  r.instance = InstanceId{7};
  r.status = Status::ready;
  r.created = kStart;
  r.ready = kStart + minutes(5);
  r.lease_end = kStart + std::chrono::hours(2);
  r.price = UsdPerHour{1.2};
  r.worst_case = Usd{2.4 + 0.7 + 0.12};  // the lease, 35 minutes in reserve, traffic
  return r;
}

LedgerEvent price_event(TimePoint from, double price) {
  return {from, "price", "", {{"usd_per_hour", price}, {"from", to_unix_seconds(from)}}, ""};
}

LedgerEvent moved(const std::string& kind, TimePoint at, TimePoint from, TimePoint to, double added) {
  return {
      at, kind, "", {{"from", to_unix_seconds(from)}, {"to", to_unix_seconds(to)}, {"added_usd", added}}, ""};
}

bool near(TimePoint a, TimePoint b) { return std::chrono::abs(a - b) <= seconds(5); }

}  // namespace

TEST_CASE("a lease is renewed when it is nearly over, or shorter than what is left to do") {
  CHECK_FALSE(renewal_needed(Hours(1), std::nullopt));
  CHECK(renewal_needed(Hours(0.2), std::nullopt) == Hours(1));
  CHECK_FALSE(renewal_needed(Hours(2), Hours(1)));
  CHECK_FALSE(renewal_needed(Hours(0.24), Hours(0.01)));  // it ends in time, and its results come home
  CHECK(renewal_needed(Hours(1), Hours(3))->count() == Approx(3.3 + 1.0 / 6 - 1));
  CHECK(renewal_needed(Hours(0.2), Hours(0.1))->count() == Approx(0.25));  // never in crumbs
}

TEST_CASE("a renewal never costs more than what was shown, and ends before the host does") {
  Rental r = two_hours();
  CHECK(renewal_allowed(r, std::nullopt) == Hours(0));
  r.renew_to = Usd{r.worst_case.value + 2.4};
  CHECK(renewal_allowed(r, std::nullopt).count() == Approx(2));
  CHECK((r.worst_case + r.price * renewal_allowed(r, std::nullopt)) <= r.renew_to);
  r.seen_price = UsdPerHour{2.4};  // counted at what it costs now
  CHECK(renewal_allowed(r, std::nullopt).count() == Approx(1));
  r.seen_price = UsdPerHour{0.6};  // a lower price promises nothing
  CHECK(renewal_allowed(r, std::nullopt).count() == Approx(2));
  CHECK(renewal_allowed(r, r.lease_end + minutes(40)).count() == Approx(0.5));
  CHECK(renewal_allowed(r, r.lease_end - minutes(5)) == Hours(0));
}

TEST_CASE("what a lease may be renewed up to: the user's budget, unless somebody said no") {
  const Usd worst{0.6};
  AccountSettings account;
  ProjectSettings project;
  CHECK(renewable_to(worst, account, project) == worst);
  CHECK(renewal_words(worst, worst, std::nullopt).empty());
  SpendingEnvelope envelope;
  envelope.max_usd = Usd{2};
  CHECK(renewable_to(worst, account, project, envelope) == Usd{2});
  project.max_budget = Usd{5};
  CHECK(renewable_to(worst, account, project) == Usd{5});
  CHECK(renewal_words(worst, Usd{5}, Usd{5}) ==
        "; while its experiment runs on it may be renewed up to your max_budget of $5.00");
  CHECK(renewable_to(Usd{7}, account, project) == Usd{7});
  project.auto_extend = false;
  CHECK(renewable_to(worst, account, project, envelope) == worst);
  project.auto_extend = true;
  account.auto_extend = false;
  CHECK(renewable_to(worst, account, project) == worst);
  account.auto_extend = true;
  project.budget_unreadable = true;
  CHECK(renewable_to(worst, account, project) == worst);
  CHECK(renewable_to(worst, fail({.what = "unreadable"}), project) == worst);
}

TEST_CASE("why a lease is not renewed is said in words") {
  Rental r = two_hours();
  AccountSettings account;
  ProjectSettings project;
  CHECK(why_not_renewed(r, account, project) == "no max_budget says up to what");
  project.max_budget = Usd{5};
  r.renew_to = Usd{5};
  CHECK(why_not_renewed(r, account, project).empty());
  r.worst_case = Usd{4.95};
  CHECK(why_not_renewed(r, account, project).find("may be renewed up to $5.00") != std::string::npos);
  project.auto_extend = false;
  CHECK(why_not_renewed(r, account, project) == "auto_extend is false in the project");
  account.auto_extend = false;
  CHECK(why_not_renewed(r, account, project) == "auto_extend is false in settings.json");
}

TEST_CASE("at the price that was shown the worst case pays for the whole lease") {
  const Rental r = two_hours();
  const Agreement a = agreement_of(r, {});
  CHECK(a.other.value == Approx(0.12));
  CHECK(near(affordable_end(a, r, r.created + minutes(30)), r.lease_end));
}

TEST_CASE("a dearer price shortens the lease by as much as it costs more, and only once") {
  Rental r = two_hours();
  const TimePoint rise = r.created + std::chrono::hours(1);
  std::vector<LedgerEvent> events{price_event(rise, 2.4)};
  const TimePoint noticed = rise + minutes(2);
  Agreement a = agreement_of(r, events);
  CHECK(spent_on(a, r, noticed).value == Approx(1.2 + 2.4 / 30));
  // An hour and the reserve are left, and an hour costs twice as much: half of both.
  const TimePoint pays = affordable_end(a, r, noticed);
  CHECK(near(pays, rise + seconds(95 * 60 / 2) - minutes(35)));
  events.push_back(moved("shorten", noticed, r.lease_end, pays, 0));
  r.lease_end = pays;
  a = agreement_of(r, events);
  CHECK(a.other.value == Approx(0.12));
  CHECK(near(affordable_end(a, r, noticed + minutes(9)), pays));
  // A renewal at the new price moves it by what it adds.
  const TimePoint later = pays + std::chrono::hours(1);
  events.push_back(moved("extend", noticed + minutes(10), pays, later, 2.4));
  r.lease_end = later;
  r.worst_case += Usd{2.4};
  a = agreement_of(r, events);
  CHECK(a.other.value == Approx(0.12));
  CHECK(near(affordable_end(a, r, noticed + minutes(11)), later));
}

TEST_CASE("a shortening that a crash cut off after its event is not counted") {
  Rental r = two_hours();
  const TimePoint at = r.created + std::chrono::hours(1), half = at + minutes(20);
  std::vector<LedgerEvent> events{price_event(at, 2.4), moved("shorten", at, r.lease_end, half, 0)};
  CHECK(agreement_of(r, events).other.value == Approx(0.12));  // the lease is where it was
  events.push_back(moved("shorten", at + minutes(1), r.lease_end, half, 0));
  r.lease_end = half;
  CHECK(agreement_of(r, events).other.value == Approx(0.12));
}

TEST_CASE("a price that explodes leaves nothing, and a stop between two leases is not counted as spent") {
  Rental r = two_hours();
  CHECK(affordable_end(agreement_of(r, {price_event(r.created + minutes(30), 50)}), r,
                       r.created + minutes(33)) < r.created + minutes(33));
  const TimePoint stopped_until = r.lease_end + std::chrono::hours(5);
  const std::vector<LedgerEvent> events{
      moved("extend", stopped_until, r.lease_end, stopped_until + std::chrono::hours(1), 1.2 + 0.1)};
  r.lease_end = stopped_until + std::chrono::hours(1);
  r.worst_case += Usd{1.3};
  const Agreement a = agreement_of(r, events);
  CHECK(std::chrono::abs(a.paused - std::chrono::hours(5)) < seconds(1));
  CHECK(spent_on(a, r, stopped_until).value == Approx(2.4));
  CHECK(affordable_end(a, r, stopped_until + minutes(10)) > r.lease_end);
}

TEST_CASE("idle is what neither runs, nor computes, nor writes") {
  const TimePoint now = kStart + std::chrono::hours(1), before = kStart;
  const Stillness still{false, 0.0};
  CHECK(idle_since(std::nullopt, false, still, now) == now);
  CHECK(idle_since(before, false, still, now) == before);
  CHECK_FALSE(idle_since(before, true, still, now));
  CHECK_FALSE(idle_since(before, false, {true, 0.0}, now));
  CHECK_FALSE(idle_since(before, false, {false, 40.0}, now));
  CHECK(idle_since(before, false, {false, std::nullopt}, now) == before);

  CHECK(read_stillness("first\n0\n").files_moved);
  CHECK(read_stillness("moved\n3\n71\n").gpu_busy == 71.0);
  CHECK_FALSE(read_stillness("still\n0\n").files_moved);
  CHECK(read_stillness("").files_moved);  // no answer is not stillness
  CHECK_FALSE(read_stillness("still\n[N/A]\n1e9\n").gpu_busy);

  Rental r = two_hours();
  CHECK(idle_words(r, now).empty());
  r.idle_since = now - minutes(19);
  CHECK(idle_words(r, now).empty());
  r.idle_since = now - minutes(25);
  CHECK(idle_words(r, now).find("25 min; $1.2000/h runs away") != std::string::npos);
}

TEST_CASE("what the row of a machine says, whose intent says running") {
  Rental r = two_hours();
  Instance row;
  row.intended_status = "running";
  const auto says = [&](const char* actual, const char* intended = "running") {
    row.actual_status = actual;
    row.intended_status = intended;
    return seen_in(r, row);
  };
  CHECK(says("running") == Seen::running);
  CHECK(says("exited") == Seen::exited);
  CHECK(says("exited", "stopped") == Seen::stopped);
  CHECK(says("offline") == Seen::offline);
  CHECK(says("unknown") == Seen::offline);
  CHECK(says("created", "stopped") == Seen::parked);
  CHECK(says("created") == Seen::starting);
  CHECK(says("frozen") == Seen::frozen);
  CHECK(says("rebooting") == Seen::starting);
  CHECK(says("something new") == Seen::starting);
  r.interruptible = true;
  CHECK(says("exited") == Seen::outbid);
}

TEST_CASE("a machine is looked into every two minutes, and more often near its end") {
  const TimePoint now = kStart;
  const TimePoint far = now + std::chrono::hours(1);
  CHECK(look_is_due(now, std::nullopt, far, minutes(2)));
  CHECK_FALSE(look_is_due(now, now - minutes(1), far, minutes(2)));
  CHECK(look_is_due(now, now - minutes(2), far, minutes(2)));
  CHECK(look_is_due(now, now, far, Duration{}));
  CHECK(look_is_due(now, now - seconds(40), now + minutes(9), minutes(2)));
  CHECK_FALSE(collect_is_due(now, now - minutes(9), false));
  CHECK(collect_is_due(now, now - minutes(10), false));
  CHECK(collect_is_due(now, now - minutes(4), true));
}

TEST_CASE("a layer that fell silent is an alarm with its fix") {
  const Rental r = two_hours();
  const TimePoint now = kStart + std::chrono::hours(1);
  const auto guard = [&](Duration ago, const char* key) {
    return LayerReport{r.label, kGuardLayer, now - ago, std::string("holds the lease end x, ") + key};
  };
  const LayerReport look{r.label, kLookMark, now - seconds(10), ""};
  const LayerReport keeper{"", kKeeperLayer, now - minutes(1), ""};
  CHECK(alarms_of(layer_views(r, {guard(seconds(20), "has a key"), look}, {keeper}, true, now)).empty());

  const auto no_keeper = alarms_of(layer_views(r, {guard(seconds(20), "has a key"), look}, {}, true, now));
  REQUIRE(no_keeper.size() == 1);
  CHECK(no_keeper[0].find("run vast-gpu keep &") != std::string::npos);
  CHECK(alarms_of(layer_views(r, {}, {}, false, now)).empty());  // switched off by the user

  const auto silent = alarms_of(layer_views(r, {guard(minutes(4), "has a key"), look}, {keeper}, true, now));
  REQUIRE(silent.size() == 1);
  CHECK(silent[0].find("hours 0") != std::string::npos);
  const auto no_key = alarms_of(layer_views(r, {guard(seconds(20), "no key"), look}, {keeper}, true, now));
  REQUIRE(no_key.size() == 1);
  CHECK(no_key[0].find("destroy it in time yourself") != std::string::npos);
  // Nobody looked since, or could: nothing is known about the guard.
  CHECK(alarms_of(layer_views(r, {guard(std::chrono::hours(1), "has a key")}, {keeper}, true, now)).empty());
  const LayerReport in_vain{r.label, kLookMark, now, "not reached"};
  CHECK(alarms_of(layer_views(r, {guard(std::chrono::hours(1), "has a key"), in_vain}, {keeper}, true, now))
            .empty());
  CHECK(to_facts(layer_views(r, {look}, {keeper}, true, now), now)[1]["age_seconds"] == 60);
}
