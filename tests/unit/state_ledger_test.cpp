#include <sys/stat.h>

#include <fstream>
#include <iostream>

#include "core/files.h"
#include "state/schema.h"
#include "state/sqlite_ledger.h"
#include "tests/support/catch.h"
#include "tests/support/state_samples.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<SqliteLedger> open_in(const TempFolder& folder) {
  auto ledger = SqliteLedger::open(folder.path() / "state" / "ledger.db");
  if (!ledger) FAIL(ledger.error().what);
  return *std::move(ledger);
}

bool mentions(const Error& e, const std::string& words) {
  return (e.what + " | " + e.next_step).find(words) != std::string::npos;
}

unsigned mode_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777U : 0;
}

}  // namespace

TEST_CASE("a quote comes back as it was stored, in another process's eyes too") {
  const TempFolder folder;
  REQUIRE(open_in(folder)->add_quote(sample_quote("q-1")));
  const auto ledger = open_in(folder);
  const auto back = ledger->quote("q-1");
  REQUIRE((back && *back));
  const Quote want = sample_quote("q-1");
  const Quote& q = **back;
  CHECK((q.id == want.id && q.project == want.project && q.title == want.title && q.offer == want.offer));
  CHECK((q.machine == want.machine && q.gpu_name == want.gpu_name && q.num_gpus == 2 &&
         q.gpu_ram == want.gpu_ram));
  CHECK((q.price == want.price && q.interruptible && q.image == want.image && q.disk == want.disk));
  CHECK((q.work == want.work && q.lease == want.lease && q.estimate == want.estimate));
  CHECK((q.worst_case == want.worst_case && q.disk_per_day == want.disk_per_day && q.facts == want.facts));
  CHECK((q.created == want.created && q.expires == want.expires));

  CHECK_FALSE(ledger->quote("q-2")->has_value());
  const auto again = ledger->add_quote(sample_quote("q-1"));
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Code::wrong_state);
}

TEST_CASE("quotes of a project come newest first, as many as asked for") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  for (int i = 0; i < 5; ++i) {
    Quote q = sample_quote("q-" + std::to_string(i));
    q.created += std::chrono::seconds(i / 2);  // some share a moment: then the later entry is newer
    if (i == 4) q.project = "/elsewhere";
    REQUIRE(ledger->add_quote(q));
  }
  const auto some = ledger->quotes("/home/mira/project", 3);
  REQUIRE(some);
  REQUIRE(some->size() == 3);
  CHECK(((*some)[0].id == "q-3" && (*some)[1].id == "q-2" && (*some)[2].id == "q-1"));
  CHECK(ledger->quotes("/home/mira/project", -1)->empty());
}

