#include "state/ask_marks.h"

#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "core/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {
const TimePoint kNow = from_unix_seconds(1'800'000'000);
}

TEST_CASE("everybody gets the same key, whoever made it, and nobody else may read it") {
  TempFolder folder;
  const auto state = folder.path() / "new" / "state";
  std::vector<std::string> seen(8);
  {
    std::vector<std::jthread> all;
    for (std::string& mine : seen)
      all.emplace_back([&] { mine = AskMarks(state).key().value_or(Secret()).reveal(); });
  }
  for (const std::string& one : seen) {
    CHECK(one.size() == 32);
    CHECK(one == seen.front());
  }
  struct stat info {};
  REQUIRE(::stat((state / "ask.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(state)) files += entry.is_regular_file();
  CHECK(files == 1);  // no draft stays
}

TEST_CASE("a key file that holds no key is an error, not a weak key") {
  TempFolder folder;
  const std::string content =
      GENERATE("", "short\n", "zz00112233445566778899aabbccddeeff00112233445566778899aabbccddee\n");
  folder.write("ask.key", content);
  const auto key = AskMarks(folder.path()).key();
  REQUIRE_FALSE(key);
  CHECK(key.error().code == Code::corrupt);
}

TEST_CASE("one of many takes a mark, once and for all") {
  TempFolder folder;
  std::atomic<int> won = 0;
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < 8; ++i)
      all.emplace_back(
          [&] { won += AskMarks(folder.path()).take("abc", kNow + 10min, kNow).value_or(false) ? 1 : 0; });
  }
  CHECK(won == 1);
  AskMarks later(folder.path());
  CHECK(later.take("abc", kNow + 10min, kNow + 5min) == false);
  CHECK(later.take("abd", kNow + 10min, kNow + 5min) == true);
  CHECK_FALSE(later.take("../abc", kNow, kNow));
  CHECK(later.take("soon", kNow + 50h, kNow + 49h) == true);  // a clock that jumps ahead and back
  CHECK(later.take("abc", kNow + 10min, kNow + 6min) == false);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "asked"))
    std::filesystem::last_write_time(entry.path(), std::filesystem::file_time_type::clock::now() - 25h);
  CHECK(later.take("late", kNow + 3h, kNow + 2h) == true);  // those from before go, "soon" is still good
  std::size_t marks = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "asked"))
    marks += entry.exists();
  CHECK(marks == 2);
}

TEST_CASE("a mark that cannot be written counts as taken by nobody") {
  TempFolder folder;
  folder.write("asked", "a file where the folder should be");
  CHECK_FALSE(AskMarks(folder.path()).take("abc", kNow + 10min, kNow));
}
