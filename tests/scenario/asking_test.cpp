// The person is asked before money moves or work is lost: by the program itself on its pipes, in both eras,
// on the sandbox. What may come of it is one contract or none.

#include <algorithm>

#include "core/bound.h"
#include "core/text.h"
#include "server/rpc.h"
#include "tests/support/catch.h"
#include "tests/support/needs_machines.h"
#include "tests/support/rental_stage.h"
#include "tools/all_tools.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

// Quotes expire in simulated time: slow enough that none does while a test speaks.
const StageOptions kCalm{.speed = 5, .faults = {"rate-limit=off"}, .machines = false, .offers = 150};

const json kTicked = {{"action", "accept"}, {"content", {{"yes", true}}}};
const json kUnticked = {{"action", "accept"}, {"content", {{"yes", false}}}};
const json kDecline = {{"action", "decline"}};

/// A server process, spoken to line by line.
class Talk {
 public:
  /// `version`: of the handshake; empty: a modern client.
  explicit Talk(RentalStage& stage, const std::string& version = {})
      : child_(start(stage)), modern_(version.empty()) {
    if (modern_) return;
    const json hello = {{"protocolVersion", version},
                        {"capabilities", {{"elicitation", json::object()}}},
                        {"clientInfo", {{"name", "t"}, {"version", "1"}}}};
    send("initialize", hello);
    (void)answer();
  }

  /// Sends tools/call; more: what a retry adds.
  void call(const std::string& tool, const json& arguments, const json& more = json::object()) {
    json params = {{"name", tool}, {"arguments", arguments}};
    params.update(more);
    if (modern_)
      params["_meta"] = {
          {"io.modelcontextprotocol/protocolVersion", "2026-07-28"},
          {"io.modelcontextprotocol/clientCapabilities", {{"elicitation", {{"form", json::object()}}}}}};
    send("tools/call", params);
  }
  json next() {
    const auto line = child_.read_line(60s);
    REQUIRE(line);
    return *parse_json(*line, "a line of the server");
  }
  /// The answer to what was sent last.
  json answer() {
    for (;;)
      if (json message = next(); !message.contains("method") && message["id"] == id_) return message;
  }
  json facts() {
    const json message = answer();
    CAPTURE(message.dump());
    REQUIRE(message.contains("result"));
    return message["result"].value("structuredContent", message["result"]);
  }
  /// The question that comes while the call is open.
  json question() {
    json message = next();
    CAPTURE(message.dump());
    REQUIRE(message["method"] == "elicitation/create");
    return message;
  }
  void say(const json& question, const json& result) {
    REQUIRE(child_.write_line(dump({{"jsonrpc", "2.0"}, {"id", question["id"]}, {"result", result}})));
  }
  void send(const std::string& method, const json& params) {
    REQUIRE(
        child_.write_line(dump({{"jsonrpc", "2.0"}, {"id", ++id_}, {"method", method}, {"params", params}})));
  }

 private:
  static Child start(RentalStage& stage) {
    auto child = Child::start({VASTGPU_BINARY, "serve"}, stage.environment(),
                              (stage.folder().path() / "serve.log").string());
    REQUIRE(child);
    return *std::move(child);
  }
  Child child_;
  bool modern_;
  int id_ = 0;
};

json retry(const json& asked, const std::string& key, const json& answer) {
  return {{"requestState", asked["requestState"]}, {"inputResponses", {{key, answer}}}};
}

json contracts(RentalStage& stage) { return stage.state()["contracts"]; }

std::string quote_of(RentalStage& stage) {
  const auto id = stage.quote();
  REQUIRE(id);
  return *id;
}

}  // namespace

