#include <poll.h>
#include <unistd.h>

#include <thread>

#include "remote/patience.h"
#include "tests/support/catch.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    out = Fd(ends[0]);
    in = Fd(ends[1]);
  }
  Fd out, in;
};

}  // namespace

TEST_CASE("a wait ends with the event, the limit, its own share, or a stop") {
  Pipe pipe;
  SECTION("the event") {
    REQUIRE(::write(pipe.in.get(), "x", 1) == 1);
    CHECK(*Patience(1min, {}).wait(pipe.out.get(), POLLIN) == POLLIN);
  }
  SECTION("the limit") {
    Patience patience(20ms, {});
    const auto waited = patience.wait(pipe.out.get(), POLLIN);
    REQUIRE_FALSE(waited);
    CHECK(waited.error().code == Code::unavailable);
    CHECK(patience.left() == 0ms);
  }
  SECTION("its own share, while the limit is far") {
    CHECK(*Patience(1h, {}).wait(pipe.out.get(), POLLIN, 5ms) == 0);
  }
  SECTION("a stop, asked from another thread") {
    std::stop_source source;
    std::jthread other([&] { source.request_stop(); });
    const auto waited = Patience(1h, source.get_token()).wait(pipe.out.get(), POLLIN);
    REQUIRE_FALSE(waited);
    CHECK(waited.error().code == Code::cancelled);
  }
  SECTION("a limit beyond all clocks") {
    REQUIRE(::write(pipe.in.get(), "x", 1) == 1);
    CHECK(Patience(std::chrono::milliseconds::max(), {}).wait(pipe.out.get(), POLLIN));
  }
}

TEST_CASE("an idle limit starts again with each movement, a total one does not") {
  Patience idle(1h, {}, Patience::Kind::idle), total(1h, {});
  std::this_thread::sleep_for(3ms);
  idle.moved();
  total.moved();
  CHECK(idle.left() > total.left());
}
