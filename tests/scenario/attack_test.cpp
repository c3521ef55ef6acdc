// Attempts to lose money or data, or to be told something untrue: by a second call at the wrong moment, by a
// crash between two steps, by a machine that lies, by a name that looks like another. Each of them once
// worked.

#include "core/files.h"
#include "core/text.h"
#include "fleet/jobs.h"
#include "fleet/options.h"
#include "fleet/reach.h"
#include "fleet/reconcile.h"
#include "fleet/record.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

std::string shown(const Result<Envelope>& answer) {
  return answer ? answer->outcome + ": " + answer->summary : answer.error().what;
}

/// The rental that this stage rented last.
Rental newest(RentalStage& stage) {
  auto rentals = stage.deps().ledger.rentals(false);
  REQUIRE(rentals);
  REQUIRE_FALSE(rentals->empty());
  return rentals->front();
}

/// A quote that would go on to another machine by itself.
std::optional<std::string> quote_with_stand_ins(RentalStage& stage) {
  auto options = stage.call("provision", {{"vram_gib", 8}, {"hours", 1}});
  REQUIRE(options);
  for (const json& o : options->facts["options"])
    if (o["stand_ins"] > 0) return o["quote_id"].get<std::string>();
  return std::nullopt;
}

/// By hand on the machine.
std::string on_machine(RentalStage& stage, const std::string& command) {
  const Deps d = stage.deps();
  auto shell = reach(d, newest(stage), {});
  REQUIRE(shell);
  auto done = (*shell)->exec(command, {}, {});
  REQUIRE(done);
  return done->out;
}

/// The real marketplace with something that happens elsewhere while a list is on its way.
class Meanwhile : public Market {
 public:
  Meanwhile(Market& market, std::function<void()> happens) : market_(market), happens_(std::move(happens)) {}
  Result<InstanceList> instances(std::stop_token stop) override {
    auto list = market_.instances(std::move(stop));
    happens_();
    return list;
  }
  Result<std::vector<Offer>> search(const OfferQuery& q, std::stop_token s) override {
    return market_.search(q, std::move(s));
  }
  Result<RentAnswer> rent(const RentRequest& r, std::stop_token s) override {
    return market_.rent(r, std::move(s));
  }
  Result<std::optional<Instance>> instance(InstanceId i, std::stop_token s) override {
    return market_.instance(i, std::move(s));
  }
  Result<void> destroy(InstanceId i, std::stop_token s) override { return market_.destroy(i, std::move(s)); }
  Result<void> stop_instance(InstanceId i, std::stop_token s) override {
    return market_.stop_instance(i, std::move(s));
  }
  Result<void> start_instance(InstanceId i, std::stop_token s) override {
    return market_.start_instance(i, std::move(s));
  }
  Result<void> set_label(InstanceId i, const std::string& l, std::stop_token s) override {
    return market_.set_label(i, l, std::move(s));
  }
  Result<void> change_bid(InstanceId i, UsdPerHour b, std::stop_token s) override {
    return market_.change_bid(i, b, std::move(s));
  }
  Result<std::vector<SshKey>> account_keys(std::stop_token s) override {
    return market_.account_keys(std::move(s));
  }
  Result<void> add_account_key(const std::string& k, std::stop_token s) override {
    return market_.add_account_key(k, std::move(s));
  }
  Result<void> attach_key(InstanceId i, const std::string& k, std::stop_token s) override {
    return market_.attach_key(i, k, std::move(s));
  }
  Result<std::string> logs(InstanceId i, int tail, std::stop_token s) override {
    return market_.logs(i, tail, std::move(s));
  }
  Result<Account> account(std::stop_token s) override { return market_.account(std::move(s)); }
  Result<std::vector<Charge>> charges(TimePoint from, TimePoint to, std::stop_token s) override {
    return market_.charges(from, to, std::move(s));
  }

 private:
  Market& market_;
  std::function<void()> happens_;
};

}  // namespace

// ---- money
// -------------------------------------------------------------------------------------------------

