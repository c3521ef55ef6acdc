// Large files in pieces over several sessions: links that break, crashes of ours, files that change, disks
// that fill.
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>
#include <random>

#include "core/files.h"
#include "core/text.h"
#include "remote/upload_lanes.h"
#include "remote/upload_plan.h"
#include "tests/support/flaky_relay.h"
#include "tests/support/remote_bench.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMiB = 1024 * 1024;

SyncRules all_of(const RemoteBench& b) {
  SyncRules rules;
  rules.include = {"*"};
  rules.max_file = rules.max_total = 4'000'000'000;
  rules.notes_folder = (b.home.path() / "notes").string();
  return rules;
}

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string out(size, '\0');
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = random();
    out.replace(i, 8, reinterpret_cast<const char*>(&word), 8);
  }
  return out;
}

bool same_file(const fs::path& a, const fs::path& b) {
  struct stat x {
  }, y{};
  const auto one = sha256_file(a), two = sha256_file(b);
  return one && two && *one == *two && ::stat(a.c_str(), &x) == 0 && ::stat(b.c_str(), &y) == 0 &&
         x.st_mode == y.st_mode && x.st_mtim.tv_sec == y.st_mtim.tv_sec &&
         x.st_mtim.tv_nsec == y.st_mtim.tv_nsec;
}

bool has_leftovers(const fs::path& target) {
  for (const auto& e : fs::directory_iterator(target))
    if (e.path().filename().string().starts_with(".vast-gpu-")) return true;
  return false;
}

}  // namespace

TEST_CASE("pieces: gaps of a journal, what is given back, and names last") {
  LocalFile file{"a.bin", "", 100, {}, 0644};
  UploadPlan plan({{&file, "k", false}}, {{"k", "10 20\n50 10\n55 25\nodd\n90 100\n0 5"}});
  CHECK(plan.resumed() == 50);
  CHECK(plan.missing() == 50);
  const auto first = plan.take(1000), second = plan.take(15), third = plan.take(1000), last = plan.take(1000);
  REQUIRE(last);
  CHECK((first->offset == 0 && first->size == 10));
  CHECK((second->offset == 30 && second->size == 15));
  CHECK((third->offset == 45 && third->size == 5));
  CHECK((last->offset == 80 && last->size == 20));
  CHECK_FALSE(plan.take(10));
  for (const auto* p : {&first, &second, &third}) plan.arrived(**p);
  plan.give_back(*last);
  CHECK_FALSE(plan.done());
  const auto again = plan.take(1000);
  REQUIRE(again);
  plan.arrived(*again);
  const auto name = plan.take(1);
  REQUIRE(name);
  CHECK(name->size == 0);
  CHECK_FALSE(plan.take(1));
  plan.give_back(*name);
  REQUIRE(plan.take(1));
  plan.arrived(*name);
  CHECK(plan.done());
}

TEST_CASE("a large file travels in pieces, with time and mode, packed or not") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  project.write("data/noise.bin", noise(40 * kMiB + 4321, 1));
  std::string words;
  while (words.size() < 24 * kMiB) words += "step " + std::to_string(words.size()) + " loss 0.25\n";
  project.write("words.txt", words);
  project.write("-odd\nname.bin", noise(16 * kMiB, 3));
  project.write("small.py", "s");
  fs::permissions(project.path() / "words.txt", fs::perms::owner_read);
  const auto target = b.machine.path() / "p";
  auto shell = b.connect();
  const auto sent = shell->sync_up(project.path(), target.string(), all_of(b), {}, {});
  if (!sent) FAIL(sent.error().what);
  CHECK(sent->sent_files == 4);
  CHECK(sent->lanes >= 2);
  CHECK(sent->sent_bytes == sent->bytes);
  for (const std::string path : {"data/noise.bin", "words.txt", "-odd\nname.bin", "small.py"}) {
    CAPTURE(path);
    CHECK(same_file(project.path() / path, target / path));
  }
  CHECK_FALSE(has_leftovers(target));
  const auto again = shell->sync_up(project.path(), target.string(), all_of(b), {}, {});
  REQUIRE(again);
  CHECK(again->sent_files == 0);
  CHECK(again->round_trips == 1);
}

