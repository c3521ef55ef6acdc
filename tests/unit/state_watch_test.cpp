// What the ledger keeps beside rentals: envelopes, what the layers last said, charges, boots, the account,
// and the audit that only grows.

#include "state/schema.h"
#include "state/sqlite_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/state_samples.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<SqliteLedger> open_in(const TempFolder& folder, const std::string& actor = {}) {
  auto ledger = SqliteLedger::open(folder.path() / "ledger.db", actor);
  if (!ledger) FAIL(ledger.error().what);
  return *std::move(ledger);
}

bool mentions(const Error& e, const std::string& words) {
  return (e.what + " | " + e.next_step).find(words) != std::string::npos;
}

SpendingEnvelope sample_envelope() {
  return {"e-1", "/home/mira/project", 3, Usd{6}, kSampleTime + 4h, kSampleTime};
}

Rental drawing(const std::string& label, double worst_case, TimePoint at = kSampleTime) {
  Rental r = sample_rental(label, "q-" + label, worst_case);
  r.envelope = "e-1";
  r.created = at;
  return r;
}

}  // namespace

TEST_CASE("every field of a rental comes back, its machine's key without being shown") {
  const TempFolder folder;
  Rental want = sample_rental("vg-a", "q-1", 2);
  want.at_end = LeaseEnd::destroy;
  want.renew_to = Usd{4.5};
  want.replaces = "vg-before";
  want.instance_key = Secret("k-123");
  want.adopted = true;
  want.seen_price = UsdPerHour{0.4};
  want.idle_since = kSampleTime + 1h;
  REQUIRE(open_in(folder)->open_intent(want, {}));
  const auto back = open_in(folder)->rental_by_label("vg-a");
  REQUIRE((back && *back));
  const Rental& r = **back;
  CHECK((r.at_end == LeaseEnd::destroy && r.renew_to == Usd{4.5} && r.replaces == "vg-before" && r.adopted));
  CHECK((r.instance_key.reveal() == "k-123" && r.seen_price == UsdPerHour{0.4}));
  CHECK(r.idle_since == kSampleTime + 1h);
}

TEST_CASE("an envelope lets through what was approved, in number, in money and in time") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  const auto nowhere = ledger->open_intent(drawing("vg-0", 1), {});
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code == Code::not_found);
  REQUIRE(ledger->add_envelope(sample_envelope()));
  CHECK(ledger->open_envelopes("/home/mira/project", kSampleTime)->size() == 1);
  CHECK(ledger->open_envelopes("/home/mira/project", kSampleTime + 4h)->empty());
  CHECK(ledger->open_envelopes("/home/other", kSampleTime)->empty());

  REQUIRE(ledger->open_intent(drawing("vg-a", 4), {}));
  const auto dear = ledger->open_intent(drawing("vg-b", 2.01), {});
  REQUIRE_FALSE(dear);
  CHECK(dear.error().code == Code::over_budget);
  CHECK(mentions(dear.error(), "approved for $6.00"));
  const auto late = ledger->open_intent(drawing("vg-b", 1, kSampleTime + 5h), {});
  REQUIRE_FALSE(late);
  CHECK(mentions(late.error(), "approved until"));
  REQUIRE(ledger->open_intent(drawing("vg-b", 1), {}));
  REQUIRE(ledger->open_intent(drawing("vg-c", 1), {}));
  const auto fourth = ledger->open_intent(drawing("vg-d", 0), {});
  REQUIRE_FALSE(fourth);
  CHECK(mentions(fourth.error(), "approved for 3 rentals"));
  const auto use = ledger->envelope_use("e-1");
  REQUIRE(use);
  CHECK((use->rentals == 3 && use->usd == Usd{6}));
}

TEST_CASE("what ended early gives its unused lease back to the envelope, what was refused all of it") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->add_envelope(sample_envelope()));
  Rental a = drawing("vg-a", 5);
  REQUIRE(ledger->open_intent(a, {}));
  a.status = Status::refused;
  REQUIRE(ledger->update_rental(a));
  CHECK(ledger->envelope_use("e-1")->rentals == 0);
  Rental b = drawing("vg-b", 5);  // five hours at 0.3412
  REQUIRE(ledger->open_intent(b, {}));
  b.status = Status::destroyed;
  b.ended = kSampleTime + 1h;
  REQUIRE(ledger->update_rental(b));
  CHECK(std::abs(ledger->envelope_use("e-1")->usd.value - (5 - 4 * 0.3412)) < 1e-9);
}

TEST_CASE("an extension draws from the envelope, also after its time") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->add_envelope(sample_envelope()));
  REQUIRE(ledger->open_intent(drawing("vg-a", 2), {}));
  REQUIRE(ledger->extend_lease("vg-a", kSampleTime + 8h, Usd{6}, kSampleTime + 5h, {}));
  const auto over = ledger->extend_lease("vg-a", kSampleTime + 9h, Usd{6.01}, kSampleTime + 5h, {});
  REQUIRE_FALSE(over);
  CHECK(over.error().code == Code::over_budget);
}

