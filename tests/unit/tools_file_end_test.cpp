#include "tools/file_end.h"

#include <sys/stat.h>

#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

TEST_CASE("the end of a file is read whatever its size") {
  const TempFolder folder;
  const auto file = folder.write("log", "the beginning");
  CHECK(*read_file_end(file, 100) == "the beginning");
  CHECK(*read_file_end(file, 9) == "beginning");
  std::filesystem::resize_file(file, 8ull << 30);  // takes no room on disk
  CHECK(*read_file_end(file, 4) == std::string(4, '\0'));
  CHECK(read_file_end(folder.write("empty", ""), 4)->empty());
}

TEST_CASE("what is no file has no end") {
  const TempFolder folder;
  CHECK(read_file_end(folder.path() / "none", 4).error().code == Code::not_found);
  CHECK(read_file_end(folder.path(), 4).error().code == Code::invalid_argument);
  const auto pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(read_file_end(pipe, 4).error().code == Code::invalid_argument);
}
