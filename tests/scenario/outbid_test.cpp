// Interruptible machines: bids that are right, and what becomes of work whose machine was outbid, in money,
// in results and in contracts. Real parts on scaled time.

#include "fleet/outbid.h"

#include "core/files.h"
#include "core/text.h"
#include "fleet/envelope.h"
#include "fleet/lifecycle.h"
#include "fleet/outbid_history.h"
#include "fleet/rerent.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;

namespace {

using State = OutbidOutcome::State;

// Saves a step, waits for a word, and goes on from what is saved: the last line tells how often it began.
constexpr const char* kTrains =
    "mkdir -p results; n=$(cat results/step.ckpt 2>/dev/null || echo 0); n=$((n+1)); echo $n "
    ">results/step.ckpt; "
    "while [ ! -e /workspace/go ]; do /bin/sleep 0.05; done; echo $n >results/done.txt";

struct Rented {
  json id;
  Rental rental;
};

Rental rental_of(RentalStage& stage, const json& id) {
  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE(rental);
  REQUIRE(*rental);
  return **rental;
}

std::string on_machine(RentalStage& stage, const json& id, const std::string& command) {
  const Rental r = rental_of(stage, id);
  auto shell = stage.house().connector().connect({{*r.ssh}, r.host_key}, {});
  REQUIRE(shell);
  auto said = shell->shell->exec(command, {}, {});
  REQUIRE(said);
  return std::string(trim(said->out));
}

/// Until the job has saved for the `n`th time.
void wait_for_step(RentalStage& stage, const json& id, const std::string& n) {
  std::string seen;
  for (int turn = 0; turn < 200 && seen != n; ++turn) {
    seen = on_machine(stage, id, "cat /workspace/project/results/step.ckpt 2>/dev/null");
    if (seen != n) stage.house().clock().sleep_for(std::chrono::seconds(5), {});
  }
  CHECK(seen == n);
}

Rented rent_bid(RentalStage& stage, const json& envelope = json::object(), double lease_hours = 2) {
  auto quote = stage.quote({{"interruptible", true}, {"lease_hours", lease_hours}});
  INFO((quote ? *quote : quote.error().what));
  REQUIRE(quote);
  json ask{{"quote_id", *quote}, {"wait_seconds", 600}};
  ask.update(envelope);
  auto rented = stage.call_until("rent", ask, "booting");
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  REQUIRE(rented->outcome == "ready");
  const json id = rented->facts["instance_id"];
  REQUIRE(stage.call("run", {{"instance_id", id}, {"command", kTrains}, {"experiment", "exp01"}}));
  wait_for_step(stage, id, "1");
  return {id, rental_of(stage, id)};
}

/// One look, as the keeper takes it.
Result<OutbidOutcome> look(RentalStage& stage, const json& id, Duration patience = std::chrono::minutes(10)) {
  const Deps d = stage.deps();
  Rental rental = rental_of(stage, id);
  auto row = d.market.instance({id.get<std::int64_t>()}, {});
  REQUIRE(row);
  return see_to_outbid(d, rental, row->value_or(Instance{}), {{}, d.clock.now() + patience});
}

/// Again until it says what is awaited, for at most three simulated hours.
OutbidOutcome look_until(RentalStage& stage, const json& id, std::initializer_list<State> awaited) {
  OutbidOutcome out;
  std::string story;
  const TimePoint give_up = stage.house().clock().now() + std::chrono::hours(3);
  while (stage.house().clock().now() < give_up) {
    auto seen = look(stage, id);
    if (!seen) FAIL(seen.error().what << "\n" << story);
    out = *seen;
    story += std::string(to_string(out.state)) + ": " + out.did + "\n";
    if (std::ranges::find(awaited, out.state) != awaited.end()) return out;
    stage.house().clock().sleep_for(std::chrono::minutes(2), {});
  }
  FAIL("never came:\n" << story);
  return out;
}

void lose_bid(RentalStage& stage, const json& id, int seconds, double floor = 0) {
  stage.admin("POST", "/admin/outbid", {{"instance", id}, {"seconds", seconds}, {"floor", floor}});
}

int events_of(RentalStage& stage, const json& id, const std::string& kind) {
  auto events = stage.deps().ledger.events(rental_of(stage, id).label);
  REQUIRE(events);
  return static_cast<int>(std::ranges::count(*events, kind, &LedgerEvent::kind));
}

json contract(RentalStage& stage, const json& id) {
  const json truth = stage.state();
  for (const json& c : truth["contracts"])
    if (c["id"] == id) return c;
  return nullptr;
}

double billed(RentalStage& stage, const json& id) {
  const json c = contract(stage, id);
  REQUIRE(c.is_object());
  return c["billed"]["total"];
}

/// Somebody takes the whole machine on demand: no bid brings it back.
void take_machine(RentalStage& stage, const Rental& rental) {
  for (int turn = 0; turn < 16; ++turn) {
    const json found =
        stage.admin("POST", "/api/v0/bundles/",
                    {{"limit", 5}, {"machine_id", {{"eq", rental.machine}}}, {"rentable", {{"eq", true}}}});
    if (found["offers"].empty()) return;
    stage.admin("PUT", "/api/v0/asks/" + std::to_string(found["offers"][0]["id"].get<std::int64_t>()) + "/",
                {{"image", "ubuntu:22.04"}, {"disk", 10}, {"label", "their-job"}});
  }
  FAIL("the machine has no end of offers");
}

}  // namespace

