// Files that several rentals of one project bring into one folder at the same time.
#include "remote/landing.h"

#include <barrier>
#include <set>
#include <thread>

#include "core/files.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
namespace fs = std::filesystem;

TEST_CASE("two that bring the same name at once both stay at home") {
  constexpr int kRounds = 300;
  std::size_t lost = 0, failed = 0;
  TempFolder home;
  for (int round = 0; round < kRounds; ++round) {
    const fs::path folder = home.path() / text("r", round);
    std::barrier start(2);
    std::atomic<int> placed = 0;
    const auto bring = [&](const std::string& content) {
      Landing landing(folder);
      auto part = landing.begin("model.pt");
      const bool ready = part && part->write(content) && part->close({1'700'000'000, 0});
      start.arrive_and_wait();
      if (ready && landing.place(*part, "")) ++placed;
    };
    std::thread one(bring, "of the first"), other(bring, "of the second");
    one.join();
    other.join();
    std::set<std::string> contents;
    for (const auto& e : fs::directory_iterator(folder))
      contents.insert(read_file(e.path(), 100).value_or(""));
    if (placed != 2) ++failed;
    if (contents != std::set<std::string>{"of the first", "of the second"}) ++lost;
  }
  CHECK(lost == 0);
  CHECK(failed == 0);
}

TEST_CASE("a whole part that waits for its name is no leftover, however old its file is") {
  TempFolder home;
  Landing one(home.path()), other(home.path());
  auto part = one.begin("old.pt");
  REQUIRE(part);
  REQUIRE(part->write("content"));
  REQUIRE(part->close({1'000'000'000, 0}));  // a result of long ago
  REQUIRE(other.begin("new.pt"));            // sweeps the folder
  REQUIRE(one.place(*part, ""));
  CHECK(read_file(home.path() / "old.pt", 100) == "content");
}
