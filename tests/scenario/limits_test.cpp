// The limits of settings.json against the sandbox: what is refused, what the refusal says, and how it is
// lifted.

#include "core/files.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/rental_stage.h"

using namespace vastgpu;

namespace {

bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

/// A simulated day must not end while a story counts what was rented in it.
void avoid_midnight(RentalStage& stage) {
  Clock& clock = stage.house().clock();
  const auto tomorrow = std::chrono::ceil<std::chrono::days>(clock.now());
  if (tomorrow - clock.now() < std::chrono::hours(1)) clock.sleep_until(tomorrow, {});
}

void set_limits(RentalStage& stage, const std::string& content) {
  stage.folder().write("state/settings.json", content);
}

Result<Envelope> rent_one(RentalStage& stage) {
  auto id = stage.quote({{"hours", 4}});
  REQUIRE(id);
  return stage.call("rent", {{"quote_id", *id}, {"wait_seconds", 0}});
}

/// Not the creates sent: one that the marketplace turned away for its pace is sent again.
std::size_t contracts(RentalStage& stage) { return stage.state()["contracts"].size(); }

double worst_case(const Result<Envelope>& rented) { return rented->facts["usd_worst_case"].get<double>(); }

}  // namespace

SCENARIO(
    "the third rental of a day is refused, says how to raise the limit, and a raised one needs no restart") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  avoid_midnight(stage);
  auto first = rent_one(stage);
  REQUIRE(first);
  const double worst = worst_case(first);
  set_limits(stage, text("{\"max_usd_per_day\": ", fixed(2.4 * worst, 4), "}"));
  auto second = rent_one(stage);
  INFO((second ? second->summary : second.error().what));
  REQUIRE(second);
  auto third = rent_one(stage);
  REQUIRE_FALSE(third);
  CAPTURE(third.error().what, third.error().next_step);
  CHECK(third.error().code == Code::over_budget);
  CHECK(third.error().effect == Effect::none);
  CHECK(mentions(third.error().what, "a day"));
  CHECK(mentions(third.error().next_step, "raise max_usd_per_day in "));
  CHECK(mentions(third.error().next_step, (stage.folder().path() / "state" / "settings.json").string()));
  CHECK(contracts(stage) == 2);

  auto longer = stage.call(
      "extend", {{"instance_id", second->facts["instance_id"]}, {"hours", 300}, {"wait_seconds", 0}});
  REQUIRE_FALSE(longer);  // the other way to spend more
  CHECK((longer.error().code == Code::over_budget || longer.error().code == Code::wrong_state));

  set_limits(stage, text("{\"max_usd_per_day\": ", fixed(4 * worst, 4), "}"));
  third = rent_one(stage);
  INFO((third ? third->summary : third.error().what));
  REQUIRE(third);
  CHECK(contracts(stage) == 3);
}

SCENARIO("a settings file with a mistake stops spending, and nothing else") {
  const std::string content = GENERATE("{\"max_usd_per_dya\": 5}", "{\"max_usd_per_day\": -5}", "not json");
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  auto first = rent_one(stage);
  REQUIRE(first);
  set_limits(stage, content);
  CAPTURE(content);
  auto shown = stage.call("provision", {{"task", "train"}, {"vram_gib", 8}, {"hours", 1}});
  REQUIRE(shown);  // prices may be looked at, and the mistake is told at once
  CHECK(mentions(shown->details, "rent will refuse: nothing was spent: "));
  auto rented = rent_one(stage);
  REQUIRE_FALSE(rented);
  CHECK(rented.error().code == Code::invalid_argument);
  CHECK(mentions(rented.error().what, "settings.json"));
  auto longer =
      stage.call("extend", {{"instance_id", first->facts["instance_id"]}, {"hours", 1}, {"wait_seconds", 0}});
  REQUIRE_FALSE(longer);
  CHECK(longer.error().code == Code::invalid_argument);
  CHECK(contracts(stage) == 1);
  CHECK(stage.call("list", json::object()));
  auto ended = stage.call(
      "destroy",
      {{"instance_id", first->facts["instance_id"]}, {"discard_results", true}, {"wait_seconds", 600}});
  REQUIRE(ended);
  CHECK(stage.state()["live_contracts"] == 0);
}