SCENARIO("a machine destroyed while rent still waits for it: no other one is rented in its place") {
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .machines = false});
  const auto id = quote_with_stand_ins(stage);
  REQUIRE(id);
  REQUIRE(stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 0}}));  // booting
  const InstanceId instance = *newest(stage).instance;
  Result<Envelope> waited = fail({});
  {
    std::jthread waiting([&] { waited = stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 600}}); });
    auto ended = stage.call_until(
        "destroy", {{"instance_id", instance}, {"discard_results", true}, {"wait_seconds", 300}},
        "destroying");
    INFO(shown(ended));
    CHECK((ended && ended->outcome == "destroyed"));
  }
  CAPTURE(shown(waited));
  CHECK(stage.creates_sent() == 1);
  CHECK(stage.state()["live_contracts"] == 0);
  auto again = stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 0}});
  REQUIRE_FALSE(again);  // the quote was for that machine; another one needs another yes
  CHECK(again.error().code == Code::wrong_state);
  CHECK(stage.creates_sent() == 1);
}

SCENARIO("a call that ended between two stand-ins left a quote behind: the next call goes on with it") {
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"offer-gone=410"}, .machines = false});
  const auto id = quote_with_stand_ins(stage);
  REQUIRE(id);
  const Deps d = stage.deps();
  auto first = d.ledger.quote(*id);
  REQUIRE((first && *first));
  const auto facts = parse_json((*first)->facts, "facts");
  REQUIRE(facts);
  REQUIRE_FALSE((*facts)["alternates"].empty());
  Quote second = **first;  // as next_quote writes it
  second.id += ".2";
  const json& other = (*facts)["alternates"][0];
  second.offer = {other["offer_id"].get<std::int64_t>()};
  second.machine = {other["machine_id"].get<std::int64_t>()};
  second.gpu_name = other["gpu"];
  second.price = {other["usd_per_hour"].get<double>()};
  REQUIRE(d.ledger.add_quote(second));
  auto rented = stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 0}});
  INFO(shown(rented));
  REQUIRE(rented);
  CHECK(newest(stage).quote_id == second.id);

  // list and monitor name that attempt; going on with it is going on with the same rental and the same
  // stand-ins.
  auto again = stage.call("rent", {{"quote_id", second.id}, {"wait_seconds", 0}});
  INFO(shown(again));
  REQUIRE(again);
  CHECK(again->facts["label"] == newest(stage).label);
  CHECK(stage.state()["live_contracts"] == 1);
  auto held =
      FileLock::acquire(d.settings.state_folder / "locks", "quote-" + *id, d.clock, d.clock.now(), {});
  REQUIRE(held);
  CHECK_FALSE(
      stage.call("rent", {{"quote_id", second.id}, {"wait_seconds", 0}}));  // one lock for all attempts
}

SCENARIO("a faster stand-in is priced for the lease that was shown, not for its own shorter one") {
  const auto candidate = [](std::int64_t id, const char* gpu, double price, double work) {
    Candidate c;
    c.offer.id = {id};
    c.offer.machine = {id};
    c.offer.gpu_name = gpu;
    c.offer.price = {price};
    c.work = Hours(work);
    c.lease = lease_for(c.work);
    c.estimate = cost_of(c.offer, *c.work, {});
    c.worst = cost_of(c.offer, c.lease, {});
    return c;
  };
  const std::vector<Candidate> all{candidate(1, "RTX 3090", 0.20, 20), candidate(2, "H100 SXM", 1.00, 3)};
  const auto options = choose_three(all);
  REQUIRE(options.size() == 2);
  for (const Option& o : options)
    for (const Candidate& a : o.alternates)
      CHECK((a.offer.price * o.chosen.lease).value <= o.worst_case.value);
}

SCENARIO("the budget that counts is that of the quote's own project") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  auto id = stage.quote();
  REQUIRE(id);
  stage.folder().write("project/CLAUDE.md", "## Vast.ai\n- gpu: vast\n- max_budget: 0.01\n");
  stage.folder().write("elsewhere/CLAUDE.md", "no limits here\n");
  auto rented = stage.call(
      "rent",
      {{"quote_id", *id}, {"project", (stage.folder().path() / "elsewhere").string()}, {"wait_seconds", 0}});
  INFO(shown(rented));
  REQUIRE_FALSE(rented);
  CHECK(rented.error().code == Code::over_budget);
  CHECK(stage.creates_sent() == 0);
}

SCENARIO("an offer asked for by id twice is one rental") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  const json offers = stage.admin("POST", "/api/v0/bundles/",
                                  {{"limit", 1},
                                   {"num_gpus", {{"eq", 1}}},
                                   {"rentable", {{"eq", true}}},
                                   {"order", json::array({json::array({"dph_total", "asc"})})}});
  const json ask = offers["offers"][0]["id"];
  const json wanted{{"offer_id", ask}, {"lease_hours", 1}, {"wait_seconds", 0}};
  auto one = stage.call("rent", wanted);
  INFO(shown(one));
  REQUIRE(one);
  auto two = stage.call("rent", wanted);  // the first answer was lost on its way to the client
  INFO(shown(two));
  REQUIRE(two);
  CHECK(two->facts["label"] == one->facts["label"]);
  CHECK(stage.creates_sent() == 1);
}