TEST_CASE("cut again and again, a large file arrives and little travels twice") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  constexpr std::uint64_t kSize = 192 * kMiB;
  {
    std::ofstream out(project.path() / "data.bin");
    for (unsigned i = 0; i < 12; ++i) out << noise(16 * kMiB, i);
  }
  FlakyRelay relay(b.server.endpoint());
  relay.cut_every(48 * kMiB);
  relay.set_rate(12 * kMiB);  // each connection
  auto shell = b.connect_to(relay.endpoint());
  const auto began = std::chrono::steady_clock::now();
  const auto sent = shell->sync_up(project.path(), (b.machine.path() / "p").string(), all_of(b), {}, {});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (!sent) FAIL(sent.error().what);
  CHECK(same_file(project.path() / "data.bin", b.machine.path() / "p/data.bin"));
  REQUIRE(relay.cuts() >= 3);
  const double passed = static_cast<double>(relay.from_clients()) / static_cast<double>(kSize);
  const double lost_seconds = (passed - 1) * seconds / relay.cuts();
  WARN("cuts " << relay.cuts() << ", connections " << relay.connections() << ", lanes " << sent->lanes
               << ", passed / size " << passed << ", lost by a cut " << lost_seconds << " s"
               << ", sent again " << bytes(sent->sent_again));
  CHECK(sent->reconnects >= 3);
  // A cut every 20 seconds may cost 2 % of them.
  CHECK(lost_seconds < 0.4);
}

TEST_CASE("cut at odd places, or away for a while: the file is whole in the end") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  project.write("data.bin", noise(24 * kMiB + 99, 51));
  FlakyRelay relay(b.server.endpoint());
  relay.set_rate(16 * kMiB);
  auto shell = b.connect_to(relay.endpoint());
  std::jthread back;
  bool away = false;
  ProgressFn progress;
  SECTION("cut") { relay.cut_every(3 * kMiB + 12'345); }
  SECTION("away") {
    progress = [&](double f, const std::string&) {
      if (f < 0.2 || std::exchange(away, true)) return;
      relay.set_down(true);
      relay.cut_now();
      back = std::jthread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(900));
        relay.set_down(false);
      });
    };
  }
  const auto sent =
      shell->sync_up(project.path(), (b.machine.path() / "p").string(), all_of(b), progress, {});
  if (!sent) FAIL(sent.error().what);
  CHECK(sent->reconnects >= 2);
  CHECK(same_file(project.path() / "data.bin", b.machine.path() / "p/data.bin"));
  CHECK_FALSE(has_leftovers(b.machine.path() / "p"));
}

TEST_CASE("after a stop, the next call goes on in the middle of the file; another version does not") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  const std::string content = noise(48 * kMiB, 9);
  project.write("data.bin", content);
  const auto target = b.machine.path() / "p";
  const auto half = [&] {
    auto shell = b.connect();
    std::stop_source source;
    const auto report = shell->sync_up(
        project.path(), target.string(), all_of(b),
        [&](double f, const std::string&) {
          if (f > 0.4) source.request_stop();
        },
        source.get_token());
    REQUIRE_FALSE(report);
    CHECK(report.error().code == Code::cancelled);
    CHECK_FALSE(fs::exists(target / "data.bin"));
  };
  FlakyRelay relay(b.server.endpoint());
  SECTION("the same") {
    half();
    auto shell = b.connect_to(relay.endpoint());
    const auto rest = shell->sync_up(project.path(), target.string(), all_of(b), {}, {});
    if (!rest) FAIL(rest.error().what);
    CHECK(rest->resumed > 15 * kMiB);
    CHECK(relay.from_clients() < 34 * kMiB);
    CHECK(same_file(project.path() / "data.bin", target / "data.bin"));
  }
  SECTION("time ran out instead") {
    auto rules = all_of(b);
    FlakyRelay slow(b.server.endpoint());
    slow.set_rate(20 * kMiB);
    auto shell = b.connect_to(slow.endpoint());
    int asked = 0;
    rules.enough = [&] { return ++asked > 5; };
    const auto part = shell->sync_up(project.path(), target.string(), rules, {}, {});
    if (!part) FAIL(part.error().what);
    CHECK_FALSE(part->complete);
    CHECK_FALSE(fs::exists(target / "data.bin"));
    const auto rest = shell->sync_up(project.path(), target.string(), all_of(b), {}, {});
    if (!rest) FAIL(rest.error().what);
    CHECK(rest->complete);
    CHECK(rest->resumed > 0);
    CHECK(same_file(project.path() / "data.bin", target / "data.bin"));
  }
  SECTION("another version of it") {
    half();
    std::string other = content;
    other[1] = static_cast<char>(other[1] + 1);
    project.write("data.bin", other);
    auto shell = b.connect();
    const auto rest = shell->sync_up(project.path(), target.string(), all_of(b), {}, {});
    if (!rest) FAIL(rest.error().what);
    CHECK(rest->resumed == 0);
    CHECK(same_file(project.path() / "data.bin", target / "data.bin"));
  }
  CHECK_FALSE(has_leftovers(target));
}

