#include "market/reach.h"

#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("the Date header is read, and nothing that only looks like one") {
  const auto at = parse_http_date("Sat, 21 Nov 2026 22:05:07 GMT");
  REQUIRE(at);
  CHECK(at->time_since_epoch() == std::chrono::seconds(1795298707));
  for (const char* bad :
       {"", "Sat, 21 Nov 2026", "Sat, 21 ovD 2026 22:05:07 GMT", "Sat, 21 Nov 2026 22:05:07",
        "Sat, xx Nov 2026 22:05:07 GMT", "21 Nov 2026 22:05:07 GMT"})
    CHECK_FALSE(parse_http_date(bad));
}
