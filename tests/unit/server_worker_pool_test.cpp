#include "server/worker_pool.h"

#include <atomic>
#include <latch>

#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("as many jobs run side by side as there are workers, and the rest waits its turn") {
  std::atomic<int> done = 0;
  {
    std::latch all_run(4), release(1);
    WorkerPool pool(4, 8);
    for (int i = 0; i < 4; ++i)
      REQUIRE(pool.submit([&] {
        all_run.count_down();
        release.wait();
        ++done;
      }));
    all_run.wait();  // hangs if fewer than four run at once
    for (int i = 0; i < 8; ++i) REQUIRE(pool.submit([&] { ++done; }));
    CHECK_FALSE(pool.submit([&] { ++done; }));
    release.count_down();
  }
  CHECK(done == 12);  // what was taken is run, also at the end
}
