// Each layer that ends a rental dies, or the marketplace does, while an experiment runs that never ends: what
// the sandbox bills stays within the worst case that was shown at rent, to the second, and nothing alive is
// called gone.

#include "tests/support/catch.h"
#include "tests/support/kept_stage.h"
#include "tests/support/needs_machines.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

constexpr const char* kEndless =
    "mkdir -p results; echo 1 >results/part.txt; while true; do /bin/sleep 0.05; done";

/// One machine, rented and at work through a server of its own, with a keeper beside it.
class Deal {
 public:
  explicit Deal(KeptStage& stage) : stage_(stage) {
    // Its lease is what was shown; nothing renews it.
    stage.folder().write("project/CLAUDE.md",
                         "## Vast.ai\n- gpu: vast\n- max_budget: 5.00\n- auto_extend: false\n");
    server_ = stage.start({"-q", "serve"});
    const json offered =
        ask("provision",
            {{"task", "train a small model"}, {"vram_gib", 8}, {"hours", 0.2}, {"lease_hours", 0.5}});
    const json option = offered["options"][0];
    per_day_ = option["disk_usd_per_day_after_lease"];
    json rented = json::object();
    for (int turn = 0; turn < 60 && rented.value("outcome", "") != "ready"; ++turn)
      rented = ask("rent", {{"quote_id", option["quote_id"]}, {"wait_seconds", 45}});
    REQUIRE(rented.value("outcome", "") == "ready");
    id_ = rented["instance_id"];
    worst_ = rented["usd_worst_case"];
    CHECK(rented["usd_renewable_to"] == worst_);
    lease_end_ = *from_iso8601(rented["lease_ends_at"].get<std::string>());
    REQUIRE(ask("run", {{"instance_id", id_}, {"command", kEndless}, {"experiment", "endless"}}).is_object());
    REQUIRE(stage.keeper_comes());
  }

  void kill_server() {
    ::kill(server_->pid(), SIGKILL);
    server_->finish(5s);
  }
  void end_server() { CHECK(server_->finish(10s) == 0); }
  /// And no call of this story starts another.
  void kill_keeper() {
    ::kill(stage_.keeper(), SIGKILL);
    REQUIRE(within(5s, [&] { return stage_.keeper() == 0; }));
  }
  void kill_guard() {
    auto shell = stage_.house().connector().connect({{*rental().ssh}, rental().host_key}, {});
    REQUIRE(shell);
    auto killed = shell->shell->exec(
        "pkill -f '[s]h guard.sh'; sleep 1; pgrep -f '[s]h guard.sh' || echo dead", {}, {});
    REQUIRE(killed);
    CHECK(killed->out.find("dead") != std::string::npos);
  }

  Rental rental() {
    auto found = stage_.deps().ledger.rental_by_instance({id_.get<std::int64_t>()});
    REQUIRE(found);
    REQUIRE(*found);
    return **found;
  }
  json contract() {
    const json truth = stage_.state();
    for (const json& c : truth["contracts"])
      if (c["id"] == id_) return c;
    FAIL("the marketplace never had it");
    return {};
  }
  TimePoint lease_end() const { return lease_end_; }
  void wait_until(TimePoint when) { stage_.house().clock().sleep_until(when, {}); }

  /// The whole bill: within what was shown, and after the lease nothing but the disk at the price that was
  /// shown.
  void check_bill() {
    const json truth = stage_.state();
    const json c = contract();
    const double over = c["alive"] == true ? truth["now"].get<double>() : c["gone_at"].get<double>();
    const double days = std::max(0.0, over - to_unix_seconds(lease_end_)) / 86400;
    CAPTURE(worst_.dump(), per_day_, days, c["billed"].dump());
    CHECK(c["billed"]["total"].get<double>() <= worst_.get<double>() + per_day_ * days + 1e-9);
    CHECK(c["billed"]["total"].get<double>() > 0);
  }
  /// It no longer runs, whoever ended it.
  bool ended() {
    const json c = contract();
    return c["alive"] == false || c["intended_status"] == "stopped";
  }

 private:
  json ask(const std::string& tool, const json& arguments) {
    const json answer = stage_.ask(*server_, tool, arguments);
    INFO(tool << ": " << answer.dump());
    REQUIRE_FALSE(answer.value("isError", false));
    return answer["structuredContent"];
  }

