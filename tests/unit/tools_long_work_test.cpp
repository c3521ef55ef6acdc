#include "tools/long_work.h"

#include "tests/support/catch.h"
#include "tools/links.h"
#include "tools/resource_uri.h"

using namespace vastgpu;

namespace {

Envelope answer(const std::string& outcome, std::vector<NextCall> next = {}, json facts = json::object()) {
  return {.outcome = outcome, .summary = "so", .facts = std::move(facts), .next = std::move(next)};
}

}  // namespace

TEST_CASE("only what can be repeated is a task from its beginning") {
  using enum LongWork;
  CHECK(long_work("rent", {{"quote_id", "q"}}) == after_first_turn);
  CHECK(long_work("extend", {{"hours", 1}}) == after_first_turn);
  CHECK(long_work("setup", json::object()) == at_once);
  CHECK(long_work("collect", json::object()) == at_once);
  CHECK(long_work("destroy", {{"instance_id", 1}}) == at_once);
  CHECK(long_work("destroy", {{"instance_id", 1}, {"discard_results", true}}) == after_first_turn);
  CHECK(long_work("destroy-all", json::object()) == none);  // in another server it would mean other machines
  CHECK(long_work("destroy-all", {{"discard_results", true}}) == none);
  CHECK(long_work("monitor", {{"instance_id", 1}}) == none);
  CHECK(long_work("monitor", {{"instance_id", 1}, {"wait_seconds", 45}}) == at_once);
  CHECK(long_work("run", {{"command", "x"}}) == none);
  CHECK(long_work("run", {{"command", "x"}, {"canary", true}}) == after_first_turn);
  for (const char* quick : {"provision", "list"}) CHECK(long_work(quick, json::object()) == none);
}

TEST_CASE("long after its server ended, only what waits is gone on with") {
  for (const char* waits : {"monitor", "rent"}) CHECK(only_waits(waits));
  for (const char* acts : {"setup", "run", "collect", "extend", "destroy", "destroy-all"})
    CHECK_FALSE(only_waits(acts));
}

TEST_CASE("values of an environment never come on record") {
  CHECK(long_work("run", {{"canary", true}, {"env", {{"TOKEN", "secret"}}}}) == LongWork::none);
}

TEST_CASE("what began a rental or an extension is not in the call that goes on") {
  const json rent{{"offer_id", 7}, {"envelope_usd", 5}, {"lease_hours", 2}};
  const json again{{"quote_id", "q-1"}, {"project", "/p"}};
  CHECK(next_turn("rent", rent, answer("booting", {{"rent", again}, {"destroy", {{"instance_id", 1}}}})) ==
        again);
  CHECK(next_turn("rent", rent, answer("unsettled", {{"rent", again}})) == again);
  CHECK_FALSE(next_turn("rent", rent, answer("ready", {{"setup", {{"instance_id", 1}}}})));
  CHECK_FALSE(next_turn("rent", rent, answer("declined")));
  const json wait{{"instance_id", 1}, {"hours", 0}};
  CHECK(next_turn("extend", {{"instance_id", 1}, {"hours", 3}}, answer("starting", {{"extend", wait}})) ==
        wait);
  CHECK_FALSE(next_turn("extend", {{"hours", 3}}, answer("extended_machine_not_told", {{"extend", wait}})));
  CHECK(next_turn("destroy", {{"instance_id", 1}, {"discard_results", true}}, answer("destroying")) ==
        json{{"instance_id", 1}});
}

TEST_CASE("other calls go on with everything they were given") {
  const json setup{{"instance_id", 1}, {"delete_extra", true}};
  CHECK(next_turn("setup", setup, answer("sending", {{"setup", {{"instance_id", 1}}}})) == setup);
  CHECK_FALSE(next_turn("setup", setup, answer("install_failed", {{"setup", {{"instance_id", 1}}}})));
  const json watch{{"experiment", "a"}, {"lines", 3}, {"wait_seconds", 45}, {"after", "1:2"}};
  const json on{{"instance_id", 1}, {"experiment", "a"}, {"after", "1:9"}, {"wait_seconds", 45}};
  const auto next = next_turn("monitor", watch, answer("running", {{"monitor", on}}));
  REQUIRE(next);
  CHECK((next->at("after") == "1:9" && next->at("lines") == 3));
  CHECK_FALSE(next_turn("monitor", watch, answer("finished")));
}

