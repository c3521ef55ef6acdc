#include "tests/support/catch.h"
#include "tools/tool.h"

using namespace vastgpu;

TEST_CASE("text and structured content carry the same facts") {
  const Envelope e{
      .outcome = "ready",
      .summary = "The machine is ready.",
      .facts = {{"instance_id", 7}, {"cost_usd", 0.25}, {"flags", {"a", "b"}}},
      .details = "a table",
      .next = {{.tool = "setup", .arguments = {{"instance_id", 7}}, .why = "it has no code yet"}}};
  const json structured = to_structured(e);
  CHECK(structured ==
        json{{"outcome", "ready"},
             {"summary", "The machine is ready."},
             {"instance_id", 7},
             {"cost_usd", 0.25},
             {"flags", {"a", "b"}},
             {"details", "a table"},
             {"next",
              {{{"tool", "setup"}, {"arguments", {{"instance_id", 7}}}, {"why", "it has no code yet"}}}}});
  CHECK(to_text(e) ==
        "The machine is ready.\n\na table\n\n"
        "facts: {\"cost_usd\":0.25,\"flags\":[\"a\",\"b\"],\"instance_id\":7,\"outcome\":\"ready\"}\n"
        "next: setup {\"instance_id\":7} - it has no code yet\n");
}

TEST_CASE("long details lose their middle, never their facts, and stay whole characters") {
  Envelope e{.outcome = "running", .summary = "It runs.", .facts = {{"lines", 10}}};
  e.details = "first line\n";
  for (int i = 0; i < 20'000; ++i) e.details += i % 100 == 99 ? "é—\n" : "é—";
  e.details += "\nlast line";
  const std::string text = to_text(e);
  CHECK(text.size() < 24'500);
  CHECK(text.size() > 23'000);
  CHECK(text.find("first line") != std::string::npos);
  CHECK(text.find("bytes left out") != std::string::npos);
  CHECK(text.find("last line") != std::string::npos);
  CHECK(text.find("\"lines\":10") != std::string::npos);
  CHECK(json(text).dump().size() > 0);  // throws on half a character
  CHECK(text.find(to_structured(e).at("details").get<std::string>()) != std::string::npos);
}

TEST_CASE("one line without an end does not push out the others") {
  Envelope e{.outcome = "running", .summary = "It runs."};
  e.details = "first line\n" + std::string(300'000, 'x') + "\nsecond line\n" + std::string(300'000, 'y');
  const std::string text = to_text(e);
  CHECK(text.find("first line\nxxx") != std::string::npos);
  CHECK(text.find("xxx\nsecond line\nyyy") != std::string::npos);
  CHECK(text.size() < 5'000);
}

TEST_CASE("a ready call whose arguments hold a secret is left out, not spoiled") {
  const std::string token = "hf_A1b2C3d4E5f6G7h8I9j0A1b2C3d4E5f6";
  const Envelope e{.outcome = "stopped",
                   .summary = "It stopped with " + token,
                   .facts = {{"command", "HF_TOKEN=" + token + " ./train"}},
                   .next = {{"run", {{"command", "HF_TOKEN=" + token + " ./train"}}, "again"},
                            {"list", json::object(), "see"}}};
  const json shown = to_structured(e);
  CHECK(dump(shown).find(token) == std::string::npos);
  CHECK(to_text(e).find(token) == std::string::npos);
  CHECK(shown["command"] == "HF_TOKEN=*** ./train");
  REQUIRE(shown["next"].size() == 1);
  CHECK(shown["next"][0]["tool"] == "list");
}

TEST_CASE("the text of a failure says what, what to do, and whether something changed") {
  const Error e{
      .code = Code::unavailable, .what = "no answer", .next_step = "try again", .effect = Effect::happened};
  const std::string text = to_text(e);
  for (const char* part : {"no answer", "try again", "stays changed", "\"unavailable\"", "\"happened\""})
    CHECK(text.find(part) != std::string::npos);
  CHECK(to_text(Error{}).find("it failed, and nobody said why") == 0);
  CHECK(to_text(Error{.what = "a\x1b[31mb"}).find("ab") == 0);
}
