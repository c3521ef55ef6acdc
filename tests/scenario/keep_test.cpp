// What one pass does while rentals run: renew, watch price, host and credit, notice what breaks, bring
// results home, name what is idle, and leave behind which layer reported when.

#include <filesystem>
#include <map>
#include <thread>

#include "core/files.h"
#include "core/text.h"
#include "fleet/layers.h"
#include "fleet/reach.h"
#include "fleet/reap.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;
namespace fs = std::filesystem;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr const char* kEndless =
    "mkdir -p results; echo 1 >results/part.txt; while true; do /bin/sleep 0.05; done";

bool mentions(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

void set_project(RentalStage& stage, const std::string& keys) {
  stage.folder().write("project/CLAUDE.md", "# Project\n\n## Vast.ai\n- gpu: vast\n" + keys);
}

/// A machine that is ready, with `command` running as exp01 where there is one.
json rent_and_run(RentalStage& stage, const std::string& quote, const std::string& command) {
  auto rented = stage.call_until("rent", {{"quote_id", quote}, {"wait_seconds", 600}}, "booting");
  INFO((rented ? rented->summary : rented.error().what));
  REQUIRE(rented);
  REQUIRE(rented->outcome == "ready");
  const json id = rented->facts["instance_id"];
  if (!command.empty())
    REQUIRE(stage.call("run", {{"instance_id", id}, {"command", command}, {"experiment", "exp01"}}));
  return id;
}
json rent_and_run(RentalStage& stage, const std::string& command) {
  auto quote = stage.quote();
  REQUIRE(quote);
  return rent_and_run(stage, *quote, command);
}

Rental rental_of(RentalStage& stage, const json& id) {
  auto rental = stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()});
  REQUIRE(rental);
  REQUIRE(*rental);
  return **rental;
}

/// The line about the only rental; what it says in words is in `words`.
PassLine pass(RentalStage& stage, std::string& words) {
  ReapRequest request;
  request.look_every = {};
  PassReport report = reap(stage.deps(), request, {});
  words = to_words(report);
  REQUIRE(report.ours.size() == 1);
  return report.ours.front();
}

std::vector<LedgerEvent> events_of(RentalStage& stage, const Rental& rental, const std::string& kind) {
  auto events = stage.deps().ledger.events(rental.label);
  REQUIRE(events);
  std::erase_if(*events, [&](const LedgerEvent& e) { return e.kind != kind; });
  return *events;
}

/// The lease as if most of it had passed.
void nearly_over(RentalStage& stage, const Rental& rental) {
  const Deps d = stage.deps();
  REQUIRE(d.ledger.shorten_lease(rental.label, d.clock.now() + minutes(13)));
}

json contract(RentalStage& stage) { return stage.state()["contracts"][0]; }

Result<ExecResult> on_machine(RentalStage& stage, const Rental& rental, const std::string& command) {
  auto shell = stage.house().connector().connect({{*rental.ssh}, rental.host_key}, {});
  REQUIRE(shell);
  return shell->shell->exec(command, {}, {});
}

}  // namespace