SCENARIO("the answer to a create arrives while another call gives the intent up") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  const Deps real = stage.deps();
  Rental r;
  r.label = new_label(stage.project());
  r.project = stage.project().string();
  r.created = real.clock.now() - std::chrono::minutes(6);
  r.lease_end = real.clock.now() + std::chrono::hours(1);
  REQUIRE(real.ledger.open_intent(r, {}));
  Meanwhile market(real.market, [&] {
    Rental theirs = r;
    theirs.instance = InstanceId{4711};
    theirs.status = Status::booting;
    REQUIRE(real.ledger.update_rental(theirs));
  });
  const Deps d{market, real.ssh, real.ledger, real.clock, real.settings};
  auto seen = reconcile(d, {});
  REQUIRE(seen);
  auto now = real.ledger.rental_by_label(r.label);
  REQUIRE((now && *now));
  CHECK((*now)->status == Status::booting);  // it bills: it must not leave the budget as "refused"
  CHECK(seen->vanished.empty());
}

SCENARIO("a new contract that no list shows yet is not 'nothing', and destroy-all ends it") {
  RentalStage stage(VASTGPU_BINARY, {.speed = 100, .faults = {"not-visible=400"}, .machines = false});
  auto id = stage.quote();
  REQUIRE(id);
  auto rented = stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 0}});
  INFO(shown(rented));
  REQUIRE(rented);
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  CHECK(listed->outcome == "listed");
  CHECK_FALSE(mentions(listed->summary, "nothing bills"));
  auto ended = stage.call("destroy-all", {{"discard_results", true}, {"wait_seconds", 300}});
  INFO(shown(ended));
  REQUIRE(ended);
  CHECK(ended->outcome == "destroyed");
  stage.house().clock().sleep_for(std::chrono::seconds(20), {});
  CHECK(stage.state()["live_contracts"] == 0);
}

SCENARIO("a second contract under one label is named by its own id") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  auto id = stage.quote();
  REQUIRE(id);
  REQUIRE(stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 0}}));
  stage.house().clock().sleep_for(std::chrono::seconds(15), {});  // the account's limit
  const json offers = stage.admin("POST", "/api/v0/bundles/", {{"limit", 1}, {"rentable", {{"eq", true}}}});
  const json twin = stage.admin(
      "PUT", "/api/v0/asks/" + std::to_string(offers["offers"][0]["id"].get<std::int64_t>()) + "/",
      {{"image", "ubuntu:22.04"}, {"disk", 10}, {"label", newest(stage).label}});
  stage.house().clock().sleep_for(std::chrono::seconds(10), {});
  auto listed = stage.call("list", json::object());
  REQUIRE(listed);
  bool named = false;
  for (const json& row : listed->facts["instances"])
    named |= row["instance_id"] == twin["new_contract"] && row["kind"] == "orphan";
  CHECK(named);
}

SCENARIO("gone is read again: a destroyed contract that came back is not called gone") {
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"destroy-resurrects=60"}, .machines = false});
  auto id = stage.quote();
  REQUIRE(id);
  REQUIRE(stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 0}}));
  const json end{{"instance_id", *newest(stage).instance}, {"discard_results", true}, {"wait_seconds", 300}};
  auto once = stage.call_until("destroy", end, "destroying");
  REQUIRE(once);
  stage.house().clock().sleep_for(std::chrono::seconds(120), {});
  if (stage.state()["live_contracts"] == 0) return;  // it came back while we still looked
  auto twice = stage.call_until("destroy", end, "destroying");
  REQUIRE(twice);
  CHECK(stage.state()["live_contracts"] == 0);
}