TEST_CASE("killed in the middle of a large file: nothing under its name, and the next sync goes on") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  project.write("data.bin", noise(64 * kMiB, 11));
  const auto target = b.machine.path() / "p";
  const pid_t child = ::fork();
  if (child == 0) {  // dies as a crash does: nothing is said, nothing tidied up
    auto made = b.connector.connect({.candidates = {b.server.endpoint()}, .pinned_host_key = {}}, {});
    if (made)
      (void)made->shell->sync_up(project.path(), target.string(), all_of(b),
                                 [](double f, const std::string&) {
                                   if (f > 0.3) ::kill(::getpid(), SIGKILL);
                                 },
                                 {});
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  CHECK_FALSE(fs::exists(target / "data.bin"));
  auto shell = b.connect();
  const auto rest = shell->sync_up(project.path(), target.string(), all_of(b), {}, {});
  if (!rest) FAIL(rest.error().what);
  CHECK(rest->resumed > 10 * kMiB);
  CHECK(same_file(project.path() / "data.bin", target / "data.bin"));
  CHECK_FALSE(has_leftovers(target));
}

TEST_CASE("lanes that do not know that their link is dead write nothing into a finished file") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  project.write("data.bin", noise(40 * kMiB + 77, 31));
  const auto target = b.machine.path() / "p";
  std::stop_source stop;
  auto relay = std::make_unique<FlakyRelay>(b.server.endpoint());
  relay->set_rate(10 * kMiB);
  auto slow = b.connect_to(relay->endpoint());
  std::atomic<bool> frozen = false;
  std::jthread first([&] {
    (void)slow->sync_up(
        project.path(), target.string(), all_of(b),
        [&](double f, const std::string&) {
          if (f < 0.3 || frozen) return;
          relay->freeze();
          frozen = true;
        },
        stop.get_token());
  });
  while (!frozen) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  auto shell = b.connect();
  const auto rest = shell->sync_up(project.path(), target.string(), all_of(b), {}, {});
  if (!rest) FAIL(rest.error().what);
  CHECK(rest->resumed > 0);
  CHECK(same_file(project.path() / "data.bin", target / "data.bin"));
  stop.request_stop();
  first.join();
  relay.reset();  // now the machine hears of it
  for (int i = 0; i < 40; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    REQUIRE(fs::file_size(target / "data.bin") == 40 * kMiB + 77);
  }
  CHECK(same_file(project.path() / "data.bin", target / "data.bin"));
  CHECK(shell->sync_up(project.path(), target.string(), all_of(b), {}, {})->round_trips == 1);
  CHECK_FALSE(has_leftovers(target));
}

TEST_CASE("a large file that changes while it travels stays at home, and the next sync brings it") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  project.write("data.bin", noise(64 * kMiB, 5));
  project.write("gone.bin", noise(20 * kMiB, 6));
  project.write("a.py", "a");
  FlakyRelay relay(b.server.endpoint());
  relay.set_rate(40 * kMiB);
  const auto target = b.machine.path() / "p";
  auto shell = b.connect_to(relay.endpoint());
  bool changed = false;
  const auto first = shell->sync_up(project.path(), target.string(), all_of(b),
                                    [&](double f, const std::string&) {
                                      if (f < 0.2 || std::exchange(changed, true)) return;
                                      std::ofstream(project.path() / "data.bin", std::ios::app) << "more";
                                      fs::remove(project.path() / "gone.bin");
                                    },
                                    {});
  if (!first) FAIL(first.error().what);
  CHECK(first->sent_files == 1);
  CHECK(first->stayed.named.size() == 2);
  CHECK_FALSE(fs::exists(target / "data.bin"));
  CHECK_FALSE(fs::exists(target / "gone.bin"));
  const auto second = shell->sync_up(project.path(), target.string(), all_of(b), {}, {});
  if (!second) FAIL(second.error().what);
  CHECK(same_file(project.path() / "data.bin", target / "data.bin"));
}