TEST_CASE(
    "a rental keeps every field, is found by label, instance and quote, and is listed while it may bill") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "q-1", 2), {}));
  Rental r = **ledger->rental_by_label("vg-a");
  CHECK_FALSE(
      (r.instance || r.work || r.ssh || r.host_key || r.ready || r.ended || r.setup_done || r.collected));

  r.instance = InstanceId{70010001};
  r.status = Status::ready;
  r.work = Hours(3.5);
  r.ssh = Endpoint{"2001:db8::7", 41022};
  r.host_key = "SHA256:abc";
  r.ready = kSampleTime + 3min;
  r.setup_done = kSampleTime + 4min;
  r.collected = kSampleTime + 5min;
  r.ended = kSampleTime + 1us;
  r.note = "slow\nhost";
  REQUIRE(ledger->update_rental(r));
  for (const auto& found : {ledger->rental_by_label("vg-a"), ledger->rental_by_instance({70010001}),
                            ledger->rental_by_quote("q-1")}) {
    REQUIRE((found && *found));
    const Rental& f = **found;
    CHECK((f.label == "vg-a" && f.quote_id == "q-1" && f.project == r.project && f.offer == r.offer));
    CHECK((f.machine == r.machine && f.instance == r.instance && f.status == Status::ready));
    CHECK((f.gpu_name == r.gpu_name && f.num_gpus == 2 && f.price == r.price && f.interruptible));
    CHECK((f.image == r.image && f.disk == r.disk && f.work == r.work && f.estimate == r.estimate));
    CHECK((f.worst_case == r.worst_case && f.ssh == r.ssh && f.host_key == r.host_key &&
           f.created == r.created));
    CHECK((f.ready == r.ready && f.lease_end == r.lease_end && f.ended == r.ended && f.note == r.note));
    CHECK((f.setup_done == r.setup_done && f.collected == r.collected));
  }
  CHECK_FALSE(ledger->rental_by_instance({1})->has_value());

  Rental later = sample_rental("vg-b", "q-2", 1);
  later.created += 1h;
  REQUIRE(ledger->open_intent(later, {}));
  CHECK(ledger->rentals(true)->size() == 2);
  r.status = Status::destroyed;
  REQUIRE(ledger->update_rental(r));
  CHECK(ledger->rentals(true)->size() == 1);
  REQUIRE(ledger->rentals(false)->size() == 2);
  CHECK(ledger->rentals(false)->front().label == "vg-b");

  const auto unknown = ledger->update_rental(sample_rental("vg-none", "", 1));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Code::not_found);
}

TEST_CASE("a quote is used once, unless the marketplace refused the rental") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "q-1", 2), {}));
  const auto twice = ledger->open_intent(sample_rental("vg-b", "q-1", 2), {});
  REQUIRE_FALSE(twice);
  CHECK(twice.error().code == Code::wrong_state);
  CHECK(mentions(twice.error(), "vg-a"));

  Rental r = **ledger->rental_by_label("vg-a");
  r.status = Status::refused;
  REQUIRE(ledger->update_rental(r));
  CHECK(ledger->open_intent(sample_rental("vg-b", "q-1", 2), {}));
  CHECK((*ledger->rental_by_quote("q-1"))->label == "vg-b");

  const auto label = ledger->open_intent(sample_rental("vg-b", "q-2", 2), {});
  REQUIRE_FALSE(label);
  CHECK(label.error().code == Code::wrong_state);
  CHECK(mentions(label.error(), "label vg-b"));
  // Rentals without a quote do not get in each other's way.
  CHECK(ledger->open_intent(sample_rental("vg-c", "", 1), {}));
  CHECK(ledger->open_intent(sample_rental("vg-d", "", 1), {}));
}

TEST_CASE("the worst cases of a project's open rentals never exceed its budget") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  const IntentLimits ten{.project_budget = Usd{10}};
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "", 6), ten));
  const auto over = ledger->open_intent(sample_rental("vg-b", "", 4.5), ten);
  REQUIRE_FALSE(over);
  CHECK(over.error().code == Code::over_budget);
  for (const char* number : {"$4.50", "$6.00", "$10.00", "$10.50", "max_budget", "CLAUDE.md", "destroy"})
    CHECK(mentions(over.error(), number));
  CHECK(ledger->rentals(false)->size() == 1);

  Rental elsewhere = sample_rental("vg-c", "", 9);
  elsewhere.project = "/home/mira/other";
  CHECK(ledger->open_intent(elsewhere, ten));
  CHECK(ledger->open_intent(sample_rental("vg-d", "", 4), ten));  // fits to the cent

  Rental done = **ledger->rental_by_label("vg-a");
  done.status = Status::stopped;  // its disk still bills
  REQUIRE(ledger->update_rental(done));
  CHECK_FALSE(ledger->open_intent(sample_rental("vg-e", "", 6), ten));
  done.status = Status::destroyed;
  REQUIRE(ledger->update_rental(done));
  CHECK(ledger->open_intent(sample_rental("vg-e", "", 6), ten));
}

