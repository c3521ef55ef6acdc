// Large files on their way: what a crash leaves is taken up as far as it is safe, and never more.
#include <fcntl.h>

#include "core/files.h"
#include "remote/landing.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

const FileTime kTime{1'700'000'000, 5};

fs::path only(const fs::path& folder, const std::string& ending) {
  fs::path found;
  for (const auto& e : fs::directory_iterator(folder))
    if (e.path().string().ends_with(ending) == !ending.empty() &&
        (!ending.empty() || e.path().extension() != ".journal"))
      found = e.path();
  return found;
}

}  // namespace

TEST_CASE("ranges join, count, and know what is missing") {
  Ranges r;
  CHECK(r.missing(10) == std::vector<Range>{{0, 10}});
  r.add({4, 6});
  r.add({8, 9});
  CHECK(r.prefix() == 0);
  r.add({0, 4});
  CHECK(r.prefix() == 6);
  CHECK(r.total() == 7);
  CHECK(r.missing(10) == std::vector<Range>{{6, 8}, {9, 10}});
  r.add({5, 9});
  CHECK(r.prefix() == 9);
  r.add({3, 3});
  CHECK(r.total() == 9);
  CHECK(r.missing(9).empty());
}

TEST_CASE("a part goes on where it stopped, and only for the same state of the same file") {
  TempFolder home;
  {
    Landing landing(home.path());
    auto part = landing.resume("sub/big", 100, kTime);
    REQUIRE(part);
    CHECK((*part)->resumed() == 0);
    REQUIRE((*part)->write(0, std::string(30, 'a')));
    REQUIRE((*part)->write(50, std::string(10, 'b')));
    REQUIRE((*part)->save());
    REQUIRE((*part)->write(60, std::string(5, 'b')));  // saved at the end
  }
  Landing landing(home.path());
  CHECK(landing.begun("sub/big", 100, kTime) > 0);
  SECTION("the same") {
    auto part = landing.resume("sub/big", 100, kTime);
    REQUIRE(part);
    CHECK((*part)->resumed() == 45);
    CHECK((*part)->landed().missing(100) == std::vector<Range>{{30, 50}, {65, 100}});
    REQUIRE((*part)->write(30, std::string(20, 'c')));
    REQUIRE((*part)->write(65, std::string(35, 'd')));
    REQUIRE((*part)->close(kTime));
    REQUIRE(landing.place(**part, ""));
    part->reset();
    CHECK(read_file(home.path() / "sub/big", 1000) ==
          std::string(30, 'a') + std::string(20, 'c') + std::string(15, 'b') + std::string(35, 'd'));
    CHECK(std::distance(fs::directory_iterator(home.path() / "sub"), {}) == 1);
  }
  SECTION("another time: begun anew, and the old part is gone") {
    auto part = landing.resume("sub/big", 100, FileTime{kTime.seconds, 6});
    REQUIRE(part);
    CHECK((*part)->resumed() == 0);
    part->reset();
    CHECK(fs::is_empty(home.path() / "sub"));  // nothing landed, nothing stays
  }
  SECTION("while another process is at it, it is left alone") {
    auto first = landing.resume("sub/big", 100, kTime);
    REQUIRE(first);
    auto second = landing.resume("sub/big", 100, kTime);
    REQUIRE(second);
    CHECK((*second)->resumed() == 0);
    REQUIRE((*second)->write(0, "xx"));
    second->reset();
    CHECK((*first)->resumed() == 45);
  }
  SECTION("a link in its place is not followed") {
    const auto precious = home.write("precious", "precious");
    const fs::path part = home.path() / "sub" / PartFile::name_of("big", 100, kTime);
    fs::remove(part);
    fs::create_symlink(precious, part);
    auto made = landing.resume("sub/big", 100, kTime);
    REQUIRE(made);
    REQUIRE((*made)->write(0, "evil"));
    CHECK(read_file(precious, 100) == "precious");
    fs::remove(part);
    fs::create_hard_link(precious, part);
    auto again = landing.resume("sub/big", 100, kTime);
    REQUIRE(again);
    REQUIRE((*again)->write(0, "evil"));
    CHECK(read_file(precious, 100) == "precious");
  }
}

TEST_CASE("wherever a crash cuts the journal, no byte counts that did not land") {
  std::string whole;
  for (std::size_t cut = 0;; ++cut) {
    CAPTURE(cut);
    TempFolder home;
    Landing landing(home.path());
    {
      auto part = landing.resume("big", 1'000'000, kTime);
      REQUIRE(part);
      for (const std::uint64_t at : {0u, 200'000u, 150'000u}) {
        REQUIRE((*part)->write(at, std::string(50'000, 'x')));
        REQUIRE((*part)->save());
      }
    }
    const auto journal = only(home.path(), ".journal");
    REQUIRE_FALSE(journal.empty());
    whole = *read_file(journal, 10'000);
    if (cut > whole.size()) break;
    for (const std::string tail : {"", "\0\0\0\0", "9", " 7\n", "1 99999999999999999999\n"}) {
      home.write(journal.filename().string(), whole.substr(0, cut) + tail);
      auto part = landing.resume("big", 1'000'000, kTime);
      REQUIRE(part);
      const auto missing = (*part)->landed().missing(1'000'000);
      REQUIRE_FALSE(missing.empty());
      CHECK(missing.back().to == 1'000'000);
      CHECK(missing.back().from <= 250'000);
      CHECK(missing.back().from >= (missing.size() > 1 ? 200'000u : 0u));
      (*part)->drop();
      // As it was, for the next tail.
      auto again = landing.resume("big", 1'000'000, kTime);
      for (const std::uint64_t at : {0u, 200'000u, 150'000u})
        REQUIRE((*again)->write(at, std::string(50'000, 'x')));
      REQUIRE((*again)->save());
    }
  }
}

TEST_CASE("two names that a disk holds to be one do not take each other's place") {
  TempFolder home;
  Landing landing(home.path());
  auto first = landing.begin("Model.pt");
  REQUIRE(first);
  REQUIRE(first->write("one"));
  REQUIRE(first->close(kTime));
  REQUIRE(landing.place(*first, ""));
  // What a disk does that folds case, accents or trailing dots: both names lead to one file.
  fs::create_hard_link(home.path() / "Model.pt", home.path() / "model.pt.");
  auto second = landing.begin("model.pt.");
  REQUIRE(second);
  REQUIRE(second->write("two"));
  REQUIRE(second->close(kTime));
  const auto placed = landing.place(*second, "");
  REQUIRE_FALSE(placed);
  CHECK(placed.error().what.find("same as that of another") != std::string::npos);
  CHECK(read_file(home.path() / "Model.pt", 100) == "one");
}

TEST_CASE("parts of a week ago are leftovers, younger ones are not") {
  constexpr std::int64_t kHour = 3600, kDay = 24 * kHour;
  CHECK(is_leftover(".vast-gpu-part-of-aaaa-bbbb", 8 * kDay));
  CHECK_FALSE(is_leftover(".vast-gpu-part-of-cccc-dddd", 6 * kDay));
  CHECK(is_leftover(".vast-gpu-part-0123", 2 * kHour));
  CHECK_FALSE(is_leftover(".vast-gpu-part-0123", kHour / 2));
  CHECK_FALSE(is_leftover("model.pt", 365 * kDay));
}