SCENARIO("a machine whose clock is hours off ends when its lease ends, not before and not after") {
  NEEDS_MACHINES()
  const std::string skew = GENERATE("7200", "-7200");
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"clock-skew=" + skew}});
  auto rented = stage.rent({{"lease_hours", 0.5}});
  INFO(skew << ": " << shown(rented));
  REQUIRE(rented);
  stage.house().clock().sleep_for(std::chrono::minutes(8), {});
  auto seen = stage.call("monitor", {{"instance_id", rented->facts["instance_id"]}});
  INFO(shown(seen));
  REQUIRE(seen);
  CHECK(seen->facts["guard"]["armed"] == true);
  CHECK(stage.state()["contracts"][0]["intended_status"] == "running");
  const Rental r = newest(stage);
  stage.house().clock().sleep_for(r.lease_end + std::chrono::minutes(3) - stage.house().clock().now(), {});
  CHECK(stage.state()["contracts"][0]["intended_status"] == "stopped");
}

// ---- results
// -----------------------------------------------------------------------------------------------

SCENARIO("many ways to lose an experiment on one machine") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 300});
  stage.folder().write("project/.mcp.json",
                       R"({"mcpServers":{"x":{"env":{"VAST_API_KEY":"secret-of-mine"}}}})");
  auto rented = stage.rent({{"lease_hours", 12}});
  INFO(shown(rented));
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  const auto run = [&](const std::string& experiment, const std::string& command) {
    auto started = stage.call("run", {{"instance_id", id}, {"experiment", experiment}, {"command", command}});
    INFO(experiment << ": " << shown(started));
    REQUIRE(started);
  };
  const auto job = [&](const std::string& experiment, double wait = 0) {
    auto seen =
        stage.call("monitor", {{"instance_id", id}, {"experiment", experiment}, {"wait_seconds", wait}});
    REQUIRE(seen);
    for (const json& j : seen->facts["jobs"])
      if (j["experiment"] == experiment) return j;
    FAIL("no job " << experiment);
    return json();
  };

  // Keys that a project holds stay at home.
  REQUIRE(stage.call_until("setup", {{"instance_id", id}, {"wait_seconds", 600}}, "installing"));
  CHECK(on_machine(stage, "grep -rl secret-of-mine /workspace 2>/dev/null").empty());

  // A command that does not parse, or ends its shell, has an exit code and says why.
  run("quote", "echo 'never closed");
  run("leave", "echo \"Ünï 'q' \\\"d\\\" $((1+1))\"; exit 3");
  CHECK(job("quote", 600)["state"] == "failed");
  CHECK(mentions(job("quote")["log_tail"], "unexpected EOF"));
  CHECK(job("leave")["exit_code"] == 3);
  CHECK(job("leave")["log_tail"] == "Ünï 'q' \"d\" 2");

  // A name that is the start of another, and one whose dot looks like any letter.
  run("exp10", "while true; do /bin/sleep 0.1; done");
  run("exp1", "while true; do /bin/sleep 0.1; done");
  run("axb", "while true; do /bin/sleep 0.1; done");
  run("a.b", "while true; do /bin/sleep 0.1; done");
  {
    const Deps d = stage.deps();
    auto shell = reach(d, newest(stage), {});
    REQUIRE(shell);
    CHECK(stop_job(**shell, "exp1", {}));
    CHECK(stop_job(**shell, "a.b", {}));
  }
  CHECK(job("exp10")["state"] == "running");
  CHECK(job("axb")["state"] == "running");
  run("a.b", "true");  // and it starts although axb runs
  CHECK(job("a.b", 0)["command"] == "true");

  // A log that imitates our marks cannot end somebody else's experiment.
  run("liar",
      "printf '\\n@@vast-gpu job exp10\\nexit=0 beat=1 ended=1 size=1\\n@@vast-gpu job axb\\nexit=0\\n'");
  CHECK(job("exp10")["state"] == "running");
  CHECK(job("axb")["state"] == "running");

  // A run whose answer was lost, called again after the job was over: it ran once.
  run("once", "echo ran >>results/once.txt");
  CHECK(job("once", 0)["state"] != "lost");
  for (int look = 0; look < 100 && on_machine(stage, "cat /workspace/.vast-gpu/jobs/once/exit") != "0\n";
       ++look)
    stage.house().clock().sleep_for(std::chrono::seconds(5), {});
  {
    auto jobs = stage.deps().ledger.jobs(newest(stage).label);
    REQUIRE(jobs);
    Job lost = *std::ranges::find(*jobs, "once", &Job::experiment);
    lost.state = JobState::starting;
    lost.answered = false;  // nor was its end seen
    REQUIRE(stage.deps().ledger.put_job(lost));
  }
  run("once", "echo ran >>results/once.txt");
  stage.house().clock().sleep_for(std::chrono::seconds(30), {});
  CHECK(on_machine(stage, "cat /workspace/project/results/once.txt") == "ran\n");

  // An experiment whose bookkeeping went away with its screen is lost, not running for ever.
  on_machine(stage,
             "pid=$(cat /workspace/.vast-gpu/jobs/exp10/pid); kill -9 $pid; rm -rf "
             "/workspace/.vast-gpu/jobs/exp10; screen -wipe");
  stage.house().clock().sleep_for(std::chrono::minutes(5), {});
  CHECK(job("exp10")["state"] == "lost");

  // What another tool runs counts, too.
  {
    const Deps d = stage.deps();
    auto shell = reach(d, newest(stage), {});
    REQUIRE(shell);
    REQUIRE(stop_job(**shell, "axb", {}));
    REQUIRE((*shell)->exec("screen -dmS theirs bash -c 'while true; do /bin/sleep 0.1; done'", {}, {}));
  }
  auto refused = stage.call("destroy", {{"instance_id", id}});
  REQUIRE_FALSE(refused);
  CHECK(mentions(refused.error().what, "theirs"));
  auto ended = stage.call_until(
      "destroy", {{"instance_id", id}, {"stop_running", true}, {"wait_seconds", 600}}, "destroying");
  INFO(shown(ended));
  REQUIRE(ended);
  CHECK(fs::exists(stage.project() / "results" / "once.txt"));
}

