// Links that die at every place of a collection, disks that fill up, files that change while they are read:
// nothing is lost, nothing half is at home under its name, and the next collection completes.
#include <sys/resource.h>

#include <csignal>

#include "tests/support/breaking_relay.h"
#include "tests/support/collect_bench.h"

using namespace vastgpu;
namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {

constexpr std::uint64_t kBoundary = 65'536;

struct FaultBench : CollectBench {
  using CollectBench::CollectBench;
  std::map<std::string, std::string> truth;
  void add(const std::string& name, std::size_t size) {
    truth[name] = noise(size, static_cast<unsigned>(truth.size()) + 1);
    machine.write("results/" + name, truth[name]);
  }
  /// Under their names are only whole files.
  void check_home() const {
    for (const std::string& path : home_files()) {
      CAPTURE(path);
      REQUIRE(path.starts_with("results/"));
      const std::string name = path.substr(8);
      if (name.find(".vast-gpu-part-") != std::string::npos) continue;
      REQUIRE(truth.contains(name));
      CHECK(at_home(name) == truth.at(name));
    }
  }
  void check_whole(const Result<Receipt>& got) const {
    if (!got) FAIL(got.error().what);
    CHECK(got->complete);
    CHECK(got->files.size() == truth.size());
    check_truth(*got);
    CHECK(home_files().size() == truth.size());
  }
  static std::uint64_t resumed(const Receipt& r) {
    std::uint64_t sum = 0;
    for (const ReceiptFile& f : r.files) sum += f.resumed;
    return sum;
  }
};

CollectOptions brief() {
  return {
      .big_file = 150'000, .piece = 100'000, .idle = milliseconds(400), .slow_window = milliseconds(20'000)};
}

}  // namespace

TEST_CASE("wherever the link breaks, the same call opens it again and completes", "[collect]") {
  NEEDS_SSHD();
  FaultBench b;
  b.add("model.pt", 900'000);
  for (int i = 0; i < 6; ++i) b.add("sub" + std::to_string(i % 2) + "/f" + std::to_string(i), 40'000);
  BreakingRelay relay(b.server.endpoint());
  CollectOptions options = brief();
  options.idle = milliseconds(10'000);
  int cuts = 0;
  for (std::uint64_t at = 1000;; at += kBoundary) {
    CAPTURE(at);
    fs::remove_all(b.local.path() / "results");
    auto shell = b.connect_to(relay.endpoint());
    const int before = relay.cuts();
    relay.cut_every(at);
    // Once; what comes after the first cut is left alone.
    std::jthread calm([&](std::stop_token stop) {
      while (!stop.stop_requested() && relay.cuts() == before) std::this_thread::sleep_for(milliseconds(1));
      relay.recover();
    });
    const auto got = b.collect(*shell, options);
    calm.request_stop();
    calm.join();
    b.check_whole(got);
    if (relay.cuts() == before) break;
    ++cuts;
  }
  CHECK(cuts >= 15);  // a megabyte has that many boundaries
}

TEST_CASE("wherever the machine goes away, the call ends, and the next one goes on in the middle",
          "[collect]") {
  NEEDS_SSHD();
  FaultBench b;
  b.add("model.pt", 900'000);
  for (int i = 0; i < 6; ++i) b.add("sub" + std::to_string(i % 2) + "/f" + std::to_string(i), 40'000);
  BreakingRelay relay(b.server.endpoint());
  int deaths = 0, went_on = 0;
  for (std::uint64_t at = 1000;; at += kBoundary) {
    CAPTURE(at);
    fs::remove_all(b.local.path() / "results");
    auto shell = b.connect_to(relay.endpoint());
    relay.die_after(at);
    const auto got = b.collect(*shell, brief());
    b.check_home();
    relay.recover();
    if (got) {
      b.check_whole(got);
      break;
    }
    ++deaths;
    CHECK(got.error().code == Code::unavailable);
    CHECK(got.error().effect == Effect::none);
    auto again = b.connect_to(relay.endpoint());
    const auto whole = b.collect(*again, brief());
    b.check_whole(whole);
    went_on += FaultBench::resumed(*whole) > 0 ? 1 : 0;
  }
  CHECK(deaths >= 15);
  CHECK(went_on >= deaths / 3);
}

TEST_CASE("a link that is cut again and again brings a large file without sending much of it twice",
          "[collect]") {
  NEEDS_SSHD();
  FaultBench b;
  b.add("model.pt", 96 << 20);
  BreakingRelay relay(b.server.endpoint());
  auto shell = b.connect_to(relay.endpoint());
  relay.carry(40'000'000);  // as a link does: what is on its way at a cut is lost, and that is little
  relay.cut_every(16 << 20);
  const auto got = b.collect(*shell, {.big_file = 1 << 20, .piece = 4 << 20});
  b.check_whole(got);
  CHECK(relay.cuts() >= 5);
  const double twice = static_cast<double>(relay.from_server()) / (96 << 20) - 1;
  WARN("cuts " << relay.cuts() << ", sent twice " << fixed(100 * twice, 1) << " %");
  CHECK(twice < 0.02);  // with the packets' own bytes, and all the logging in
}

TEST_CASE("a stop in the middle of a large file is heard at once, and the next call goes on", "[collect]") {
  NEEDS_SSHD();
  FaultBench b;
  b.add("model.pt", 64 << 20);
  auto shell = b.connect();
  std::stop_source source;
  const auto got = shell->collect(
      {b.source()}, {.piece = 1 << 20},
      [&](double f, const std::string&) {
        if (f > 0.3) source.request_stop();
      },
      source.get_token());
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::cancelled);
  b.check_home();
  const auto whole = b.collect(*shell);
  b.check_whole(whole);
  CHECK(FaultBench::resumed(*whole) > (10 << 20));
  CHECK(json(*whole).dump().find("resumed_bytes") != std::string::npos);
}

TEST_CASE("what an earlier call left is not believed: wrong bytes in it are brought again", "[collect]") {
  NEEDS_SSHD();
  FaultBench b;
  b.add("model.pt", 8 << 20);
  auto shell = b.connect();
  std::stop_source source;
  const auto got = shell->collect(
      {b.source()}, {.big_file = 1 << 20, .piece = 1 << 20},
      [&](double f, const std::string&) {
        if (f > 0.3) source.request_stop();
      },
      source.get_token());
  if (got) return;  // faster than the stop
  for (const auto& e : fs::directory_iterator(b.local.path() / "results"))
    if (e.path().filename().string().starts_with(".vast-gpu-part-of-") &&
        e.path().extension() != ".journal") {
      std::fstream part(e.path(), std::ios::in | std::ios::out | std::ios::binary);
      part.seekp(1000);
      part << "somebody else wrote here";
    }
  const auto whole = b.collect(*shell, {.big_file = 1 << 20});
  b.check_whole(whole);
  CHECK(FaultBench::resumed(*whole) == 0);
}

TEST_CASE("a disk that fills up at home ends the call; with room again it goes on", "[collect]") {
  NEEDS_SSHD();
  FaultBench b;
  b.add("a.txt", 1000);
  b.add("model.pt", 3 << 20);
  const std::uint64_t big_file = GENERATE(std::uint64_t{1} << 20, std::uint64_t{1} << 30);
  auto shell = b.connect();
  // A file may not grow beyond 2 MiB: what a quota does.
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit tight{2 << 20, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  const auto got = b.collect(*shell, {.big_file = big_file, .piece = 512 << 10});
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::unavailable);
  CHECK(got.error().next_step.find("free some disk space") != std::string::npos);
  b.check_home();
  const auto whole = b.collect(*shell, {.big_file = big_file});
  b.check_whole(whole);
  if (big_file < (3 << 20)) CHECK(FaultBench::resumed(*whole) > 0);
}

TEST_CASE("a large file that grows, shrinks or is replaced while it is read is left for the next call",
          "[collect]") {
  NEEDS_SSHD();
  TempFolder tools;  // its dd does something to the file when the third piece is asked for
  RealSshd server(tools.path());
  FaultBench b(server);
  b.add("model.pt", 1'000'000);
  b.add("other.pt", 400'000);
  const std::string file = (b.machine.path() / "results/model.pt").string();
  const std::string copy = b.machine.write("new", noise(1'000'000, 99)).string();
  const std::string deed = GENERATE(as<std::string>(), "echo more >> $F", "truncate -s 5000 $F",
                                    "mv -f $N $F", "rm $F", "touch $F");
  CAPTURE(deed);
  tools.write(
      "dd",
      "#!/bin/sh\nF=" + file + "; N=" + copy + "; C=" + (tools.path() / "count").string() +
          "\ncase $* in *model.pt*) echo >> $C; [ $(wc -l < $C) -ge 3 ] && mkdir $C.done 2>/dev/null && { " +
          deed + "; } ;; esac\nexec /usr/bin/dd \"$@\"\n");
  fs::permissions(tools.path() / "dd", fs::perms::owner_all);
  auto shell = b.connect();
  const auto got = b.collect(*shell, {.big_file = 150'000, .piece = 65'536});
  if (!got) FAIL(got.error().what);
  CHECK_FALSE(got->complete);
  CHECK(has_mention(*got, "model.pt: changed while"));
  CHECK(got->files.size() == 1);
  b.check_truth(*got);
  CHECK(b.home_files() == std::set<std::string>{"results/other.pt"});
  const auto later = b.collect(*shell, {.big_file = 150'000, .piece = 65'536});
  if (!later) FAIL(later.error().what);
  CHECK(later->complete);
  b.check_truth(*later);
}
