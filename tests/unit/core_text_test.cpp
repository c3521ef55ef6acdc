#include "core/text.h"

#include "core/bound.h"
#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("text from outside loses escapes, control characters and broken UTF-8") {
  CHECK(clean("a\x1b[31mred\x1b[0m\a b") == "ared b");
  CHECK(clean("\x1b]0;title\x07shown") == "shown");
  CHECK(clean("bad \xff byte") == "bad \xEF\xBF\xBD byte");
  CHECK(clean("caf\xC3\xA9\n") == "caf\xC3\xA9\n");
  CHECK(clean("left\xE2\x80\xAEright") == "leftright");
  CHECK(clean(std::string(5000, 'x'), 10) == "xxxxxxxxxx…");
  CHECK(clean_line(" two\nlines ") == "two lines");
}

TEST_CASE("shell quoting survives every quote") {
  CHECK(shell_quote("it's") == "'it'\\''s'");
  CHECK(plain_name("my run #3 / α") == "my-run-3");
  CHECK(plain_name("../../etc") == "etc");
  CHECK_FALSE(is_plain_name(".hidden"));
}

TEST_CASE("a bound is never shown lower than it is") {
  CHECK(at_most(Usd{0.462102}) == "$0.463");
  CHECK(at_most(Usd{0.462}) == "$0.462");
  CHECK(at_most(Usd{0.9996}) == "$1.00");
  CHECK(at_most(Usd{1.201}) == "$1.21");
  CHECK(at_most(Usd{1.2}) == "$1.20");
  CHECK(at_most(Usd{0}) == "$0.00");
  CHECK(rounded_up(Usd{0.462102}) == Usd{0.463});
}