TEST_CASE("ten times ten cents fit a dollar, and no odd number slips past the budget") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  const IntentLimits dollar{.project_budget = Usd{1}};
  for (int i = 0; i < 10; ++i)
    CHECK(ledger->open_intent(sample_rental("vg-" + std::to_string(i), "", 0.1), dollar));
  CHECK_FALSE(ledger->open_intent(sample_rental("vg-more", "", 0.01), dollar));
  for (const double odd : {-5.0, std::nan(""), HUGE_VAL}) {
    const auto refused = ledger->open_intent(sample_rental("vg-odd", "", odd), {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::invalid_argument);
  }
}

TEST_CASE("a lease is extended within the budget, and only forwards") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  const IntentLimits ten{.project_budget = Usd{10}};
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "", 4), ten));
  REQUIRE(ledger->open_intent(sample_rental("vg-b", "", 3), ten));
  const TimePoint end = kSampleTime + 8h;
  REQUIRE(ledger->extend_lease("vg-a", end, Usd{7}, kSampleTime, ten));
  CHECK((*ledger->rental_by_label("vg-a"))->lease_end == end);
  CHECK((*ledger->rental_by_label("vg-a"))->worst_case == Usd{7});

  const auto over = ledger->extend_lease("vg-a", end + 1h, Usd{7.01}, kSampleTime, ten);
  REQUIRE_FALSE(over);
  CHECK(over.error().code == Code::over_budget);
  const auto back = ledger->extend_lease("vg-a", end - 1h, Usd{7}, kSampleTime, ten);
  REQUIRE_FALSE(back);
  CHECK(back.error().code == Code::wrong_state);
  CHECK_FALSE(ledger->extend_lease("vg-a", end + 1h, Usd{6}, kSampleTime, ten));
  CHECK(ledger->extend_lease("vg-none", end, Usd{1}, kSampleTime, ten).error().code == Code::not_found);
  CHECK((*ledger->rental_by_label("vg-a"))->lease_end == end);

  Rental gone = **ledger->rental_by_label("vg-b");
  gone.status = Status::destroyed;
  REQUIRE(ledger->update_rental(gone));
  CHECK(ledger->extend_lease("vg-b", end, Usd{3}, kSampleTime, ten).error().code == Code::wrong_state);
}

TEST_CASE("a writer with an older copy cannot undo an extension or forget a contract") {
  const TempFolder folder;
  const auto server = open_in(folder);
  const auto keeper = open_in(folder);
  REQUIRE(server->open_intent(sample_rental("vg-a", "", 4), {}));
  Rental stale = **server->rental_by_label("vg-a");
  REQUIRE(keeper->extend_lease("vg-a", kSampleTime + 9h, Usd{8}, kSampleTime, {}));
  REQUIRE(keeper->change_rental(
      "vg-a", [](Rental& r) -> Result<void> { return r.instance = InstanceId{7}, Result<void>{}; }));

  stale.note = "from the server";
  REQUIRE(server->update_rental(stale));
  const Rental now = **keeper->rental_by_label("vg-a");
  CHECK(now.note == "from the server");
  CHECK(now.instance == InstanceId{7});
  CHECK(now.lease_end == kSampleTime + 9h);
  CHECK(now.worst_case == Usd{8});
}

TEST_CASE("changing a rental reads, alters and writes as one; an error changes nothing") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "", 4), {}));
  const auto refused = ledger->change_rental("vg-a", [](Rental& r) -> Result<void> {
    r.note = "half";
    return fail({.code = Code::wrong_state, .what = "not now"});
  });
  CHECK_FALSE(refused);
  CHECK((*ledger->rental_by_label("vg-a"))->note.empty());
  const auto changed = ledger->change_rental("vg-a", [](Rental& r) -> Result<void> {
    r.label = "another";
    r.note = "whole";
    return {};
  });
  REQUIRE(changed);
  CHECK((changed->label == "vg-a" && changed->note == "whole"));
  CHECK(ledger->change_rental("vg-x", [](Rental&) -> Result<void> { return {}; }).error().code ==
        Code::not_found);
}