SCENARIO(
    "a bid is the floor of a bid search; it waits for its pause to pay for a raise, and its job runs again") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const Rented r = rent_bid(stage);
  REQUIRE(r.rental.bid);
  CHECK(r.rental.interruptible);
  CHECK(r.rental.price > *r.rental.bid);  // the disk comes on top
  auto row = stage.deps().market.instance(*r.rental.instance, {});
  REQUIRE((row && *row));
  CHECK((*row)->is_bid);
  CHECK((*row)->price.value <= r.rental.price.value * 1.01);
  CHECK((*row)->price.value - (*row)->storage_price.value == Approx(r.rental.bid->value).epsilon(0.001));
  auto calm = look(stage, r.id);
  REQUIRE(calm);
  CHECK(calm->state == State::not_outbid);

  lose_bid(stage, r.id, 0);  // only money brings it back
  auto first = look(stage, r.id);
  REQUIRE(first);
  INFO(first->did);
  CHECK(first->state == State::waiting);  // a raise at once would cost more than what was shown
  CHECK(first->bills);
  const OutbidOutcome raised = look_until(stage, r.id, {State::raised, State::resumed});
  INFO(raised.did);
  if (raised.state == State::raised) look_until(stage, r.id, {State::resumed, State::not_outbid});
  const Rental now = rental_of(stage, r.id);
  CHECK(now.status == Status::ready);
  CHECK(*now.bid > *r.rental.bid);
  CHECK(now.worst_case == r.rental.worst_case);  // within what was approved, to the cent
  CHECK(now.lease_end == r.rental.lease_end);
  CHECK(*now.ssh != *r.rental.ssh);  // another port, under the same host key
  CHECK(events_of(stage, r.id, "outbid") == 1);
  CHECK(events_of(stage, r.id, "bid") == 1);
  CHECK(events_of(stage, r.id, "resumed") == 1);
  wait_for_step(stage, r.id, "2");  // from its checkpoint
  CHECK(on_machine(stage, r.id, "head -n 1 /workspace/.vast-gpu/lease | grep -c '^[0-9][0-9]*$'") == "1");

  auto again = look(stage, r.id);  // nothing is done twice
  REQUIRE(again);
  CHECK(again->state == State::not_outbid);
  CHECK(events_of(stage, r.id, "restart_job") == 1);

  on_machine(stage, r.id, "touch /workspace/go");
  auto watched = stage.call("monitor", {{"instance_id", r.id}, {"wait_seconds", 600}});
  REQUIRE(watched);
  CHECK(watched->facts["checkpoint_advice"]["every_minutes"].get<double>() >= 1);
  CHECK(watched->details.find("save a checkpoint every") != std::string::npos);
  auto ended = stage.call_until("destroy", {{"instance_id", r.id}, {"wait_seconds", 600}}, "destroying");
  INFO((ended ? ended->summary : ended.error().what));
  REQUIRE(ended);
  CHECK(read_file(stage.project() / "results" / "done.txt", 100).value_or("") == "2\n");
  CHECK(billed(stage, r.id) >= 0);
  CHECK(billed(stage, r.id) <= r.rental.worst_case.value);
}