SCENARIO("a lease is renewed while its experiment lives, up to the budget that was shown and no further") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 60});
  auto options = stage.call("provision", {{"task", "train a small model"}, {"vram_gib", 8}, {"hours", 1}});
  REQUIRE(options);
  const json option = options->facts["options"][0];
  CHECK(option["usd_renewable_to"] == 5.0);
  CHECK(mentions(options->summary, "it may be renewed up to your max_budget of $5.00)"));
  const double worst = option["worst_case_usd"], price = option["usd_per_hour"];
  const double budget = std::stod(fixed(worst + 1.4 * price, 4));
  set_project(stage, "- max_budget: " + fixed(budget, 4) + "\n");
  const json id = rent_and_run(stage, option["quote_id"], kEndless);
  Rental rental = rental_of(stage, id);
  CHECK(rental.renew_to.value == Approx(budget));
  CHECK(rental.worst_case.value == Approx(worst));

  std::string words;
  pass(stage, words);
  INFO(words);
  CHECK(rental_of(stage, id).lease_end == rental.lease_end);  // not yet

  nearly_over(stage, rental);
  const TimePoint first_end = rental_of(stage, id).lease_end;
  std::string others;
  {
    const Deps d = stage.deps();
    ReapRequest at_once;
    at_once.look_every = {};
    const std::jthread beside([&] { others = to_words(reap(d, at_once, {})); });
    pass(stage, words);
  }
  INFO(words << others);
  CHECK(mentions(words + others, "lease renewed by 1.0 h"));  // by one of them
  rental = rental_of(stage, id);
  CHECK(rental.lease_end - first_end == minutes(60));
  CHECK(rental.worst_case.value == Approx(worst + rental.price.value));
  const auto renewals = events_of(stage, rental, "extend");
  REQUIRE(renewals.size() == 1);
  CHECK(renewals[0].detail["why"] == "renewed: its experiment runs on");

  nearly_over(stage, rental);
  pass(stage, words);
  INFO(words);
  CHECK(mentions(words, "lease renewed by"));
  rental = rental_of(stage, id);
  CHECK(rental.worst_case <= rental.renew_to);

  stage.house().clock().sleep_for(minutes(3), {});  // results come home every three minutes near the end
  nearly_over(stage, rental);
  const TimePoint last_end = rental_of(stage, id).lease_end;
  pass(stage, words);
  INFO(words);
  CHECK(mentions(words, "is not renewed: it can cost"));
  rental = rental_of(stage, id);
  CHECK(rental.lease_end == last_end);
  CHECK(rental.worst_case <= rental.renew_to);
  CHECK(fs::exists(stage.project() / "results" / "part.txt"));  // home before the end
  auto seen = stage.call("monitor", {{"instance_id", id}});
  REQUIRE(seen);
  CHECK(mentions(dump(seen->facts["warnings"]), "is not renewed"));
  // Its guard, which held other ends, was told.
  stage.house().clock().sleep_for(seconds(70), {});
  seen = stage.call("monitor", {{"instance_id", id}});
  REQUIRE(seen);
  CHECK(seen->facts["guard"]["lease_end_on_machine"] == to_iso8601(last_end));
}

SCENARIO("without a budget, or where somebody said no, nothing is renewed, and everybody is told") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 100});
  const std::string keys = GENERATE("", "- max_budget: 5.00\n- auto_extend: false\n");
  set_project(stage, keys);
  CAPTURE(keys);
  const json id = rent_and_run(stage, kEndless);
  Rental rental = rental_of(stage, id);
  CHECK(rental.renew_to == rental.worst_case);
  nearly_over(stage, rental);
  rental = rental_of(stage, id);
  std::string words;
  pass(stage, words);
  INFO(words);
  const std::string why = keys.empty() ? "no max_budget" : "auto_extend is false in the project";
  CHECK(mentions(words, "is not renewed: " + why));
  CHECK(rental_of(stage, id).lease_end == rental.lease_end);
  CHECK(events_of(stage, rental, "extend").empty());
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(mentions(dump(listed->facts["instances"][0]["warnings"]), why));
}

SCENARIO("a price that rises shortens the lease, and the bill stays below what was shown") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 100});
  auto quote = stage.quote({{"lease_hours", 1.25}});
  REQUIRE(quote);
  const json id = rent_and_run(stage, *quote, kEndless);
  const Rental before = rental_of(stage, id);
  std::string words;
  pass(stage, words);  // the old price was seen until now
  stage.fault({{"name", "repricing"}, {"value", "2"}, {"instance", id}});
  stage.admin("PUT", "/api/v0/instances/accept-price-increase/", {{"pending_price_increase_id", id}});
  pass(stage, words);
  INFO(words);
  CHECK(mentions(words, "its price rose from"));
  CHECK(mentions(words, "its lease was shortened"));
  const Rental rental = rental_of(stage, id);
  CHECK(rental.lease_end < before.lease_end);
  CHECK(rental.lease_end > stage.house().clock().now());
  REQUIRE(rental.seen_price);
  CHECK(rental.seen_price->value > before.price.value * 1.5);
  pass(stage, words);
  CHECK(events_of(stage, rental, "price").size() == 1);
  CHECK(events_of(stage, rental, "shorten").size() == 1);
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(mentions(dump(listed->facts["instances"][0]["warnings"]), "was rented at"));

  stage.house().clock().sleep_until(rental.lease_end + seconds(90), {});  // its guard ends it
  const json end = contract(stage);
  CHECK(end["intended_status"] == "stopped");
  CAPTURE(end["billed"], rental.worst_case.value);
  CHECK(end["billed"]["total"].get<double>() <= rental.worst_case.value);
}

