#include "server/stretch.h"

#include <unistd.h>

#include <csignal>

#include "server/keeper.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

TEST_CASE("a keeper looks each minute, and sooner around the end of a lease") {
  const TimePoint now = from_unix_seconds(1'800'000'000);
  const auto with_end = [&](Duration from_now) {
    std::vector<Rental> open(2);
    open[0].lease_end = now + 10h;
    open[1].lease_end = now + from_now;
    return open;
  };
  CHECK(next_look({}, now) == now + 1min);
  CHECK(next_look(with_end(1h), now) == now + 1min);
  CHECK(next_look(with_end(2min), now) == now + 20s);
  CHECK(next_look(with_end(-5min), now) == now + 20s);
  CHECK(next_look(with_end(-1h), now) == now + 1min);
}

TEST_CASE("a seat names its holder as long as it is held, and nobody after that") {
  const TempFolder folder;
  const KeeperSeat seat(folder.path(), folder.path() / "ledger-x-7.sqlite");
  CHECK_FALSE(seat.holder());
  {
    auto lock = seat.take();
    REQUIRE(lock);
    REQUIRE(seat.holder());
    CHECK_FALSE(seat.holder()->lives());  // not signed yet
    REQUIRE(KeeperSeat::sign(*lock));
    CHECK(seat.holder()->pid == ::getpid());
    CHECK(seat.holder()->lives());
    CHECK(to_words(*seat.holder()).find("version " VASTGPU_VERSION) != std::string::npos);
    CHECK_FALSE(seat.take());
    CHECK_FALSE(KeeperSeat(folder.path(), folder.path() / "ledger-x-8.sqlite").holder());
    CHECK(lock->in_place());
    std::filesystem::remove_all(folder.path() / "locks");
    CHECK_FALSE(lock->in_place());
  }
  CHECK_FALSE(seat.holder());
}

TEST_CASE("processor time of a process is read past an odd name, and of none is nothing") {
  CHECK(cpu_ticks(::getpid()));
  CHECK_FALSE(cpu_ticks(0));
  CHECK(run_in_child([] { return 7; }) == 7);
  CHECK_FALSE(run_in_child([]() -> int {
    ::raise(SIGKILL);
    return 0;
  }));
}