SCENARIO(
    "nobody raises beyond what was approved: it waits, gives up in words, and goes on when its bid wins") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const Rented r = rent_bid(stage);
  lose_bid(stage, r.id, 2400, r.rental.bid->value * 1.5);
  const OutbidOutcome gave = look_until(stage, r.id, {State::given_up, State::raised, State::resumed});
  INFO(gave.did);
  CHECK(gave.state == State::given_up);
  CHECK(gave.did.find("were approved") != std::string::npos);
  CHECK_FALSE(gave.next_step.empty());
  CHECK(rental_of(stage, r.id).bid == r.rental.bid);
  CHECK(stage.creates_sent() == 1);  // no envelope: nothing is rented
  auto other = rerent(stage.deps(), rental_of(stage, r.id), "test", {{}, stage.house().clock().now()});
  REQUIRE(other);
  CHECK(other->state == RerentOutcome::State::impossible);
  CHECK(other->words.find("no envelope") != std::string::npos);

  const OutbidOutcome back = look_until(stage, r.id, {State::resumed});
  INFO(back.did);
  CHECK(back.did.find("exp01") != std::string::npos);
  const Rental now = rental_of(stage, r.id);
  CHECK(now.worst_case == r.rental.worst_case);
  CHECK(*now.ssh != *r.rental.ssh);
  wait_for_step(stage, r.id, "2");
  CHECK(stage.creates_sent() == 1);
}

SCENARIO("within an envelope the bid is raised at once, and never past it") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const Rented r =
      rent_bid(stage, {{"envelope_usd", 4.0}, {"envelope_rentals", 1}, {"envelope_until", "+6h"}});
  CHECK(r.rental.envelope.starts_with("e-"));
  lose_bid(stage, r.id, 0);
  const OutbidOutcome raised = look_until(stage, r.id, {State::raised, State::resumed, State::given_up});
  INFO(raised.did);
  CHECK(raised.state != State::given_up);
  CHECK(raised.did.find("within its envelope") != std::string::npos);
  look_until(stage, r.id, {State::resumed, State::not_outbid});
  const Rental now = rental_of(stage, r.id);
  CHECK(now.worst_case > r.rental.worst_case);
  CHECK(now.worst_case.value <= 4.0);
  auto list = stage.call("list", json::object());
  REQUIRE(list);
  REQUIRE(list->facts["envelopes"].size() == 1);
  CHECK(list->facts["envelopes"][0]["taken_usd"].get<double>() == Approx(now.worst_case.value));
  CHECK(list->facts["envelopes"][0]["taken_rentals"] == 1);
}

SCENARIO("a raise that was on record when everything died is sent again, and counted once") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const Rented r =
      rent_bid(stage, {{"envelope_usd", 4.0}, {"envelope_rentals", 1}, {"envelope_until", "+6h"}});
  lose_bid(stage, r.id, 0);
  {  // what see_to_outbid had written when it was killed, just before the change was sent
    const Deps d = stage.deps();
    Rental rental = rental_of(stage, r.id);
    const TimePoint now = d.clock.now();
    REQUIRE(d.ledger.add_event({now, "outbid", rental.label, {{"gpu", rental.gpu_name}}}));
    const UsdPerHour bid = *rental.bid * 1.2, price = rental.price + *rental.bid * 0.2;
    REQUIRE(d.ledger.extend_lease(rental.label, rental.lease_end, rental.worst_case * 1.3, now, {}));
    REQUIRE(
        d.ledger.add_event({now,
                            "bid",
                            rental.label,
                            {{"bid", bid}, {"usd_per_hour", price}, {"usd_per_hour_before", rental.price}}}));
    REQUIRE(d.ledger.change_rental(rental.label, [&](Rental& x) -> Result<void> {
      x.bid = bid, x.price = price;
      return step(x, Event::seen_stopped);
    }));
  }
  stage.restart_house();
  const Rental before = rental_of(stage, r.id);
  auto waiting = stage.call("monitor", {{"instance_id", r.id}});
  REQUIRE(waiting);
  CHECK(waiting->outcome == "outbid");
  const OutbidOutcome out = look_until(stage, r.id, {State::raised, State::resumed});
  INFO(out.did);
  CHECK(out.did.find("still shows the old bid") != std::string::npos);
  look_until(stage, r.id, {State::resumed, State::not_outbid});
  const Rental now = rental_of(stage, r.id);
  CHECK(now.worst_case == before.worst_case);
  CHECK(now.bid == before.bid);
  CHECK(events_of(stage, r.id, "bid") == 1);
  CHECK(events_of(stage, r.id, "restart_job") == 1);
}