SCENARIO("a modern client lets the person choose, and one choice is one contract in all processes") {
  RentalStage stage(VASTGPU_BINARY, kCalm);
  const json arguments = {{"wait_seconds", 0}};
  json asked;
  {
    Talk first(stage);
    first.call("rent", arguments);
    asked = first.facts();
    REQUIRE(asked["resultType"] == "input_required");
  }
  CHECK(contracts(stage).empty());
  const json params = asked["inputRequests"]["approve"]["params"];
  const json choices = params["requestedSchema"]["properties"]["choice"]["oneOf"];
  REQUIRE(choices.size() > 1);
  CHECK(params["message"].get<std::string>().find("at most $") != std::string::npos);
  CHECK_FALSE(params["requestedSchema"]["properties"]["choice"].contains("default"));

  const json pick = {{"action", "accept"}, {"content", {{"choice", choices[1]["const"]}}}};
  Talk second(stage), third(stage);  // whichever gets the answer; the other gets it, too
  second.call("rent", arguments, retry(asked, "approve", pick));
  third.call("rent", arguments, retry(asked, "approve", pick));
  const json one = second.answer(), two = third.answer();
  CHECK(one.contains("result") != two.contains("result"));
  CHECK((one.contains("error") ? one : two)["error"]["code"] == kInvalidParams);
  const json rented = (one.contains("result") ? one : two)["result"]["structuredContent"];
  CHECK(rented["outcome"] == "booting");
  CHECK(rented["quote_id"] == choices[1]["const"]);

  second.call("rent", arguments, retry(asked, "approve", pick));
  CHECK(second.answer()["error"]["code"] == kInvalidParams);
  second.call("rent", arguments);  // the same call again goes on with the same machine, and does not ask
  CHECK(second.facts()["instance_id"] == rented["instance_id"]);
  CHECK(contracts(stage).size() == 1);
}

SCENARIO("a yes to a price is one contract; no yes is none") {
  RentalStage stage(VASTGPU_BINARY, kCalm);
  const std::string quote = quote_of(stage);
  const json arguments = {{"quote_id", quote}, {"wait_seconds", 0}};

  GIVEN("a modern client") {
    Talk talk(stage);
    const auto say = [&](const json& answer) {
      talk.call("rent", arguments);
      const json asked = talk.facts();
      REQUIRE(asked["resultType"] == "input_required");
      talk.call("rent", arguments, retry(asked, "approve", answer));
      return talk.facts();
    };
    CHECK(say(kUnticked)["outcome"] == "approval_needed");  // the form as it came, at once
    const json unheard = say(kDecline);                     // nobody reads that fast
    CHECK(unheard["outcome"] == "approval_needed");
    CHECK(contracts(stage).empty());
    const json next = unheard["next"][0];
    CHECK(next["tool"] == "rent");
    REQUIRE(next["arguments"]["quote_id"] == quote);

    json too_little = next["arguments"];
    too_little["approve_usd"] = 0.001;
    talk.call("rent", too_little);
    CHECK(talk.answer()["result"]["isError"] == true);
    CHECK(contracts(stage).empty());

    json enough = next["arguments"];
    enough["wait_seconds"] = 0;
    talk.call("rent", enough);
    const json rented = talk.facts();
    CHECK(rented["outcome"] == "booting");
    CHECK(rented["usd_renewable_to"].get<double>() <= enough["approve_usd"].get<double>());
    CHECK(contracts(stage).size() == 1);
  }

  GIVEN("a client of 2025-11-25") {
    Talk talk(stage, "2025-11-25");
    talk.call("rent", arguments);
    json question = talk.question();
    CHECK(question["params"]["mode"] == "form");
    talk.say(question, kDecline);
    CHECK(talk.facts()["outcome"] == "approval_needed");
    CHECK(contracts(stage).empty());

    talk.call("rent", arguments);
    question = talk.question();
    talk.say(question, kTicked);
    CHECK(talk.facts()["outcome"] == "booting");
    talk.call("rent", arguments);  // goes on, and asks nobody
    CHECK(talk.facts()["outcome"] == "booting");
    CHECK(contracts(stage).size() == 1);
  }

  GIVEN("a client of 2025-06-18 that is asked to choose") {
    Talk talk(stage, "2025-06-18");
    talk.call("rent", {{"wait_seconds", 0}});
    const json question = talk.question();
    CHECK_FALSE(question["params"].contains("mode"));
    const json field = question["params"]["requestedSchema"]["properties"]["choice"];
    CHECK_FALSE(field.contains("oneOf"));
    REQUIRE(field["enum"].size() == field["enumNames"].size());
    CHECK(std::ranges::find(field["enum"], json(quote)) !=
          field["enum"].end());  // the fresh quotes are shown
    talk.say(question, {{"action", "accept"}, {"content", {{"choice", quote}}}});
    const json rented = talk.facts();
    CHECK(rented["quote_id"] == quote);
    CHECK(contracts(stage).size() == 1);
  }

  GIVEN("a client that cannot ask") {
    const auto choice = stage.call("rent", json::object());
    REQUIRE(choice);
    CHECK(choice->outcome == "choice_needed");
    CHECK(choice->next.front().arguments.contains("approve_usd"));
    CHECK(contracts(stage).empty());
    const auto rented = stage.call("rent", arguments);  // the assistant has asked
    REQUIRE(rented);
    CHECK(rented->outcome == "booting");
  }
}

