// Regular expressions under hostile texts.

#include "analysis/pattern.h"

#include <chrono>

#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("a match tells where it stands and what its groups held") {
  const Pattern p(R"((\d+) (apples|pears)( each)?)");
  const auto m = p.find("we eat 12 PEARS today");
  REQUIRE(m);
  CHECK(m->at == 7);
  CHECK(m->end == 15);
  CHECK((*m)[0] == "12 PEARS");
  CHECK((*m)[1] == "12");
  REQUIRE(m->groups.size() == 4);
  CHECK((*m)[3].empty());  // a group that did not take part
  CHECK_FALSE(p.find("we eat 12 PEARS today", 9));
  CHECK_FALSE(p.find("short", 99));
  CHECK(p.length_in("12 apples each") == 14);
  CHECK(p.length_in("none") == 0);
}

TEST_CASE("matches that are empty, many or at the very end come to an end") {
  CHECK(Pattern("a*").find_all("bab").size() == 4);
  CHECK(Pattern("x").find_all(std::string(10'000, 'x')).size() == 50);
  CHECK(Pattern("$").find_all("").size() == 1);
}

TEST_CASE("a pattern that does not compile matches nothing") {
  const Pattern broken("(unclosed");
  CHECK_FALSE(broken.in("(unclosed"));
  CHECK(broken.find_all("anything").empty());
  CHECK(broken.length_in("anything") == 0);
}

TEST_CASE("bytes that are no text are only bytes") {
  const std::string odd("\xff\xfe\x00 batch 4 \xc3", 14);
  const auto m = Pattern(R"(batch (\d))").find(odd);
  REQUIRE(m);
  CHECK((*m)[1] == "4");
}

TEST_CASE("a text that makes a pattern try everything costs a failed match, not minutes") {
  const auto started = std::chrono::steady_clock::now();
  CHECK_FALSE(Pattern("(a+)+(b+)+c").in(std::string(3'000, 'a') + std::string(3'000, 'b')));
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(2));
}