SCENARIO("where nobody set a limit the default holds, and the file lifts it") {
  RentalStage stage(VASTGPU_BINARY, {.credit = 5000, .machines = false});
  stage.folder().write("project/CLAUDE.md", "# Project\n\n## Vast.ai\n- gpu: vast\n");
  avoid_midnight(stage);
  auto shown =
      stage.call("provision", {{"task", "train"}, {"vram_gib", 8}, {"hours", 250}, {"lease_hours", 300}});
  REQUIRE(shown);
  REQUIRE_FALSE(shown->facts["options"].empty());
  CAPTURE(shown->details);
  CHECK(mentions(shown->details, "over the default limit of $10.00"));
  json wanted{{"quote_id", shown->facts["options"].back()["quote_id"]}, {"wait_seconds", 0}};
  auto refused = stage.call("rent", wanted);
  REQUIRE_FALSE(refused);
  CAPTURE(refused.error().what, refused.error().next_step);
  CHECK(refused.error().code == Code::over_budget);
  CHECK(mentions(refused.error().what, "$10.00 a rental (the default"));
  CHECK(mentions(refused.error().next_step, "set max_usd_per_rental"));
  wanted["max_usd"] = 4000;  // it says what this rental may cost, not what a day may
  refused = stage.call("rent", wanted);
  REQUIRE_FALSE(refused);
  CHECK(mentions(refused.error().what, "$25.00 a day (the default"));
  CHECK(contracts(stage) == 0);

  set_limits(stage, "{\"max_usd_per_rental\": 4000}");
  auto rented = stage.call("rent", wanted);  // the same quote
  INFO((rented ? rented->summary : rented.error().what));
  CHECK(rented);
}

SCENARIO("one machine at a time, if the file says so") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  set_limits(stage, "{\"max_machines\": 1}");
  auto first = rent_one(stage);
  REQUIRE(first);
  auto second = rent_one(stage);
  REQUIRE_FALSE(second);
  CHECK(mentions(second.error().what, "1 machine"));
  REQUIRE(stage.call(
      "destroy",
      {{"instance_id", first->facts["instance_id"]}, {"discard_results", true}, {"wait_seconds", 600}}));
  CHECK(rent_one(stage));
}

SCENARIO("what cannot be meant is refused with the field and what was expected") {
  RentalStage stage(VASTGPU_BINARY, {.machines = false});
  const json offers = stage.admin("POST", "/api/v0/bundles/",
                                  {{"limit", 1},
                                   {"num_gpus", {{"eq", 1}}},
                                   {"rentable", {{"eq", true}}},
                                   {"duration", {{"lt", 500 * 3600}}},
                                   {"order", {{"duration", "desc"}}}});
  REQUIRE(offers["offers"].size() == 1);
  const json offer = offers["offers"][0];
  const auto refusal = [&](const std::string& tool, const json& arguments) {
    auto answer = stage.call(tool, arguments);
    REQUIRE_FALSE(answer);
    return answer.error().what + " | " + answer.error().next_step;
  };
  const std::string late =
      refusal("rent", {{"offer_id", offer["id"]}, {"lease_hours", 700}, {"wait_seconds", 0}});
  CAPTURE(late, offer["duration"].dump());
  CHECK((mentions(late, "lease_hours is 700") && mentions(late, "expected less than")));

  const json other{{"instance_id", 1}};
  for (const char* tool : {"setup", "collect", "monitor", "destroy"})
    CHECK(mentions(refusal(tool, other), "instance 1"));
  CHECK(mentions(refusal("extend", {{"instance_id", 1}, {"hours", 1}}), "instance 1"));
  CHECK(mentions(refusal("rent", {{"quote_id", "q-nowhere"}}), "q-nowhere"));
  CHECK(mentions(refusal("extend", {{"instance_id", 1}, {"hours", -1}}), "hours"));
  CHECK(mentions(refusal("rent", {{"quote_id", "q-1"}, {"max_usd", -5}}), "max_usd"));
  CHECK(mentions(refusal("rent", {{"quote_id", "q-1"}, {"max_usd", 1e12}}), "max_usd"));

  for (const char* budget : {"-5", "1e99", "five", "0x10", "nan"}) {
    stage.folder().write("project/CLAUDE.md", text("## Vast.ai\n- gpu: vast\n- max_budget: ", budget, "\n"));
    CAPTURE(budget);
    CHECK(mentions(refusal("rent", {{"offer_id", offer["id"]}, {"wait_seconds", 0}}), "max_budget"));
  }
  CHECK(contracts(stage) == 0);
}