SCENARIO("what was said yes to binds, whatever changes before the answer arrives") {
  RentalStage stage(VASTGPU_BINARY, kCalm);
  const auto tools = all_tools(stage.house());
  const auto& rent = *std::ranges::find(tools, "rent", [](const Tool& t) { return t.spec.name; });
  const auto budget = [&](const std::string& usd) {
    stage.folder().write("project/CLAUDE.md", "# Project\n\n## Vast.ai\n- max_budget: " + usd + "\n");
  };
  CallContext call{.stop = {}, .progress = [](double, const std::string&) {}};
  call.client = {{"elicitation", json::object()}};
  const auto envelopes = [&] {
    const Deps d = stage.deps();
    return d.ledger.open_envelopes(stage.project().string(), d.clock.now()).value().size();
  };
  const json arguments = {{"quote_id", quote_of(stage)}, {"envelope_usd", 4}, {"wait_seconds", 0}};
  const auto asked = rent.call(arguments, call);
  REQUIRE(asked);
  REQUIRE(asked->asks.size() == 1);
  CHECK(asked->asks[0].message.find("up to 3 rentals") != std::string::npos);
  CHECK(envelopes() == 0);
  call.ask_state = asked->ask_state;

  GIVEN("a no") {
    call.answers["approve"] = {Answer::Action::decline, {}};
    const auto declined = rent.call(arguments, call);
    REQUIRE(declined);
    CHECK(declined->outcome == "declined");
    CHECK(envelopes() == 0);
  }
  call.answers["approve"] = {Answer::Action::accept, {{"yes", true}}};
  GIVEN("a budget that was raised meanwhile") {
    budget("50");
    const auto rented = rent.call(arguments, call);
    REQUIRE(rented);
    CHECK(rented->facts["usd_renewable_to"].get<double>() <= 5);
    CHECK(envelopes() == 1);
  }
  GIVEN("a budget that was lowered meanwhile") {
    budget("0.01");
    const auto refused = rent.call(arguments, call);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::over_budget);
    CHECK(contracts(stage).empty());
  }
  GIVEN("a yes to another quote") {
    call.ask_state = {{"bounds", {{"q-00000000", 100}}}};
    REQUIRE_FALSE(rent.call(arguments, call));
    CHECK(contracts(stage).empty());
  }
}