TEST_CASE("the machine's disk: too small is said before anything starts, full is survived") {
  NEEDS_SSHD();
  RemoteBench b;
  const auto disk = b.machine.path() / "disk";
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64m") != 0) {
    WARN("skipped: no right to mount");
    return;
  }
  const std::unique_ptr<const fs::path, void (*)(const fs::path*)> unmount(
      &disk, [](const fs::path* at) { ::umount2(at->c_str(), MNT_DETACH); });
  TempFolder project;
  project.write("data.bin", noise(40 * kMiB, 21));
  project.write("small.txt", noise(2 * kMiB, 22));
  auto shell = b.connect();
  const auto target = disk / "p";
  SECTION("too small") {
    project.write("more.bin", noise(40 * kMiB, 23));
    const auto sent = shell->sync_up(project.path(), target.string(), all_of(b), {}, {});
    REQUIRE_FALSE(sent);
    CHECK(sent.error().code == Code::wrong_state);
    CHECK(sent.error().what.find("86.0 MB have to go") != std::string::npos);
    CHECK(sent.error().what.find("67.1 MB are free") != std::string::npos);
    CHECK_FALSE(fs::exists(target));
  }
  SECTION("somebody fills it meanwhile") {
    bool filled = false;
    FlakyRelay relay(b.server.endpoint());
    relay.set_rate(20 * kMiB);
    auto slow = b.connect_to(relay.endpoint());
    const auto sent = slow->sync_up(project.path(), target.string(), all_of(b),
                                    [&](double f, const std::string&) {
                                      if (f < 0.2 || std::exchange(filled, true)) return;
                                      std::ofstream(disk / "filler") << std::string(40 * kMiB, 'x');
                                    },
                                    {});
    REQUIRE_FALSE(sent);
    CHECK(sent.error().code == Code::wrong_state);
    CHECK(sent.error().what.find("No space left") != std::string::npos);
    CHECK_FALSE(fs::exists(target / "data.bin"));
    fs::remove(disk / "filler");
    const auto healed = shell->sync_up(project.path(), target.string(), all_of(b), {}, {});
    if (!healed) FAIL(healed.error().what);
    CHECK(healed->resumed > 0);
    CHECK(same_file(project.path() / "data.bin", target / "data.bin"));
    CHECK(same_file(project.path() / "small.txt", target / "small.txt"));
  }
}

TEST_CASE("many small files go on in tars after cuts; a machine that stays away ends it") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  for (unsigned i = 0; i < 60; ++i) project.write("d/f" + std::to_string(i) + ".bin", noise(kMiB, i));
  FlakyRelay relay(b.server.endpoint());
  auto shell = b.connect_to(relay.endpoint());
  SECTION("cuts") {
    relay.cut_every(20 * kMiB);
    const auto sent = shell->sync_up(project.path(), (b.machine.path() / "p").string(), all_of(b), {}, {});
    if (!sent) FAIL(sent.error().what);
    CHECK(sent->reconnects >= 3);
    CHECK(sent->sent_files == 60);
    CHECK(same_file(project.path() / "d/f59.bin", b.machine.path() / "p/d/f59.bin"));
  }
  SECTION("away, until somebody stops it") {
    relay.set_down(true);
    relay.cut_now();
    std::stop_source source;
    std::jthread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(700));
      source.request_stop();
    });
    const auto sent =
        shell->sync_up(project.path(), (b.machine.path() / "p").string(), all_of(b), {}, source.get_token());
    REQUIRE_FALSE(sent);
    CHECK((sent.error().code == Code::cancelled || sent.error().code == Code::unavailable));
  }
}

TEST_CASE("memory stays bounded, however large the files and however many") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  {
    const std::string block = noise(8 * kMiB, 41);
    std::ofstream one(project.path() / "noise.bin"), two(project.path() / "words.txt");
    for (int i = 0; i < 20; ++i) one << block;
    for (int i = 0; i < 20; ++i) two << std::string(8 * kMiB, static_cast<char>('a' + i));
  }
  for (int i = 0; i < 5000; ++i)
    project.write("d" + std::to_string(i % 50) + "/" + std::to_string(i) + ".py", "x");
  long pages = 0;
  std::ifstream("/proc/self/statm").ignore(100, ' ') >> pages;
  const pid_t child = ::fork();
  if (child == 0) {
    auto made = b.connector.connect({.candidates = {b.server.endpoint()}, .pinned_host_key = {}}, {});
    const bool sent =
        made && made->shell->sync_up(project.path(), (b.machine.path() / "p").string(), all_of(b), {}, {});
    ::_exit(sent ? 0 : 1);
  }
  int status = 0;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  REQUIRE(status == 0);
  const long grown = used.ru_maxrss - pages * ::sysconf(_SC_PAGESIZE) / 1024;
  WARN("memory " << used.ru_maxrss << " kB, beyond the test's own " << grown << " kB");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(grown < 40'000);
#endif
}