TEST_CASE("jobs are replaced by name and listed newest first") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "", 4), {}));
  Job job{"vg-a",      "m1_seed0", "python train.py --note \"it's\"", false, JobState::running, {},
          kSampleTime, {}};
  REQUIRE(ledger->put_job(job));
  Job second = job;
  second.experiment = "m1_seed1";
  second.started += 1s;
  REQUIRE(ledger->put_job(second));
  job.state = JobState::failed;
  job.exit_code = 137;
  job.ended = kSampleTime + 1h;
  REQUIRE(ledger->put_job(job));

  const auto jobs = ledger->jobs("vg-a");
  REQUIRE(jobs);
  REQUIRE(jobs->size() == 2);
  CHECK((*jobs)[0].experiment == "m1_seed1");
  CHECK_FALSE((*jobs)[0].exit_code);
  const Job& back = (*jobs)[1];
  CHECK((back.command == job.command && !back.auto_destroy && back.state == JobState::failed));
  CHECK((back.exit_code == 137 && back.started == job.started && back.ended == job.ended));
  CHECK(ledger->jobs("vg-b")->empty());

  job.label = "vg-none";
  const auto orphan = ledger->put_job(job);
  REQUIRE_FALSE(orphan);
  CHECK(orphan.error().code == Code::not_found);
  CHECK(mentions(orphan.error(), "vg-none"));
}

TEST_CASE("what a look found is written only over the job that it read") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "", 4), {}));
  Job job{"vg-a", "exp01", "python train.py", true, JobState::running, {}, kSampleTime, {}};
  job.canary = true;
  REQUIRE(ledger->put_job(job));
  Job found = job;
  found.state = JobState::finished, found.exit_code = 0, found.command = "old", found.note = "seen";
  Job anew = job;
  anew.started += 1s, anew.state = JobState::starting;
  REQUIRE(ledger->put_job(anew));  // while the look was on its way
  REQUIRE(ledger->note_job(found, JobState::running));
  CHECK(ledger->jobs("vg-a")->front().state == JobState::starting);
  anew.state = JobState::stopped, anew.answered = true;
  REQUIRE(ledger->put_job(anew));
  found.started = anew.started;
  REQUIRE(ledger->note_job(found, JobState::running));  // stopped meanwhile
  CHECK(ledger->jobs("vg-a")->front().state == JobState::stopped);
  REQUIRE(ledger->note_job(found, JobState::stopped));
  const Job back = ledger->jobs("vg-a")->front();
  CHECK((back.state == JobState::finished && back.exit_code == 0 && back.note == "seen"));
  CHECK((back.command == job.command && back.started == anew.started && back.canary && back.answered));
}

TEST_CASE("receipts, events and failed machines are remembered in order") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "", 4), {}));
  CHECK_FALSE(ledger->last_receipt("vg-a")->has_value());
  REQUIRE(ledger->add_receipt("vg-a", kSampleTime, {{"files", 1}}));
  REQUIRE(ledger->add_receipt("vg-a", kSampleTime, {{"files", 2}}));
  CHECK(**ledger->last_receipt("vg-a") == json{{"files", 2}});
  CHECK(ledger->add_receipt("vg-none", kSampleTime, {}).error().code == Code::not_found);

  REQUIRE(ledger->add_event({kSampleTime, "rent", "vg-a", {{"offer", 7}}}));
  REQUIRE(ledger->add_event({kSampleTime, "destroy", "vg-a", json::object()}));
  REQUIRE(ledger->add_event({kSampleTime, "panic", "", json::object()}));
  const auto events = ledger->events("vg-a");
  REQUIRE(events);
  REQUIRE(events->size() == 2);
  CHECK(((*events)[0].kind == "rent" && (*events)[0].detail == json{{"offer", 7}} &&
         (*events)[0].at == kSampleTime));
  CHECK((*events)[1].kind == "destroy");
  CHECK(ledger->events("")->size() == 1);

  REQUIRE(ledger->add_machine_failure({{4711}, kSampleTime, "no SSH after 15 min"}));
  REQUIRE(ledger->add_machine_failure({{4712}, kSampleTime + 1h, "wrong GPU"}));
  CHECK(ledger->machine_failures(kSampleTime)->size() == 2);
  const auto recent = ledger->machine_failures(kSampleTime + 1us);
  REQUIRE(recent);
  REQUIRE(recent->size() == 1);
  CHECK((recent->front().machine == MachineId{4712} && recent->front().reason == "wrong GPU"));
}