TEST_CASE("a collection goes on while something comes home, and not for ever") {
  const json call{{"instance_id", 1}};
  CHECK(next_turn("collect", call, answer("incomplete", {}, {{"receipt", {{"fetched_now", 3}}}})) == call);
  CHECK_FALSE(next_turn("collect", call, answer("incomplete", {}, {{"receipt", {{"fetched_now", 0}}}})));
  CHECK_FALSE(next_turn("collect", call, answer("collected", {}, {{"receipt", {{"fetched_now", 3}}}})));
}

TEST_CASE("turns wait a moment or as long as they may") {
  CHECK(short_turn("rent", {{"wait_seconds", 45}}).at("wait_seconds") == 5);
  CHECK(long_turn("rent", json::object()).at("wait_seconds") == 600);
  CHECK(long_turn("collect", {{"instance_id", 1}}) == json{{"instance_id", 1}});
}

TEST_CASE("addresses are read in their one spelling") {
  using Kind = ResourceAddress::Kind;
  CHECK(parse_resource("vast-gpu://instances")->kind == Kind::instance_file);
  CHECK(parse_resource("vast-gpu://costs")->kind == Kind::all_costs);
  CHECK(parse_resource(rental_uri(InstanceId{7}))->instance == InstanceId{7});
  CHECK(parse_resource(cost_uri(InstanceId{7}))->kind == Kind::cost);
  const auto log = parse_resource(log_uri(InstanceId{7}, "exp01"));
  REQUIRE(log);
  CHECK((log->kind == Kind::log && log->experiment == "exp01"));
  for (const char* odd :
       {"", "vast-gpu://", "vast-gpu://rentals/", "vast-gpu://rentals/07", "vast-gpu://rentals/-1",
        "vast-gpu://rentals/1 ", "vast-gpu://costs/", "vast-gpu://logs/1", "vast-gpu://logs/1/",
        "vast-gpu://logs/1/../../etc/passwd", "vast-gpu://logs/1/.hidden", "file:///etc/passwd",
        "vast-gpu://rentals/99999999999999999999"})
    CHECK_FALSE(parse_resource(odd));
}

TEST_CASE("an answer links to what there is to read about it, and says so in its text") {
  Envelope e =
      answer("running", {}, {{"instance_id", 7}, {"jobs", {{{"experiment", "a"}}, {{"experiment", "b"}}}}});
  add_links("monitor", e);
  REQUIRE(e.links.size() == 2);
  CHECK(e.links[0].uri == "vast-gpu://logs/7/a");
  CHECK(e.links[0].mime_type == "text/plain");
  CHECK(to_text(e).find("vast-gpu://logs/7/b") != std::string::npos);
  CHECK(to_structured(e).at("details").get<std::string>().find("vast-gpu://logs/7/b") != std::string::npos);

  e = answer("ready", {}, {{"instance_id", 7}});
  add_links("rent", e);
  CHECK(e.links.at(0).uri == "vast-gpu://rentals/7");
  e = answer("destroyed", {}, {{"instance_id", 7}});
  add_links("destroy", e);
  CHECK(e.links.at(0).uri == "vast-gpu://costs/7");
  e = answer("collected", {},
             {{"instance_id", 7},
              {"receipt", {{"first_files", {{{"path", "logs/exp01.log"}}, {{"path", "results/m.json"}}}}}}});
  add_links("collect", e);
  REQUIRE(e.links.size() == 1);
  CHECK(e.links[0].uri == "vast-gpu://logs/7/exp01");
  e = answer("listed", {},
             {{"instances", {{{"instance_id", 7}, {"lease_ends_at", "x"}}, {{"instance_id", 8}}, 3}}});
  add_links("list", e);
  REQUIRE(e.links.size() == 1);  // what others rented is not ours to show
  CHECK(e.links[0].uri == "vast-gpu://rentals/7");
  e = answer("booting", {}, {{"instance_id", nullptr}});
  add_links("rent", e);
  CHECK((e.links.empty() && e.details.empty()));
  for (const char* name : {"../x", "a b", ""}) {
    e = answer("running", {}, {{"instance_id", 7}, {"experiment", name}});
    add_links("run", e);
    CHECK(e.links.empty());
  }
}
