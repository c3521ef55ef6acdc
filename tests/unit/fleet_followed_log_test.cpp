#include "fleet/followed_log.h"

#include <sys/stat.h>

#include "core/files.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/state_samples.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
namespace fs = std::filesystem;

TEST_CASE("the end of a log that a look saw can be read at home, by its owner only") {
  const TempFolder folder;
  const Rental rental = sample_rental("vg-a", "q-1", 2);
  const fs::path file = followed_log(folder.path(), rental, "exp01");
  keep_followed(folder.path(), rental, "exp01", "");
  CHECK_FALSE(fs::exists(file));
  keep_followed(folder.path(), rental, "exp01", "step 1\n");
  CHECK(*read_file(file, 1000) == "step 1\n");
  struct stat info {};
  REQUIRE(::stat((folder.path() / "followed").c_str(), &info) == 0);
  CHECK((info.st_mode & 077U) == 0);

  REQUIRE(::stat(file.c_str(), &info) == 0);
  const auto before = info.st_ino;
  keep_followed(folder.path(), rental, "exp01", "step 1\n");  // nothing new: nobody is told of a change
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK(info.st_ino == before);
  keep_followed(folder.path(), rental, "exp01", "step 2\n");
  CHECK(*read_file(file, 1000) == "step 2\n");
  CHECK(std::distance(fs::directory_iterator(file.parent_path()), fs::directory_iterator()) == 1);
}

TEST_CASE("logs of a hundred rentals are kept, and those nobody looked at for longest go first") {
  const TempFolder folder;
  const auto rental = [](int n) { return sample_rental(text("vg-", n), "q", 2); };
  for (int n = 0; n < 100; ++n) {
    keep_followed(folder.path(), rental(n), "e", "x");
    fs::last_write_time(followed_log(folder.path(), rental(n), "e").parent_path(),
                        fs::file_time_type::clock::now() - std::chrono::hours(200 - n));
  }
  keep_followed(folder.path(), rental(100), "e", "x");
  CHECK_FALSE(fs::exists(followed_log(folder.path(), rental(0), "e")));
  CHECK(fs::exists(followed_log(folder.path(), rental(1), "e")));
  CHECK(fs::exists(followed_log(folder.path(), rental(100), "e")));
}