SCENARIO("a price that leaves nothing of the lease: results come home and the machine ends at once") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 100});
  const json id = rent_and_run(stage, kEndless);
  const Rental rental = rental_of(stage, id);
  std::string words;
  pass(stage, words);
  stage.fault({{"name", "repricing"}, {"value", "35"}, {"instance", id}});
  stage.admin("PUT", "/api/v0/instances/accept-price-increase/", {{"pending_price_increase_id", id}});
  const PassLine line = pass(stage, words);
  INFO(words);
  CHECK(line.bill == PassLine::Bill::none);
  CHECK(mentions(words, "nothing sensible is left of its lease"));
  CHECK(fs::exists(stage.project() / "results" / "part.txt"));
  const json end = contract(stage);
  CHECK(end["alive"] == false);
  CAPTURE(end["billed"], rental.worst_case.value);
  CHECK(end["billed"]["total"].get<double>() <= rental.worst_case.value);
}

SCENARIO("a host that ends before the lease: the lease ends ten minutes earlier than that") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 100});
  const json id = rent_and_run(stage, kEndless);
  stage.fault({{"name", "end-date-soon"}, {"value", "2400"}, {"instance", id}});
  std::string words;
  pass(stage, words);
  INFO(words);
  CHECK(mentions(words, "the host takes it away at"));
  const Rental rental = rental_of(stage, id);
  auto row = stage.deps().market.instance(*rental.instance, {});
  REQUIRE(row);
  CHECK(std::chrono::abs(*(*row)->end_date - minutes(10) - rental.lease_end) < seconds(2));
  CHECK(mentions(words, to_iso8601(rental.lease_end)));
}

SCENARIO(
    "results come home while it runs, a finished experiment ends by a pass alone, and layers are on record") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 100});
  const json id = rent_and_run(
      stage, std::string("mkdir -p results; echo 1 >results/part.txt; while [ ! -e /workspace/go ]; do ") +
                 "/bin/sleep 0.05; done; echo 42 >results/answer.txt");
  const Rental rental = rental_of(stage, id);
  std::string words;
  pass(stage, words);
  CHECK_FALSE(fs::exists(stage.project() / "results" / "part.txt"));  // not due
  stage.house().clock().sleep_for(minutes(11), {});
  pass(stage, words);
  INFO(words);
  CHECK(mentions(words, "home so far"));
  CHECK(fs::exists(stage.project() / "results" / "part.txt"));
  CHECK(rental_of(stage, id).collected);
  CHECK(contract(stage)["alive"] == true);

  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  const json layers = listed->facts["instances"][0]["layers"];
  REQUIRE(layers.size() == 3);
  for (const json& layer : layers) {
    CAPTURE(layer);
    CHECK(layer["last_report"].is_string());
    CHECK(layer["alarm"].is_null());
  }
  CHECK(listed->facts["alarms"].empty());

  REQUIRE(on_machine(stage, rental, "pkill -f guard.sh; touch /workspace/go-not"));
  stage.house().clock().sleep_for(minutes(6), {});
  auto seen = stage.call("monitor", {{"instance_id", id}});
  REQUIRE(seen);
  INFO(seen->summary);
  CHECK(mentions(seen->summary, "ALARM: the guard on the machine is silent since"));
  CHECK(mentions(seen->summary, "hours 0"));
  CHECK(mentions(seen->summary, "ALARM: no keeper has reported for"));
  CHECK(mentions(seen->summary, "vast-gpu install keeper"));

  REQUIRE(on_machine(stage, rental, "touch /workspace/go"));
  stage.house().clock().sleep_for(seconds(30), {});
  const PassLine line = pass(stage, words);
  INFO(words);
  CHECK(line.bill == PassLine::Bill::none);
  REQUIRE(line.receipt);
  CHECK(line.receipt->complete);
  CHECK(read_file(stage.project() / "results" / "answer.txt", 100).value_or("") == "42\n");
  CHECK(contract(stage)["alive"] == false);
}

