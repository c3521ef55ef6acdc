// What a collection knows of earlier ones, and of other rentals of the project.
#include "fleet/bring_home.h"

#include "core/files.h"
#include "state/sqlite_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/shelf_market.h"
#include "tests/support/state_samples.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {

constexpr const char* kResults = "/workspace/project/results";

class NoShell : public Connector {
  Result<Connection> connect(const SshTarget&, std::stop_token) override {
    return fail({.what = "no machines here"});
  }
  Result<std::string> public_key() override { return fail({.what = "no keys here"}); }
};

ReceiptFile file(const std::string& path, const std::string& sha256) {
  return {.path = path, .folder = kResults, .size = 4, .sha256 = sha256};
}

Receipt receipt_of(std::vector<ReceiptFile> files, bool complete) {
  Receipt r;
  r.files = std::move(files);
  r.complete = complete;
  return r;
}

/// A machine whose collections go as the test says.
class Told : public Shell {
 public:
  std::vector<ReceiptFile> places;
  std::optional<Receipt> answer;  ///< none: the link breaks
  std::function<void(const CollectSource& results)> look = {};
  Result<ExecResult> exec(const std::string&, const ExecOptions&, std::stop_token) override { return no(); }
  Result<SyncReport> sync_up(const std::filesystem::path&, const std::string&, const SyncRules&,
                             const ProgressFn&, std::stop_token) override {
    return no();
  }
  Result<void> put(const std::string&, const std::string&, unsigned, std::stop_token) override {
    return no();
  }
  Result<Receipt> collect(const std::vector<CollectSource>& sources, const CollectOptions& options,
                          const ProgressFn&, std::stop_token) override {
    if (look) look(sources.at(0));
    for (const ReceiptFile& f : places) options.placed(f);
    if (!answer) return no();
    return *answer;
  }
  std::string host_key_fingerprint() const override { return {}; }
  Result<std::string> host_public_key(std::stop_token) override { return no(); }
  SshLink* link() override { return nullptr; }

 private:
  static tl::unexpected<Error> no() { return fail({.code = Code::unavailable, .what = "the link broke"}); }
};

struct Desk {
  TempFolder folder;
  ShelfMarket market;
  NoShell ssh;
  FakeClock clock;
  std::unique_ptr<SqliteLedger> ledger = *SqliteLedger::open(folder.path() / "ledger.db");
  Deps deps{market, ssh, *ledger, clock, {}};
  Rental rent(const std::string& label, std::int64_t id) {
    Rental rental = sample_rental(label, "", 1);
    rental.project = folder.path().string();
    REQUIRE(ledger->open_intent(rental, {}));
    rental.instance = InstanceId{id};
    rental.status = Status::ready;
    REQUIRE(ledger->update_rental(rental));
    return rental;
  }
  Result<Receipt> collect(Rental& rental, Told& shell) {
    clock.advance(std::chrono::minutes(10));
    std::filesystem::create_directories(folder.path() / "logs");
    return bring_home(deps, rental, shell, {});
  }
};

}  // namespace

TEST_CASE("what was placed is known next time, also after a call that failed and one that missed it") {
  Desk d;
  Rental rental = d.rent("vg-a", 41);
  Told shell;
  std::map<std::string, KnownFile> known;
  shell.look = [&](const CollectSource& results) { known = results.known; };
  shell.answer = receipt_of({file("last.pt", "one"), file("x.json", "x")}, true);
  REQUIRE(d.collect(rental, shell));
  shell.places = {file("last.pt", "two")};
  shell.answer.reset();
  REQUIRE_FALSE(d.collect(rental, shell));
  shell.places.clear();
  // It changes while it is read: not in this receipt.
  shell.answer = receipt_of({file("x.json", "x")}, false);
  REQUIRE(d.collect(rental, shell));
  CHECK(known["last.pt"].sha256 == "two");
  CHECK(known["x.json"].sha256 == "x");
  REQUIRE(d.collect(rental, shell));
  CHECK(known["last.pt"].sha256 == "two");
  CHECK(known.size() == 2);
}

TEST_CASE("the names of another rental's files are its own, while it is open and by its receipt") {
  Desk d;
  Rental one = d.rent("vg-a", 41);
  Told shell;
  shell.answer = receipt_of({file("model.pt", "of one")}, true);
  shell.look = [](const CollectSource& results) {
    CHECK_FALSE(results.keeps_name("model.pt", "of the user", false));
    CHECK_FALSE(results.keeps_name("model.pt", "of one", true));
    CHECK(results.aside == "41/");
  };
  REQUIRE(d.collect(one, shell));
  Rental other = d.rent("vg-b", 42);
  shell.look = [](const CollectSource& results) {
    CHECK(results.keeps_name("model.pt", "not yet in any receipt", false));
    CHECK(results.keeps_name("model.pt", "of one", true));  // both have it: neither replaces it
    CHECK_FALSE(results.keeps_name("model.pt", "of the other", true));
    CHECK(results.aside == "42/");
  };
  REQUIRE(d.collect(other, shell));
  one.status = Status::destroyed;
  one.ended = d.clock.now();
  REQUIRE(d.ledger->update_rental(one));
  shell.look = [](const CollectSource& results) {
    CHECK(results.keeps_name("model.pt", "of one", false));
    CHECK_FALSE(results.keeps_name("model.pt", "of the user", false));
  };
  REQUIRE(d.collect(other, shell));
}
