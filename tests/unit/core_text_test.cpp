#include "core/text.h"
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