TEST_CASE("threads share one ledger") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i)
        if (!ledger->open_intent(sample_rental("vg-" + std::to_string(t * 5 + i), "", 1),
                                 {.project_budget = Usd{13}}))
          ++refused;
    });
  for (auto& thread : threads) thread.join();
  CHECK(ledger->rentals(true)->size() == 13);
  CHECK(refused == 7);
}

TEST_CASE("the ledger is private: folder 0700, files 0600, also one that was open to others") {
  const TempFolder folder;
  const auto path = folder.path() / "a" / "b" / "ledger.db";
  {
    const auto ledger = SqliteLedger::open(path);
    REQUIRE(ledger);
    REQUIRE((*ledger)->add_event({kSampleTime, "rent", "", json::object()}));
    CHECK(mode_of(path.parent_path()) == 0700);
    for (const char* name : {"ledger.db", "ledger.db-wal", "ledger.db-shm"})
      CHECK(mode_of(path.parent_path() / name) == 0600);
  }
  ::chmod(path.c_str(), 0644);
  REQUIRE(SqliteLedger::open(path));
  CHECK(mode_of(path) == 0600);
  for (const auto& entry : std::filesystem::directory_iterator(path.parent_path()))
    CHECK(entry.path().string().find(".new-") == std::string::npos);
}

TEST_CASE("a damaged or foreign file is named, kept and not touched") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  Code expected = Code::corrupt;
  SECTION("not a database at all") { folder.write("ledger.db", std::string(5000, 'x')); }
  SECTION("a database cut in the middle") {
    {
      const auto ledger = SqliteLedger::open(path);
      REQUIRE(ledger);
      for (int i = 0; i < 50; ++i) REQUIRE((*ledger)->add_quote(sample_quote("q-" + std::to_string(i))));
    }
    std::filesystem::resize_file(path, 3000);
  }
  SECTION("a database of somebody else") {
    auto db = Database::open(path, 1s);
    REQUIRE(db);
    REQUIRE(db->run("CREATE TABLE bookmarks (url TEXT)"));
    expected = Code::wrong_state;
  }
  const auto before = read_file(path, 1'000'000);
  const auto ledger = SqliteLedger::open(path);
  REQUIRE_FALSE(ledger);
  CAPTURE(ledger.error().what, ledger.error().next_step);
  CHECK(ledger.error().code == expected);
  CHECK(mentions(ledger.error(), path.string()));
  CHECK((mentions(ledger.error(), "keep a copy") || mentions(ledger.error(), "another program")));
  CHECK(*read_file(path, 1'000'000) == *before);
}

TEST_CASE("a ledger of a newer version is refused in words") {
  const TempFolder folder;
  open_in(folder);
  {
    auto db = Database::open(folder.path() / "state" / "ledger.db", 1s);
    REQUIRE(db->run("PRAGMA user_version = 99"));
  }
  const auto ledger = SqliteLedger::open(folder.path() / "state" / "ledger.db");
  REQUIRE_FALSE(ledger);
  CHECK(ledger.error().code == Code::wrong_state);
  CHECK(mentions(ledger.error(), "newer vast-gpu"));
  CHECK(mentions(ledger.error(), "99"));
}