TEST_CASE("a lease is shortened, never lengthened by that, and its worst case stays") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "q-1", 2), {}));
  REQUIRE(ledger->shorten_lease("vg-a", kSampleTime + 2h));
  REQUIRE(ledger->shorten_lease("vg-a", kSampleTime + 3h));
  const auto now = ledger->rental_by_label("vg-a");
  CHECK(((*now)->lease_end == kSampleTime + 2h && (*now)->worst_case == Usd{2}));
  CHECK(ledger->shorten_lease("vg-none", kSampleTime).error().code == Code::not_found);
}

TEST_CASE("each layer's last word replaces the one before") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->note_layer({"vg-a", "guard", kSampleTime, "armed"}));
  REQUIRE(ledger->note_layer({"vg-a", "guard", kSampleTime + 1min, "no key"}));
  REQUIRE(ledger->note_layer({"", "keeper", kSampleTime, "pid 7"}));
  const auto of_rental = ledger->layers("vg-a");
  REQUIRE((of_rental && of_rental->size() == 1));
  CHECK((of_rental->front().at == kSampleTime + 1min && of_rental->front().detail == "no key"));
  CHECK(ledger->layers("")->size() == 1);
}

TEST_CASE("charges are replaced as a whole, boots are added, both by known rental and machine") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "q-1", 2), {}));
  REQUIRE(ledger->put_charges("vg-a",
                              {{"vg-a", "gpu", Usd{1}, kSampleTime}, {"vg-a", "disk", Usd{2}, kSampleTime}}));
  REQUIRE(ledger->put_charges("vg-a", {{"vg-a", "gpu", Usd{3}, kSampleTime + 1h}}));
  const auto charges = ledger->charges("vg-a");
  REQUIRE((charges && charges->size() == 1));
  CHECK(charges->front().amount == Usd{3});
  CHECK(ledger->put_charges("vg-b", {{"vg-b", "gpu", Usd{3}, kSampleTime}}).error().code == Code::not_found);
  REQUIRE(ledger->add_machine_boot({{4711}, kSampleTime, Hours(0.1)}));
  CHECK(ledger->machine_boots({4711})->front().took == Hours(0.1));
  CHECK(ledger->machine_boots({1})->empty());
}

TEST_CASE("a ledger belongs to the account that used it first") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->pin_account({42}));
  REQUIRE(ledger->pin_account({42}));
  const auto other = open_in(folder)->pin_account({43});
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Code::wrong_state);
  CHECK((mentions(other.error(), "43") && mentions(other.error(), "42")));
}

TEST_CASE("the audit names who asked, and nobody can change or remove a line of it") {
  const TempFolder folder;
  const auto ledger = open_in(folder, "keeper 4711");
  REQUIRE(ledger->add_event({kSampleTime, "outbid", "vg-a", {{"floor", 0.2}}}));
  REQUIRE(ledger->add_event({kSampleTime + 1h, "outbid", "vg-b"}));
  const auto events = ledger->events("vg-a");
  REQUIRE((events && events->size() == 1));
  CHECK(events->front().actor == "keeper 4711");
  CHECK(ledger->events_of_kind("outbid", kSampleTime)->size() == 2);
  CHECK(ledger->events_of_kind("outbid", kSampleTime + 1min)->size() == 1);
  auto db = Database::open(folder.path() / "ledger.db", 1s);
  REQUIRE(db);
  CHECK_FALSE(db->run("DELETE FROM events"));
  CHECK_FALSE(db->run("UPDATE events SET kind = 'other'"));
  CHECK(*db->ask("SELECT count(*) FROM events") == "2");
}

TEST_CASE("a ledger of before knows its adopted rentals and ends none of them otherwise than it did") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  {
    auto db = Database::open(path, 1s);
    REQUIRE(db);
    REQUIRE(migrate(*db, ledger_steps().first(3)));
    const std::string values =
        "'', '/p', 1, 1, 7, 'ready', 'RTX 4090', 1, 0.3, 0, 'i', 10, NULL, 1, 1, NULL, NULL, 1, NULL, 2, "
        "NULL, NULL, "
        "NULL, ";
    for (const std::string& row :
         {"'vg-a', " + values + "'adopted: it carried our label and was not in this ledger'",
          "'vg-b', " + values + "''"})
      REQUIRE(db->run(
          ("INSERT INTO rentals (label, quote_id, project, offer, machine, instance, status, gpu_name, "
           "num_gpus, price, interruptible, image, disk, work_hours, estimate, worst_case, ssh, "
           "host_key, created, ready, lease_end, ended, setup_done, collected, note) VALUES (" +
           row + ")")
              .c_str()));
  }
  const auto ledger = SqliteLedger::open(path);
  REQUIRE(ledger);
  const auto a = (*ledger)->rental_by_label("vg-a"), b = (*ledger)->rental_by_label("vg-b");
  REQUIRE((a && *a && b && *b));
  CHECK(((*a)->adopted && !(*b)->adopted));
  CHECK(((*b)->at_end == LeaseEnd::stop && (*b)->renew_to == Usd{0}));
}