SCENARIO("outbid for good, the work moves within its envelope and comes home from there") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const Rented r =
      rent_bid(stage, {{"envelope_usd", 4.5}, {"envelope_rentals", 2}, {"envelope_until", "+12h"}});
  auto home = stage.call("collect", {{"instance_id", r.id}});
  INFO((home ? home->summary : home.error().what));
  REQUIRE(home);
  lose_bid(stage, r.id, 0);
  take_machine(stage, r.rental);
  const int creates = stage.creates_sent();
  const OutbidOutcome moved = look_until(stage, r.id, {State::moved, State::given_up, State::raised});
  INFO(moved.did);
  REQUIRE(moved.state == State::moved);
  REQUIRE(moved.replacement);
  const json other = moved.replacement->instance->value;
  CHECK(stage.creates_sent() == creates + 1);
  CHECK(rental_of(stage, r.id).status == Status::destroyed);
  CHECK(contract(stage, r.id)["alive"] == false);
  const Rental fresh = rental_of(stage, other);
  CHECK(fresh.replaces == r.rental.label);
  CHECK(fresh.envelope == r.rental.envelope);
  CHECK(fresh.machine != r.rental.machine);
  CHECK(fresh.interruptible);
  CHECK(fresh.setup_done);
  wait_for_step(stage, other, "2");
  auto use = stage.deps().ledger.envelope_use(r.rental.envelope);
  REQUIRE(use);
  CHECK(use->rentals == 2);
  CHECK(use->usd.value <= 4.5);
  // Nothing more is rented, however often anybody asks: two were approved.
  auto third = rerent(stage.deps(), fresh, "test", {{}, stage.house().clock().now()});
  REQUIRE(third);
  CHECK(third->state == RerentOutcome::State::impossible);
  CHECK(third->words.find("all of them were used") != std::string::npos);

  on_machine(stage, other, "touch /workspace/go");
  REQUIRE(stage.call("monitor", {{"instance_id", other}, {"wait_seconds", 600}}));
  auto ended = stage.call_until("destroy", {{"instance_id", other}, {"wait_seconds", 600}}, "destroying");
  INFO((ended ? ended->summary : ended.error().what));
  REQUIRE(ended);
  CHECK(read_file(stage.project() / "results" / "done.txt", 100).value_or("") == "2\n");
  CHECK(billed(stage, r.id) + billed(stage, other) <= use->usd.value);
}

SCENARIO("work of a machine that is gone goes on elsewhere, in steps, through restarts, and is rented once") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const Rented r = rent_bid(stage, {{"envelope_usd", 4.5}, {"envelope_until", "+12h"}});
  REQUIRE(stage.call("collect", {{"instance_id", r.id}}));
  stage.admin("DELETE", "/api/v0/instances/" + r.id.dump() + "/");  // the host takes it away
  while (contract(stage, r.id)["alive"] == true)
    stage.house().clock().sleep_for(std::chrono::seconds(10), {});
  for (int turn = 0; turn < 30 && rental_of(stage, r.id).status != Status::destroyed; ++turn) {
    REQUIRE(stage.call("list", json::object()));
    stage.house().clock().sleep_for(std::chrono::seconds(40), {});
  }
  const Rental lost = rental_of(stage, r.id);
  REQUIRE(lost.status == Status::destroyed);

  stage.fault({{"name", "create-504"}});  // it happens, and its answer is lost
  RerentOutcome out;
  std::string story;
  for (int turn = 0; turn < 200 && out.state != RerentOutcome::State::running; ++turn) {
    stage.restart_house();  // as after a crash between any two steps
    const Deps d = stage.deps();
    auto done = rerent(d, lost, "test", {{}, d.clock.now() + std::chrono::seconds(20)});
    story += done ? done->words + "\n" : done.error().what + "\n";
    if (done) out = *done;
    INFO(story);
    REQUIRE((!done || out.state != RerentOutcome::State::impossible));
  }
  INFO(story);
  REQUIRE(out.state == RerentOutcome::State::running);
  CHECK(stage.creates_sent() == 2);
  CHECK(stage.state()["live_contracts"] == 1);
  const json other = out.rental->instance->value;
  wait_for_step(stage, other, "2");
  const auto again = rerent(stage.deps(), lost, "test", {{}, stage.house().clock().now()});
  REQUIRE(again);
  CHECK(again->state == RerentOutcome::State::running);
  CHECK(stage.creates_sent() == 2);
  auto jobs = stage.deps().ledger.jobs(out.rental->label);
  REQUIRE(jobs);
  CHECK(jobs->size() == 1);
  CHECK(on_machine(stage, other, "cat /workspace/project/results/step.ckpt") == "2");  // started once
  CHECK(room_of(stage.deps(), lost.envelope)->use.rentals == 2);
}