SCENARIO("a machine on which nothing happens is named with what it costs; a file that moves clears it") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 150});
  const json id = rent_and_run(stage, "");
  const Rental rental = rental_of(stage, id);
  std::string words;
  pass(stage, words);
  CHECK_FALSE(rental_of(stage, id).idle_since);  // the first look has nothing to compare with
  stage.house().clock().sleep_for(minutes(1), {});
  pass(stage, words);
  REQUIRE(rental_of(stage, id).idle_since);
  CHECK_FALSE(mentions(words, "runs away"));
  stage.house().clock().sleep_for(minutes(21), {});
  pass(stage, words);
  INFO(words);
  CHECK(mentions(words, "WARNING: nothing has happened on it for"));
  CHECK(mentions(words, money(rental.price)));
  CHECK(rental_of(stage, id).lease_end == rental.lease_end);
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(mentions(dump(listed->facts["instances"][0]["warnings"]), "runs away"));
  auto seen = stage.call("monitor", {{"instance_id", id}});
  REQUIRE(seen);
  CHECK(mentions(dump(seen->facts["warnings"]), "runs away"));

  REQUIRE(on_machine(stage, rental, "echo hello >/workspace/project/notes.txt"));
  pass(stage, words);
  CHECK_FALSE(rental_of(stage, id).idle_since);
}

SCENARIO("credit that does not last another hour is said aloud, and results come home at once") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 60});
  const json id = rent_and_run(stage, kEndless);
  const Rental rental = rental_of(stage, id);
  std::string words;
  pass(stage, words);
  CHECK_FALSE(mentions(words, "CREDIT"));
  stage.house().clock().sleep_for(minutes(4), {});
  stage.admin("POST", "/admin/credit", {{"credit", rental.price.value * 0.9}});
  pass(stage, words);
  INFO(words);
  CHECK(mentions(words, "WARNING: CREDIT IS RUNNING OUT"));
  CHECK(fs::exists(stage.project() / "results" / "part.txt"));
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(mentions(listed->summary, "CREDIT IS RUNNING OUT"));
  pass(stage, words);
  auto noted = stage.deps().ledger.events_of_kind(kCreditEvent, TimePoint{});
  REQUIRE(noted);
  CHECK(noted->size() == 1);
  stage.admin("POST", "/admin/credit", {{"credit", 25}});
  pass(stage, words);
  CHECK_FALSE(mentions(words, "CREDIT"));
  listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK_FALSE(mentions(listed->summary, "CREDIT"));
}

SCENARIO("a machine that exits, freezes, goes offline and comes back is written down once for each change") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 60});
  const json id = rent_and_run(stage, "");
  const Rental rental = rental_of(stage, id);
  std::string words;
  const auto host_says = [&](const char* status) {
    stage.admin("POST", "/admin/instance/" + id.dump(), {{"actual_status", status}});
    pass(stage, words);
    pass(stage, words);
  };
  host_says("exited");
  CHECK(mentions(words, "exited by itself; its disk bills"));
  CHECK(rental_of(stage, id).status == Status::stopped);
  CHECK(mentions(rental_of(stage, id).note, "exited since"));

  stage.admin("POST", "/admin/instance/" + id.dump(), {{"actual_status", "running"}});
  pass(stage, words);
  CAPTURE(words);
  CHECK(mentions(words, "runs again; its guard was told the lease"));
  CHECK(rental_of(stage, id).status == Status::ready);
  CHECK(rental_of(stage, id).note.empty());

  host_says("frozen");
  CHECK(mentions(words, "WARNING: frozen, for"));
  host_says("running");
  CHECK_FALSE(mentions(words, "frozen"));

  stage.fault({{"name", "offline"}, {"value", "0:0"}, {"instance", id}});
  stage.house().clock().sleep_for(seconds(20), {});
  pass(stage, words);
  pass(stage, words);
  CHECK(mentions(words, "WARNING: offline, for"));
  CHECK(mentions(rental_of(stage, id).note, "offline since"));
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(mentions(dump(listed->facts["instances"][0]["warnings"]), "offline"));

  std::vector<std::string> states;
  for (const LedgerEvent& e : events_of(stage, rental, "seen")) states.push_back(e.detail["state"]);
  CHECK(states == std::vector<std::string>{"exited", "running", "frozen", "running", "offline"});
}