SCENARIO("no envelope comes on record without a yes to its number") {
  RentalStage stage(VASTGPU_BINARY, kCalm);
  const auto tools = all_tools(stage.house());
  const auto& rent = *std::ranges::find(tools, "rent", [](const Tool& t) { return t.spec.name; });
  const std::string quote = quote_of(stage);
  const Deps d = stage.deps();
  const double worst = d.ledger.quote(quote).value()->worst_case.value;
  const auto play = [&](const json& more, const Answer* said = nullptr, const json& state = {}) {
    CallContext call{.stop = {}, .progress = [](double, const std::string&) {}};
    call.client = {{"elicitation", json::object()}};
    if (said) call.answers["approve"] = *said, call.ask_state = state;
    json arguments = {{"quote_id", quote}, {"wait_seconds", 0}};
    arguments.update(more);
    return rent.call(arguments, call);
  };
  const auto envelopes = [&] {
    return d.ledger.open_envelopes(stage.project().string(), d.clock.now()).value().size();
  };
  const auto code = [](const Result<Envelope>& answer) {
    return answer ? std::nullopt : std::optional(answer.error().code);
  };
  const json big = {{"envelope_usd", 500}, {"envelope_rentals", 9}, {"envelope_until", "+6h"}};

  json little = big;  // a yes to the rental is none to the envelope
  little["approve_usd"] = worst + 0.01;
  CHECK(code(play(little)) == Code::over_budget);
  json refused = big;  // refused whatever anybody says, so nobody is asked
  refused["max_usd"] = worst / 2;
  CHECK(code(play(refused)) == Code::over_budget);
  refused["approve_usd"] = 500;
  CHECK(code(play(refused)) == Code::over_budget);
  CHECK(envelopes() == 0);

  // The call to make after a yes in the chat is the one that was asked for, with a number that covers it.
  json wish = big;
  wish["max_usd"] = worst + 1;
  const auto asked = play(wish);
  REQUIRE(asked);
  const Answer nobody{};
  const auto unheard = play(wish, &nobody, asked->ask_state);
  REQUIRE(unheard);
  const NextCall& next = unheard->next.front();
  CHECK(next.why.find("its envelope at most $500") != std::string::npos);
  CHECK(unheard->summary.find("its envelope at most $500") != std::string::npos);
  for (const auto& [name, value] : wish.items()) CHECK(next.arguments.value(name, json()) == value);
  CHECK(next.arguments["approve_usd"] == 500);

  // The same quote is rented by another process while the question is open.
  REQUIRE(stage.call("rent", {{"quote_id", quote}, {"wait_seconds", 0}}));
  const Answer no{Answer::Action::decline, {}};
  const auto late = play(wish, &no, asked->ask_state);
  REQUIRE(late);
  CHECK(late->outcome == "declined");
  CHECK(late->summary.find("bills") != std::string::npos);
  CHECK(late->summary.find("nothing is held") == std::string::npos);
  CHECK(code(play(big)) == Code::wrong_state);                // begun: nobody would be asked
  CHECK(code(stage.call("rent", big)) == Code::wrong_state);  // the same for the machine on its way
  CHECK(envelopes() == 0);
}

SCENARIO("a yes to the number that is shown is enough, and the quote's own budget counts") {
  RentalStage stage(VASTGPU_BINARY, kCalm);
  const auto tools = all_tools(stage.house());
  const auto& rent = *std::ranges::find(tools, "rent", [](const Tool& t) { return t.spec.name; });
  const std::string quote = quote_of(stage);
  CallContext call{.stop = {}, .progress = [](double, const std::string&) {}};
  call.client = {{"elicitation", json::object()}};
  const auto asked = rent.call({{"wait_seconds", 0}}, call);
  REQUIRE(asked);
  call.ask_state = asked->ask_state;
  const Deps d = stage.deps();

  GIVEN("the number of the question") {
    call.ask_state = {};
    const std::string bound = at_most(d.ledger.quote(quote).value()->worst_case);
    CHECK(asked->asks[0].message.find("at most " + bound) != std::string::npos);
    const auto rented = rent.call(
        {{"quote_id", quote}, {"approve_usd", std::stod(bound.substr(1))}, {"wait_seconds", 0}}, call);
    CAPTURE(rented ? "" : rented.error().what);
    CHECK(rented);
  }
  GIVEN("an answer that arrives in another folder") {
    stage.folder().write("elsewhere/CLAUDE.md", "# Other\n\n## Vast.ai\n- max_budget: 0.01\n");
    call.answers["approve"] = {Answer::Action::accept, {{"choice", quote}}};
    const auto rented =
        rent.call({{"wait_seconds", 0}, {"project", (stage.folder().path() / "elsewhere").string()}}, call);
    CAPTURE(rented ? "" : rented.error().what);
    REQUIRE(rented);
    CHECK(rented->facts["quote_id"] == quote);
  }
}