  KeptStage& stage_;
  std::unique_ptr<Child> server_;
  json id_, worst_;
  double per_day_ = 0;
  TimePoint lease_end_{};
};

StageOptions kept() { return {.speed = 150, .keeper = true}; }

}  // namespace

SCENARIO("the assistant is gone: the keeper ends it at its lease, with its results at home") {
  NEEDS_MACHINES();
  KeptStage stage(kept());
  Deal deal(stage);
  deal.end_server();
  CHECK(within(90s, [&] { return deal.contract()["alive"] == false; }));
  deal.check_bill();
  CHECK(within(5s, [&] { return deal.rental().status == Status::destroyed; }));
  CHECK(std::filesystem::exists(stage.project() / "results" / "part.txt"));
}

SCENARIO("the server is killed: the same") {
  NEEDS_MACHINES();
  KeptStage stage(kept());
  Deal deal(stage);
  deal.kill_server();
  CHECK(within(90s, [&] { return deal.contract()["alive"] == false; }));
  deal.check_bill();
  CHECK(std::filesystem::exists(stage.project() / "results" / "part.txt"));
}

SCENARIO("the keeper is killed and nobody calls: the guard stops the machine") {
  NEEDS_MACHINES();
  KeptStage stage(kept());
  Deal deal(stage);
  deal.kill_keeper();
  deal.kill_server();  // its watch would start another keeper
  deal.wait_until(deal.lease_end() + 3min);
  CHECK(deal.ended());
  deal.check_bill();
  // A day later the disk is what was shown, per day, and nothing else.
  deal.wait_until(deal.lease_end() + 2h);
  CHECK(deal.contract()["alive"] == true);
  deal.check_bill();
}

SCENARIO("the guard is killed: the keeper stops the machine, rescues and ends it") {
  NEEDS_MACHINES();
  KeptStage stage(kept());
  Deal deal(stage);
  deal.kill_guard();
  CHECK(within(90s, [&] { return deal.contract()["alive"] == false; }));
  deal.check_bill();
  CHECK(std::filesystem::exists(stage.project() / "results" / "part.txt"));
}

SCENARIO("the marketplace takes no order for half an hour, just when the lease ends") {
  NEEDS_MACHINES();
  const bool alone = GENERATE(false, true);  // true: nothing of ours runs but the guard
  KeptStage stage(kept());
  Deal deal(stage);
  if (alone) {
    deal.kill_keeper();
    deal.kill_server();
  }
  deal.wait_until(deal.lease_end() - 1min);
  stage.fault({{"name", "api-down"}});
  deal.wait_until(deal.lease_end() + 29min);
  CHECK(deal.contract()["alive"] == true);       // nobody could end it
  CHECK(deal.rental().status == Status::ready);  // and nobody said so
  stage.no_fault("api-down");
  CHECK(within(30s, [&] { return deal.ended(); }));
  deal.check_bill();
}

SCENARIO("the listing lies while the lease ends: unknown is not gone, and the guard ends it all the same") {
  NEEDS_MACHINES();
  const json lie =
      GENERATE(json{{"name", "short-list"}, {"value", "0"}}, json{{"name", "paging-repeated-token"}},
               json{{"name", "deprecated"}, {"value", "/api/v1/instances/"}});
  CAPTURE(lie.dump());
  KeptStage stage(kept());
  Deal deal(stage);
  stage.fault(lie);
  deal.wait_until(deal.lease_end() + 3min);
  CHECK(deal.ended());
  CHECK(deal.rental().status != Status::destroyed);
  deal.check_bill();
  stage.no_fault(lie["name"]);
  CHECK(within(90s, [&] { return deal.contract()["alive"] == false; }));
  deal.check_bill();
  CHECK(std::filesystem::exists(stage.project() / "results" / "part.txt"));
}

SCENARIO("the machine's clock is a day off: the lease holds, with and without us") {
  NEEDS_MACHINES();
  const std::string skew = GENERATE("86400", "-86400");
  CAPTURE(skew);
  StageOptions options = kept();
  options.faults = {"clock-skew=" + skew};
  KeptStage stage(options);
  Deal deal(stage);
  deal.wait_until(deal.lease_end() - 3min);
  CHECK_FALSE(deal.ended());
  CHECK(within(90s, [&] { return deal.contract()["alive"] == false; }));
  deal.check_bill();
}