SCENARIO("a machine that vanished is written down with what it cost and what was lost") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 100});
  const json id = rent_and_run(stage, kEndless);
  stage.admin("DELETE", "/api/v0/instances/" + id.dump() + "/");
  stage.house().clock().sleep_for(seconds(60), {});
  std::string words;
  const PassLine line = pass(stage, words);
  INFO(words);
  CHECK(line.bill == PassLine::Bill::none);
  CHECK(line.lost == "results and logs of exp01");
  REQUIRE(line.cost);
  CHECK(line.cost->ours.ours > Usd{0});
  CHECK(rental_of(stage, id).status == Status::destroyed);
}

SCENARIO("a machine whose SSH stops answering is named with how long, and with nothing else") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 60});
  const json id = rent_and_run(stage, kEndless);
  const Rental rental = rental_of(stage, id);
  stage.fault({{"name", "ssh-denied"}, {"instance", id}});
  {
    auto shell = reach(stage.deps(), rental, {});
    REQUIRE(shell);
    CHECK_FALSE((*shell)->exec("kill -9 $PPID", {}, {}));  // the open connection ends as well
  }
  std::string words;
  pass(stage, words);
  INFO(words);
  CHECK(mentions(words, "cannot be reached by SSH"));
  CHECK(mentions(words, "bills"));
  pass(stage, words);
  const auto seen = events_of(stage, rental, "seen");
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].detail["state"] == "unreachable");
}

SCENARIO("a pass soon after another one looks into nothing, and asks the marketplace twice") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 40});
  const json id = rent_and_run(stage, kEndless);
  const Rental rental = rental_of(stage, id);
  const Deps d = stage.deps();
  (void)reap(d, {}, {});
  const auto looked = [&] {
    auto layers = d.ledger.layers(rental.label);
    REQUIRE(layers);
    return last_report(*layers, kLookMark);
  };
  const auto requests = [&] {
    const json routes = stage.state()["requests"];
    std::map<std::string, int> sent;
    for (const auto& [route, count] : routes.items())
      if (route.find("/admin/") == std::string::npos) sent[route] = count.get<int>();
    return sent;
  };
  const auto first = looked();
  REQUIRE(first);
  auto before = requests();
  const std::string words = to_words(reap(d, {}, {}));
  const auto after = requests();
  INFO(words);
  CHECK(mentions(words, "exp01 is running"));
  if (d.clock.now() - *first < minutes(2)) CHECK(looked() == first);
  int sent = 0;
  for (const auto& [route, count] : after) sent += count - before[route];
  CHECK(sent == 2);  // the list and the credit
}

SCENARIO("a machine that loads and is never started is started by a pass") {
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"parked"}, .machines = false});
  auto quote = stage.quote();
  REQUIRE(quote);
  auto rented = stage.call("rent", {{"quote_id", *quote}, {"wait_seconds", 0}});
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  while (contract(stage)["actual_status"] != "created" || contract(stage)["intended_status"] != "stopped")
    stage.house().clock().sleep_for(seconds(20), {});
  std::string words;
  pass(stage, words);
  INFO(words);
  CHECK(mentions(words, "was parked and was started (1 of 3)"));
  CHECK(events_of(stage, rental_of(stage, id), "start").size() == 1);
  while (contract(stage)["actual_status"] != "running") stage.house().clock().sleep_for(seconds(20), {});
  pass(stage, words);
  CHECK(events_of(stage, rental_of(stage, id), "start").size() == 1);
}