SCENARIO("more time and lost results are asked for, too") {
  NEEDS_MACHINES();
  RentalStage stage(VASTGPU_BINARY, {});
  const auto rented = stage.rent();
  REQUIRE(rented);
  REQUIRE(rented->outcome == "ready");
  const json id = rented->facts["instance_id"];
  const auto tools = all_tools(stage.house());
  const auto play = [&](const std::string& name, const json& arguments, const Envelope* asked,
                        Answer::Action action, const json& content) {
    const auto tool = std::ranges::find(tools, name, [](const Tool& t) { return t.spec.name; });
    CallContext call{.stop = {}, .progress = [](double, const std::string&) {}};
    call.client = {{"elicitation", {{"form", json::object()}}}};
    if (asked) {
      call.answers[asked->asks.front().key] = {action, content};
      call.ask_state = asked->ask_state;
    }
    auto answer = tool->call(arguments, call);
    CAPTURE(name, answer ? answer->summary : answer.error().what);
    REQUIRE(answer);
    return *answer;
  };
  const auto lease = [&] {
    return stage.deps().ledger.rental_by_instance({id.get<std::int64_t>()}).value()->lease_end;
  };
  const json yes = {{"yes", true}};
  using enum Answer::Action;

  const TimePoint before = lease();
  const json longer = {{"instance_id", id}, {"hours", 0.5}};
  const Envelope price = play("extend", longer, nullptr, accept, {});
  REQUIRE(price.asks.size() == 1);
  CHECK(play("extend", longer, &price, decline, {}).outcome == "declined");
  const Envelope unheard = play("extend", longer, &price, not_asked, {});
  CHECK(unheard.outcome == "approval_needed");
  CHECK(lease() == before);
  CHECK(play("extend", longer, &price, accept, yes).outcome == "extended");
  CHECK(lease() == before + 30min);
  const auto twice = [&] {  // the yes was to one total: it is not worth the same again
    CallContext call{.stop = {}, .progress = [](double, const std::string&) {}};
    call.client = {{"elicitation", json::object()}};
    call.answers["approve"] = {accept, yes};
    call.ask_state = price.ask_state;
    return std::ranges::find(tools, "extend", [](const Tool& t) { return t.spec.name; })->call(longer, call);
  }();
  REQUIRE_FALSE(twice);
  CHECK(twice.error().code == Code::over_budget);
  CHECK(play("extend", unheard.next[0].arguments, nullptr, accept, {}).outcome == "extended");
  CHECK(lease() == before + 60min);

  for (const std::string tool : {"destroy", "destroy-all"}) {
    const json arguments = tool == "destroy" ? json{{"instance_id", id}, {"discard_results", true}}
                                             : json{{"discard_results", true}};
    const Envelope loss = play(tool, arguments, nullptr, accept, {});
    REQUIRE(loss.asks.size() == 1);
    CHECK(loss.asks[0].message.find("lost for good") != std::string::npos);
    CHECK(play(tool, arguments, &loss, decline, {}).outcome == "declined");
    const Envelope how = play(tool, arguments, &loss, not_asked, {});
    CHECK(how.outcome == "approval_needed");
    CHECK(how.next.back().arguments["confirm_discard"] == true);
    CHECK(stage.state()["live_contracts"] == 1);
  }
  const json arguments = {{"instance_id", id}, {"discard_results", true}, {"wait_seconds", 600}};
  const Envelope loss = play("destroy", arguments, nullptr, accept, {});
  const Deps d = stage.deps();
  Job job;  // began while the question was open: no yes was to losing it
  job.label = d.ledger.rental_by_instance({id.get<std::int64_t>()}).value()->label;
  job.experiment = "later";
  job.state = JobState::finished;
  job.started = d.clock.now();
  REQUIRE(d.ledger.put_job(job));
  for (const std::string tool : {"destroy", "destroy-all"}) {
    json same = arguments;
    if (tool == "destroy-all") same.erase("instance_id");
    const Envelope again = play(tool, same, &loss, accept, yes);
    CHECK(again.outcome == "approval_needed");
    REQUIRE(again.asks.size() == 1);
    CHECK(again.asks[0].message.find("later (finished)") != std::string::npos);
    CHECK(stage.state()["live_contracts"] == 1);
  }
  const Envelope again = play("destroy", arguments, &loss, accept, yes);
  CHECK(play("destroy", arguments, &again, accept, yes).outcome == "destroyed");
  CHECK(play("destroy", arguments, nullptr, accept, {}).outcome ==
        "destroyed");  // nothing is left to ask for
}
