#include "state/lock.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <thread>

#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/state_forked.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

TEST_CASE("a held lock keeps others out until its holder lets go") {
  const TempFolder folder;
  FakeClock clock;
  auto first = FileLock::acquire(folder.path() / "locks", "machine 7", clock, clock.now(), {});
  REQUIRE(first);

  const auto second = FileLock::acquire(folder.path() / "locks", "machine 7", clock, clock.now() + 5s, {});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Code::unavailable);
  CHECK(clock.slept() == 5s);
  CHECK(FileLock::acquire(folder.path() / "locks", "machine 8", clock, clock.now(), {}));

  { const FileLock gone = *std::move(first); }
  CHECK(FileLock::acquire(folder.path() / "locks", "machine 7", clock, clock.now(), {}));
}

TEST_CASE("whoever waits for a lock gets it when the holder is done") {
  const TempFolder folder;
  SystemClock clock;
  auto held = FileLock::acquire(folder.path(), "x", clock, clock.now(), {});
  REQUIRE(held);
  std::optional<FileLock> mine(*std::move(held));
  bool got = false;
  std::thread waiter(
      [&] { got = FileLock::acquire(folder.path(), "x", clock, clock.now() + 30s, {}).has_value(); });
  mine.reset();
  waiter.join();
  CHECK(got);
}

TEST_CASE("waiting for a lock ends when somebody asks to stop") {
  const TempFolder folder;
  SystemClock clock;
  const auto held = FileLock::acquire(folder.path(), "x", clock, clock.now(), {});
  REQUIRE(held);
  std::stop_source stop;
  std::thread asker([&] { stop.request_stop(); });
  const auto waited = FileLock::acquire(folder.path(), "x", clock, clock.now() + 30s, stop.get_token());
  asker.join();
  REQUIRE_FALSE(waited);
  CHECK(waited.error().code == Code::cancelled);
}

TEST_CASE("a lock dies with the process that held it") {
  const TempFolder folder;
  SystemClock clock;
  const Pipe ready;
  Forked holder([&] {
    const auto held = FileLock::acquire(folder.path(), "x", clock, clock.now(), {});
    ready.say();
    ::pause();
    return held ? 0 : 1;
  });
  REQUIRE(ready.hear());
  CHECK_FALSE(FileLock::acquire(folder.path(), "x", clock, clock.now(), {}));
  holder.kill();
  CHECK(FileLock::acquire(folder.path(), "x", clock, clock.now(), {}));
}

TEST_CASE("a program started under a lock does not inherit it") {
  const TempFolder folder;
  SystemClock clock;
  auto held = FileLock::acquire(folder.path(), "x", clock, clock.now(), {});
  REQUIRE(held);
  Pipe started;  // the child's end closes when exec has happened, since it is close-on-exec
  ::fcntl(started.in.get(), F_SETFD, FD_CLOEXEC);
  Forked child([] { return ::execl("/bin/sleep", "sleep", "60", nullptr); });
  started.in.reset();
  CHECK_FALSE(started.hear());
  { const FileLock gone = *std::move(held); }
  CHECK(FileLock::acquire(folder.path(), "x", clock, clock.now(), {}));
}

TEST_CASE("a removed lock file does not leave two holders of the next one") {
  const TempFolder folder;
  SystemClock clock;
  const auto old = FileLock::acquire(folder.path(), "x", clock, clock.now(), {});
  std::filesystem::remove(folder.path() / "x.lock");
  const auto fresh = FileLock::acquire(folder.path(), "x", clock, clock.now(), {});
  REQUIRE(fresh);
  CHECK_FALSE(FileLock::acquire(folder.path(), "x", clock, clock.now(), {}));
}

TEST_CASE("locks are private, and a folder that cannot be made is said so") {
  const TempFolder folder;
  SystemClock clock;
  const auto lock = FileLock::acquire(folder.path() / "a" / "b", "../odd name", clock, clock.now(), {});
  REQUIRE(lock);
  struct stat info {};
  ::stat((folder.path() / "a").c_str(), &info);
  CHECK((info.st_mode & 0777) == 0700);
  const auto inside = std::filesystem::directory_iterator(folder.path() / "a" / "b")->path();
  ::stat(inside.c_str(), &info);
  CHECK((info.st_mode & 0777) == 0600);

  folder.write("file", "");
  const auto none = FileLock::acquire(folder.path() / "file" / "b", "x", clock, clock.now(), {});
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Code::unavailable);
  CHECK(none.error().what.find("file") != std::string::npos);
}