SCENARIO("still outbid when its lease is over, a machine leaves the queue and bills its disk only") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {});
  const Rented r = rent_bid(stage, json::object(), 0.3);
  const auto back = r.rental.lease_end + std::chrono::minutes(4) - stage.house().clock().now();
  lose_bid(stage, r.id, static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(back).count()),
           r.rental.bid->value * 3);
  REQUIRE(look(stage, r.id));
  stage.house().clock().sleep_until(r.rental.lease_end + std::chrono::minutes(1), {});
  auto over = look(stage, r.id);
  REQUIRE(over);
  INFO(over->did);
  CHECK(over->state == State::given_up);
  CHECK(over->did.find("lease is over") != std::string::npos);
  CHECK_FALSE(over->next_step.empty());
  CHECK(contract(stage, r.id)["intended_status"] == "stopped");
  const double gpu = contract(stage, r.id)["billed"]["gpu"];
  stage.house().clock().sleep_for(std::chrono::minutes(8), {});  // its bid would have won by now
  CHECK(contract(stage, r.id)["billed"]["gpu"].get<double>() == gpu);
  CHECK(events_of(stage, r.id, "stop") == 1);
  CHECK(billed(stage, r.id) <= r.rental.worst_case.value);
}

SCENARIO("a bid that was too low at the create is one contract, started when it can be") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.faults = {"low-bid"}});
  const Rented r = rent_bid(stage);
  CHECK(stage.creates_sent() == 1);
  CHECK(stage.state()["contracts"].size() == 1);
  CHECK(r.rental.status == Status::ready);
}

SCENARIO("envelope arguments that make no sense are refused by name, before anything is rented") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  const auto quote = stage.quote({{"interruptible", true}});
  REQUIRE(quote);
  const auto refused = [&](const json& with, const std::string& field) {
    json ask{{"quote_id", *quote}, {"wait_seconds", 0}};
    ask.update(with);
    const auto answer = stage.call("rent", ask);
    CAPTURE(with.dump());
    REQUIRE_FALSE(answer);
    CAPTURE(answer.error().what);
    CHECK((answer.error().what + answer.error().next_step).find(field) != std::string::npos);
    CHECK_FALSE(answer.error().next_step.empty());
  };
  refused({{"envelope_usd", -1}}, "envelope_usd");
  refused({{"envelope_usd", 1e9}}, "envelope_usd");
  refused({{"envelope_usd", "six"}}, "envelope_usd");
  refused({{"envelope_usd", 0.01}}, "envelope_usd");  // less than this rental alone
  refused({{"envelope_usd", 5}, {"envelope_rentals", 21}}, "envelope_rentals");
  refused({{"envelope_usd", 5}, {"envelope_rentals", 0}}, "envelope_rentals");
  refused({{"envelope_usd", 5}, {"envelope_until", "soon"}}, "envelope_until");
  refused({{"envelope_usd", 5}, {"envelope_until", "2020-01-01T00:00:00Z"}}, "envelope_until");
  refused({{"envelope_rentals", 3}}, "envelope_usd");
  refused({{"envelope_until", "+6h"}}, "envelope_usd");
  refused({{"envelope_id", "e-nowhere"}}, "envelope");
  refused({{"envelope_id", "e-1"}, {"envelope_usd", 5}}, "envelope_id");
  CHECK(stage.creates_sent() == 0);
  CHECK(stage.deps().ledger.open_envelopes(stage.project().string(), stage.house().clock().now())->empty());

  // Approved with the first rental, drawn from silently by the second, and refused to the third.
  auto first = stage.call("rent", {{"quote_id", *quote},
                                   {"wait_seconds", 0},
                                   {"envelope_usd", 2.5},
                                   {"envelope_rentals", 2},
                                   {"envelope_until", "+6h"}});
  INFO((first ? first->summary : first.error().what));
  REQUIRE(first);
  const json envelope = first->facts["envelope"];
  REQUIRE(envelope.is_object());
  CHECK(envelope["taken_rentals"] == 1);
  CHECK(envelope["until"].get<std::string>().ends_with("Z"));
  const auto draw = [&] {
    auto id = stage.quote({{"interruptible", true}});
    REQUIRE(id);
    return stage.call("rent",
                      {{"quote_id", *id}, {"wait_seconds", 0}, {"envelope_id", envelope["envelope_id"]}});
  };
  auto second = draw();
  INFO((second ? second->summary : second.error().what));
  REQUIRE(second);
  CHECK(second->facts["envelope"]["taken_rentals"] == 2);
  auto third = draw();
  REQUIRE_FALSE(third);
  CHECK(third.error().code == Code::over_budget);
  CHECK(third.error().what.find("2 rentals") != std::string::npos);
  CHECK(third.error().next_step.find("ask the user") != std::string::npos);
  CHECK(stage.creates_sent() == 2);
}