TEST_CASE("a newer program brings an older ledger forward, wholly or not at all") {
  const TempFolder folder;
  REQUIRE(open_in(folder)->add_quote(sample_quote("q-1")));
  auto db = Database::open(folder.path() / "state" / "ledger.db", 1s);
  REQUIRE(db);
  std::vector<const char*> steps(ledger_steps().begin(), ledger_steps().end());
  steps.push_back("ALTER TABLE quotes ADD COLUMN colour TEXT; INSERT INTO nowhere VALUES (1);");
  CHECK_FALSE(migrate(*db, steps));
  CHECK(*db->ask("PRAGMA user_version") == std::to_string(ledger_steps().size()));
  CHECK(*db->ask("SELECT count(*) FROM pragma_table_info('quotes') WHERE name = 'colour'") == "0");

  steps.back() = "ALTER TABLE quotes ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';";
  CHECK_FALSE(*is_current(*db, steps));
  REQUIRE(migrate(*db, steps));
  CHECK(*is_current(*db, steps));
  CHECK(*db->ask("SELECT id || colour FROM quotes") == "q-1red");
  CHECK(migrate(*db, steps));  // once more changes nothing
}

TEST_CASE("a ledger of the first version learns to keep finished runs and loses nothing") {
  const TempFolder folder;
  const auto path = folder.path() / "ledger.db";
  {
    auto db = Database::open(path, 1s);
    REQUIRE(db);
    REQUIRE(migrate(*db, ledger_steps().first(1)));
    REQUIRE(db->run("INSERT INTO events (at, kind, label, detail) VALUES (1, 'rent', 'vg-a', '{}')"));
    CHECK(*db->ask("SELECT count(*) FROM sqlite_schema WHERE name = 'finished_runs'") == "0");
  }
  const auto ledger = SqliteLedger::open(path);
  REQUIRE(ledger);
  CHECK((*ledger)->events("vg-a")->size() == 1);
  CHECK((*ledger)->runs("/home/mira/project", 50)->empty());
  REQUIRE((*ledger)->open_intent(sample_rental("vg-a", "q-1", 2), {}));
  CHECK(*(*ledger)->add_run(sample_run("vg-a", "exp01")));
}

TEST_CASE("a ledger of before tells its trials from its runs") {
  const TempFolder folder;
  auto db = Database::open(folder.path() / "ledger.db", 1s);
  REQUIRE(db);
  REQUIRE(migrate(*db, ledger_steps().first(6)));
  REQUIRE(
      db->run("PRAGMA foreign_keys = OFF; INSERT INTO jobs (label, experiment, command, auto_destroy, state, "
              "started) "
              "VALUES ('vg-a', 'a-canary', 'c=/workspace/.vast-gpu/canary/a; rm -rf $c', 0, 'failed', 1), "
              "('vg-a', 'b-canary', 'python train.py', 1, 'starting', 2)"));
  REQUIRE(migrate(*db, ledger_steps()));
  CHECK(*db->ask("SELECT group_concat(experiment) FROM jobs WHERE canary") == "a-canary");
  CHECK(*db->ask("SELECT group_concat(experiment) FROM jobs WHERE answered") == "a-canary");
}