SCENARIO("the lease ended and nobody looked: destroy and extend see it by themselves") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 300});
  auto rented = stage.rent();
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  on_machine(stage, "echo precious >/workspace/project/results/kept.txt");
  stage.admin("PUT", "/api/v0/instances/" + id.dump() + "/", {{"state", "stopped"}});
  stage.house().clock().sleep_for(std::chrono::seconds(20), {});
  auto refused = stage.call("destroy", {{"instance_id", id}});
  REQUIRE_FALSE(refused);
  CHECK(mentions(refused.error().next_step, "extend"));
  auto again = stage.call("rent", {{"quote_id", newest(stage).quote_id}, {"wait_seconds", 0}});
  REQUIRE(again);
  for (const NextCall& call : again->next) CHECK(call.tool != "destroy");  // its disk may hold results
  auto started =
      stage.call_until("extend", {{"instance_id", id}, {"hours", 0.5}, {"wait_seconds", 600}}, "starting");
  INFO(shown(started));
  REQUIRE(started);
  CHECK(started->outcome == "extended");

  // Believed gone by mistake, with results on it: they are brought home before it really goes.
  const Deps d = stage.deps();
  Rental r = newest(stage);
  REQUIRE(advance(d, r, Event::seen_gone, [&](Rental& now) { now.ended = d.clock.now(); }));
  d.clock.sleep_for(std::chrono::seconds(5), {});
  auto ended = stage.call_until("destroy", {{"instance_id", id}, {"wait_seconds", 600}}, "destroying");
  INFO(shown(ended));
  REQUIRE(ended);
  CHECK(fs::exists(stage.project() / "results" / "kept.txt"));
  CHECK(stage.state()["live_contracts"] == 0);
}

SCENARIO("nothing new starts on a machine that is being destroyed, and giving results up waits for nobody") {
  NEEDS_MACHINES()
  RentalStage stage(VASTGPU_BINARY, {.speed = 300, .faults = {"destroy-lag=600"}});
  auto rented = stage.rent();
  REQUIRE(rented);
  const json id = rented->facts["instance_id"];
  const Deps d = stage.deps();
  auto held = lock_rental(d, newest(stage).label, {{}, d.clock.now()});  // as a long transfer holds it
  REQUIRE(held);
  auto ending = stage.call("destroy", {{"instance_id", id}, {"discard_results", true}, {"wait_seconds", 5}});
  INFO(shown(ending));
  REQUIRE(ending);
  CHECK(ending->outcome == "destroying");
  held = fail({});
  auto run = stage.call("run", {{"instance_id", id}, {"experiment", "late"}, {"command", "true"}});
  REQUIRE_FALSE(run);
  CHECK(run.error().code == Code::wrong_state);
  // A call that had read the rental before cannot make it ready again.
  Rental r = newest(stage);
  CHECK_FALSE(advance(d, r, Event::checked));
  CHECK(newest(stage).status == Status::destroying);
  auto gone = stage.call_until("destroy", {{"instance_id", id}, {"wait_seconds", 600}}, "destroying");
  REQUIRE(gone);
  CHECK(mentions(gone->summary, "discarded"));  // by the earlier call; not "it held no results"
}
