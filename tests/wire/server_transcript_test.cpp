#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/fixture_tools.h"
#include "tests/support/wire_transcript.h"

using namespace vastgpu;

TEST_CASE("every conversation that is written down goes as written") {
  const std::filesystem::path folder = std::filesystem::path(VASTGPU_SOURCE_DIR) / "tests/wire/transcripts";
  int played = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("server_")) continue;
    const Fixture fixture;
    ++played;
    for (const std::string& wrong : play_transcript(entry.path(), fixture.parts()))
      FAIL_CHECK(entry.path().filename().string() << " " << wrong);
  }
  CHECK(played > 0);
}

TEST_CASE("the comparison sees what differs") {
  CHECK(matches(json::parse(R"({"a":"*","b":[1,"*"]})"), json::parse(R"({"b":[1,2],"a":{"c":1}})")));
  CHECK(matches(json::parse(R"({"a":1,"...":0})"), json::parse(R"({"a":1,"b":2})")));
  CHECK_FALSE(matches(json::parse(R"({"a":1})"), json::parse(R"({"a":1,"b":2})")));
  CHECK_FALSE(matches(json::parse(R"({"a":"*","b":1})"), json::parse(R"({"b":1})")));
  CHECK_FALSE(matches(json::parse(R"({"id":1})"), json::parse(R"({"id":"1"})")));
}