TEST_CASE("a finished run keeps every field and is written once") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  const auto stray = ledger->add_run(sample_run("vg-a", "exp01"));
  REQUIRE_FALSE(stray);
  CHECK(stray.error().code == Code::not_found);
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "q-1", 2), {}));
  const PastRun want = sample_run("vg-a", "exp01");
  CHECK(*ledger->add_run(want));
  PastRun second_look = want;
  second_look.exit_code = 0;
  CHECK_FALSE(*ledger->add_run(second_look));
  PastRun started_again = want;
  started_again.started += 5h;
  started_again.instance.reset(), started_again.gpu_ram.reset(), started_again.hours.reset();
  started_again.peak_vram.reset(), started_again.rate.reset(), started_again.rate_unit.clear();
  started_again.steps_done.reset(), started_again.steps_total.reset(), started_again.oom = false;
  CHECK(*ledger->add_run(started_again));

  const auto runs = ledger->runs("/home/mira/project", 50);
  REQUIRE(runs);
  REQUIRE(runs->size() == 2);
  const PastRun &bare = runs->front(), &r = runs->back();  // newest first
  CHECK((r.label == want.label && r.experiment == want.experiment && r.project == want.project));
  CHECK((r.command == want.command && r.script == want.script && r.instance == want.instance));
  CHECK((r.gpu_name == want.gpu_name && r.num_gpus == 2 && r.gpu_ram == want.gpu_ram));
  CHECK((r.started == want.started && r.ended == want.ended && r.hours == want.hours));
  CHECK((r.exit_code == 1 && r.oom && r.peak_vram == want.peak_vram && r.held_before == want.held_before));
  CHECK((r.rate == want.rate && r.rate_unit == "steps/s"));
  CHECK(
      (r.steps_done == want.steps_done && r.steps_total == want.steps_total && r.recorded == want.recorded));
  CHECK_FALSE(
      (bare.instance || bare.gpu_ram || bare.hours || bare.peak_vram || bare.rate || bare.steps_done));
  CHECK(ledger->runs("/home/mira/project", 1)->size() == 1);
  CHECK(ledger->runs("/elsewhere", 50)->empty());
  CHECK(ledger->runs_of_rental("vg-a")->size() == 2);
}

TEST_CASE("of threads that learn the same run, one writes it") {
  const TempFolder folder;
  const auto ledger = open_in(folder);
  const auto other = open_in(folder);
  REQUIRE(ledger->open_intent(sample_rental("vg-a", "q-1", 2), {}));
  std::atomic<int> wrote = 0, failed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        const auto done =
            (t % 2 == 0 ? ledger : other)->add_run(sample_run("vg-a", "exp" + std::to_string(i)));
        if (!done) ++failed;
        if (done && *done) ++wrote;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(wrote == 5);
  CHECK(ledger->runs("/home/mira/project", 50)->size() == 5);
}

TEST_CASE("commits are synced and the log is write-ahead") {
  const TempFolder folder;
  open_in(folder);
  auto db = Database::open(folder.path() / "state" / "ledger.db", 1s);
  CHECK(*db->ask("PRAGMA journal_mode") == "wal");
}

TEST_CASE("waiting for another writer ends with words") {
  const TempFolder folder;
  open_in(folder);
  const auto path = folder.path() / "state" / "ledger.db";
  auto one = Database::open(path, 1ms);
  auto two = Database::open(path, 1ms);
  const auto held = Transaction::begin(*one);
  REQUIRE(held);
  const auto late = Transaction::begin(*two);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Code::unavailable);
  CHECK(mentions(late.error(), "another process"));
}

TEST_CASE("how long a ledger write takes", "[.bench]") {
  const TempFolder folder;
  const auto start_open = std::chrono::steady_clock::now();
  const auto ledger = open_in(folder);
  const auto us = [](auto d) { return std::chrono::duration_cast<std::chrono::microseconds>(d).count(); };
  std::cout << "first open: " << us(std::chrono::steady_clock::now() - start_open) << " us\n";
  const auto start_again = std::chrono::steady_clock::now();
  const auto second = open_in(folder);
  std::cout << "later open: " << us(std::chrono::steady_clock::now() - start_again) << " us\n";
  std::vector<long> times;
  for (int i = 0; i < 500; ++i) {
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(ledger->open_intent(sample_rental("vg-" + std::to_string(i), "q-" + std::to_string(i), 0.001),
                                {.project_budget = Usd{10}}));
    times.push_back(us(std::chrono::steady_clock::now() - start));
  }
  std::sort(times.begin(), times.end());
  std::cout << "open_intent: median " << times[250] << " us, 99 % " << times[495] << " us\n";
}
