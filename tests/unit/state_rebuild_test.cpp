// A ledger that is gone or damaged: what can be read comes back, what cannot is kept aside, and it is said.

#include "core/files.h"
#include "state/ledger_rebuild.h"
#include "tests/support/catch.h"
#include "tests/support/state_samples.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

bool mentions(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

std::vector<std::filesystem::path> kept_aside(const TempFolder& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    if (mentions(entry.path().filename().string(), ".damaged-") && entry.path().extension() != ".sqlite-wal")
      found.push_back(entry.path());
  return found;
}

/// A closed ledger with `rentals` rentals, a job and a receipt each.
void fill(const std::filesystem::path& path, int rentals) {
  const auto ledger = SqliteLedger::open(path);
  REQUIRE(ledger);
  for (int i = 0; i < rentals; ++i) {
    const std::string label = "vg-" + std::to_string(i);
    REQUIRE((*ledger)->open_intent(sample_rental(label, "q-" + label, 1), {}));
    REQUIRE(
        (*ledger)->put_job({label, "exp", "python train.py", true, JobState::running, {}, kSampleTime, {}}));
    REQUIRE((*ledger)->add_receipt(label, kSampleTime, {{"complete", true}}));
  }
}

}  // namespace

TEST_CASE("a sound ledger is opened and nothing is said, a first one too") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  for (int turn = 0; turn < 2; ++turn) {
    const auto opened = open_or_rebuild(path, "test", turn == 1, kSampleTime);
    REQUIRE(opened);
    CHECK(opened->rebuilt.empty());
  }
  CHECK(kept_aside(folder).empty());
}

TEST_CASE("a ledger that was there and is missing is made anew, and that is said") {
  const TempFolder folder;
  const auto opened = open_or_rebuild(folder.path() / "ledger.db", "test", true, kSampleTime);
  REQUIRE(opened);
  CHECK(mentions(opened->rebuilt, "was missing"));
}

TEST_CASE("a file that is no database is kept aside as it is") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  folder.write("ledger.db", std::string(9000, 'x'));
  const auto opened = open_or_rebuild(path, "test", true, kSampleTime);
  REQUIRE(opened);
  CHECK(mentions(opened->rebuilt, "damaged"));
  const auto aside = kept_aside(folder);
  REQUIRE(aside.size() == 1);
  CHECK(*read_file(aside.front(), 10'000) == std::string(9000, 'x'));
  REQUIRE(opened->ledger->open_intent(sample_rental("vg-new", "q-1", 1), {}));
}

TEST_CASE("what stands before the damage comes back with its jobs and receipts") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  fill(path, 200);
  std::string content = *read_file(path, 10'000'000);
  REQUIRE(content.size() > 100'000);
  // One page in the middle: some table loses what comes after it, the others lose nothing.
  for (std::size_t at = content.size() / 2 / 4096 * 4096, end = at + 4096; at < end; ++at)
    content[at] = '\x7f';
  folder.write("ledger.db", content);
  const auto opened = open_or_rebuild(path, "test", true, kSampleTime);
  REQUIRE(opened);
  INFO(opened->rebuilt);
  REQUIRE_FALSE(opened->rebuilt.empty());
  const auto rentals = opened->ledger->rentals(true);
  REQUIRE(rentals);
  CHECK(rentals->size() >= 20);
  std::size_t jobs = 0;
  for (const Rental& r : *rentals) jobs += opened->ledger->jobs(r.label)->size();
  CHECK(jobs > 0);
  CHECK(mentions(opened->rebuilt, std::to_string(rentals->size()) + " rentals"));
}

TEST_CASE("wherever a page is damaged, the new ledger is sound and knows nothing that was not there") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  fill(path, 40);
  const std::string whole = *read_file(path, 10'000'000);
  for (std::size_t page = 0; page * 4096 < whole.size(); page += 3) {
    CAPTURE(page);
    std::string content = whole;
    for (std::size_t at = page * 4096; at < std::min(content.size(), page * 4096 + 4096); ++at)
      content[at] = static_cast<char>(at * 31);
    folder.write("ledger.db", content);
    std::filesystem::remove(path.string() + "-wal");
    std::filesystem::remove(path.string() + "-shm");
    const auto opened = open_or_rebuild(path, "test", true, kSampleTime);
    REQUIRE(opened);
    CHECK(opened->ledger->check());
    const auto rentals = opened->ledger->rentals(false);
    REQUIRE(rentals);
    for (const Rental& r : *rentals) CHECK((r.label.starts_with("vg-") && r.worst_case == Usd{1}));
  }
}

TEST_CASE("somebody else's database is not ours to move") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  {
    auto db = Database::open(path, 1s);
    REQUIRE(db);
    REQUIRE(db->run("CREATE TABLE bookmarks (url TEXT)"));
  }
  CHECK_FALSE(open_or_rebuild(path, "test", true, kSampleTime));
  CHECK(kept_aside(folder).empty());
}
