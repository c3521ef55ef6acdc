// Results home from a real machine: receipts, hostile names, traps at home, and links that die.
#include <sys/stat.h>

#include <fstream>
#include <random>
#include <set>

#include "core/files.h"
#include "core/text.h"
#include "tests/support/remote_bench.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

struct CollectBench : RemoteBench {
  CollectSource source(std::vector<std::string> patterns = {}) const {
    return {.remote_folder = (machine.path() / "results").string(),
            .patterns = std::move(patterns),
            .recursive = true,
            .local_folder = local.path() / "results"};
  }
  Result<Receipt> collect(Shell& shell) const { return shell.collect({source()}, {}, {}); }
  std::optional<std::string> at_home(const std::string& path) const {
    auto content = read_file(local.path() / "results" / path, 10'000'000);
    return content ? std::optional(*content) : std::nullopt;
  }
  std::set<std::string> home_files() const {
    std::set<std::string> found;
    for (const auto& e : fs::recursive_directory_iterator(local.path()))
      if (!e.is_directory()) found.insert(fs::relative(e.path(), local.path()).string());
    return found;
  }
  TempFolder local;
};

bool has_mention(const Receipt& r, const std::string& of) {
  return std::any_of(r.problems.begin(), r.problems.end(),
                     [&](const std::string& s) { return s.find(of) != std::string::npos; });
}

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(size, ' ');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

}  // namespace

TEST_CASE("results come home once, with a receipt that both sides agree on") {
  NEEDS_SSHD();
  CollectBench b;
  b.machine.write("results/metrics.json", "{\"loss\": 1}");
  b.machine.write("results/deep/er/model.pt", noise(300'000, 1));
  b.machine.write("results/-rf with space/ünï 数据\\n.txt", "odd but fine");
  b.machine.write("results/empty", "");
  b.machine.write("train.log", "log");
  b.machine.write("other.txt", "not asked for");
  auto shell = b.connect();
  const std::vector<CollectSource> sources{b.source(),
                                           {.remote_folder = b.machine.path().string(),
                                            .patterns = {"*.log"},
                                            .recursive = false,
                                            .local_folder = b.local.path() / "logs"},
                                           {.remote_folder = "/nowhere/at/all",
                                            .patterns = {},
                                            .recursive = true,
                                            .local_folder = b.local.path() / "none"}};
  double last = -1;
  const auto first = shell->collect(sources,
                                    [&](double f, const std::string&) {
                                      CHECK(f >= last);
                                      last = f;
                                    },
                                    {});
  if (!first) FAIL(first.error().what);
  CHECK(first->problems == std::vector<std::string>{});
  CHECK(first->complete);
  CHECK(first->fetched == 5);
  CHECK(first->files.size() == 5);
  for (const ReceiptFile& f : first->files) {
    const auto home = b.local.path() / (f.folder.ends_with("results") ? "results" : "logs") / f.path;
    CHECK(sha256_file(home) == f.sha256);
    CHECK(fs::file_size(home) == f.size);
    CHECK(fs::last_write_time(home) == fs::last_write_time(fs::path(f.folder) / f.path));
  }
  CHECK(b.home_files().size() == 5);

  const auto second = shell->collect(sources, {}, {});
  REQUIRE(second);
  CHECK(second->complete);
  CHECK(second->fetched == 0);
  CHECK(second->files.size() == 5);

  b.machine.write("results/metrics.json", "{\"loss\": 0.5}");
  auto with_memory = sources;
  with_memory[0].known = known_files(json(*second), sources[0].remote_folder);
  CHECK(with_memory[0].known.size() == 4);
  const auto third = shell->collect(with_memory, {}, {});
  REQUIRE(third);
  CHECK(third->complete);
  CHECK(third->fetched == 1);
  CHECK(third->problems.empty());
  CHECK(b.at_home("metrics.json") == "{\"loss\": 0.5}");
  CHECK(b.home_files().size() == 5);
}

TEST_CASE("patterns choose; a file that was at home before is kept under another name") {
  NEEDS_SSHD();
  CollectBench b;
  b.machine.write("results/a.json", "from the machine");
  b.machine.write("results/a.bin", "x");
  b.local.write("results/a.json", "mine");
  auto shell = b.connect();
  const auto got = shell->collect({b.source({"*.json"})}, {}, {});
  REQUIRE(got);
  CHECK(got->complete);
  CHECK(b.at_home("a.json") == "from the machine");
  CHECK_FALSE(b.at_home("a.bin"));
  REQUIRE(has_mention(*got, "a.json.before-"));
  const auto files = b.home_files();
  REQUIRE(files.size() == 2);
  CHECK(read_file(b.local.path() / *std::next(files.begin()), 100) == "mine");
  AND_THEN("even one that we brought, once it was edited") {
    auto source = b.source({"*.json"});
    source.known = {{"a.json", got->files.at(0).sha256}};
    b.local.write("results/a.json", "edited at home");
    const auto again = shell->collect({source}, {}, {});
    REQUIRE(again);
    CHECK(b.at_home("a.json") == "from the machine");
    CHECK(b.home_files().size() == 3);
  }
}

TEST_CASE("links and other things that are no files") {
  NEEDS_SSHD();
  CollectBench b;
  b.machine.write("results/run/best.pt", "w");
  const auto results = b.machine.path() / "results";
  fs::create_symlink("best.pt", results / "run/latest.pt");
  fs::create_symlink("run", results / "latest-run");
  fs::create_symlink("gone", results / "dangling");
  ::mkfifo((results / "pipe").c_str(), 0600);
  auto shell = b.connect();
  const auto fine = b.collect(*shell);
  REQUIRE(fine);
  CHECK(fine->complete);
  CHECK(fine->files.size() == 1);
  CHECK(has_mention(*fine, "pipe"));
  CHECK(fine->problems.size() == 1);

  // Asked for the link alone, its target would not come along.
  const auto missed = shell->collect({b.source({"latest.pt"})}, {}, {});
  REQUIRE(missed);
  CHECK_FALSE(missed->complete);

  const auto secret = b.machine.write("secret", "out of the folder");
  fs::create_symlink(secret, results / "leak");
  const auto out = b.collect(*shell);
  REQUIRE(out);
  CHECK_FALSE(out->complete);
  CHECK(has_mention(*out, "leak"));
  CHECK_FALSE(b.at_home("leak"));
}

TEST_CASE("names that could do harm at home do not land") {
  NEEDS_SSHD();
  CollectBench b;
  for (const std::string bad : {"new\nline", "esc\x1b[2J", "bad\xff utf", ".git/hooks/post-checkout",
                                "sub/.GIT/config", ".vast-gpu-part-0000"})
    b.machine.write("results/" + bad, "bad");
  b.machine.write("results/Readme", "one");
  b.machine.write("results/README", "two");
  b.machine.write("results/good", "good");
  auto shell = b.connect();
  const auto got = b.collect(*shell);
  REQUIRE(got);
  CHECK_FALSE(got->complete);
  CHECK(got->problems.size() == 7);
  CHECK(got->files.size() == 2);
  CHECK(b.at_home("good") == "good");
  CHECK(b.home_files().size() == 2);
  for (const std::string& p : got->problems) CHECK(clean_line(p, 10'000) == p);
}

TEST_CASE("a machine that answers with more than was asked cannot write elsewhere") {
  NEEDS_SSHD();
  if (output_of("command -v python3").empty()) {
    WARN("skipped: python3 is not installed");
    return;
  }
  // Its tar adds a path that leads upwards, an absolute one, a link, and doubles a file's size.
  TempFolder tools;
  const auto evil = tools.path() / "tar";
  tools.write("evil.py", R"(import sys, tarfile, io, os
names = sys.stdin.buffer.read().split(b'\0')
out = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.GNU_FORMAT)
def add(name, data, **more):
    t = tarfile.TarInfo(name); t.size = len(data)
    for k, v in more.items(): setattr(t, k, v)
    out.addfile(t, io.BytesIO(data))
real = [n.decode() for n in names if n]
add('../escape', b'x'); add(real[0] + '/../../../escape2', b'x')
add('/tmp/vast-gpu-escape3', b'x')
add(os.path.dirname(real[0]), b'', type=tarfile.SYMTYPE, linkname='/tmp')
add(real[0], b'', type=tarfile.SYMTYPE, linkname='/etc/passwd')
for n in real[1:]: add(n, open(n, 'rb').read() * 2)
out.close()
)");
  tools.write("tar", "#!/bin/sh\nexec python3 " + (tools.path() / "evil.py").string() + "\n");
  fs::permissions(evil, fs::perms::owner_all);
  RealSshd server(tools.path());
  RemoteBench keys(server);
  TempFolder machine, local;
  machine.write("results/a", "aa");
  machine.write("results/b", "bb");
  auto shell = keys.connect();
  const auto got = shell->collect({{.remote_folder = (machine.path() / "results").string(),
                                    .patterns = {},
                                    .recursive = true,
                                    .local_folder = local.path() / "in/side"}},
                                  {}, {});
  if (!got) FAIL(got.error().what);
  CHECK_FALSE(got->complete);
  CHECK(got->files.empty());
  CHECK(has_mention(*got, "arrived unasked"));
  for (const auto& e : fs::recursive_directory_iterator(local.path())) CHECK(e.is_directory());
  CHECK_FALSE(fs::exists("/tmp/vast-gpu-escape3"));
}

TEST_CASE("a link at home does not lead a file out of its folder") {
  NEEDS_SSHD();
  CollectBench b;
  TempFolder outside;
  b.machine.write("results/sub/file", "content");
  b.machine.write("results/leaf", "content");
  const auto precious = outside.write("precious", "precious");
  fs::create_directories(b.local.path() / "results");
  fs::create_directory_symlink(outside.path(), b.local.path() / "results/sub");
  fs::create_symlink(precious, b.local.path() / "results/leaf");
  auto shell = b.connect();
  const auto got = b.collect(*shell);
  REQUIRE(got);
  CHECK_FALSE(got->complete);
  CHECK(has_mention(*got, "in the way"));
  CHECK_FALSE(fs::exists(outside.path() / "file"));
  CHECK(read_file(precious, 100) == "precious");
  CHECK(b.at_home("leaf") == "content");  // the link itself was kept under another name
}

TEST_CASE("a file that is still written, or replaced meanwhile, is named and not claimed") {
  NEEDS_SSHD();
  CollectBench b;
  const auto growing = b.machine.write("results/growing.log", "line\n");
  b.machine.write("results/done", "done");
  b.machine.write("results/model", noise(3'000'000, 3));
  auto shell = b.connect();
  SECTION("between hashing and fetching") {
    int calls = 0;
    const auto got = shell->collect({b.source()},
                                    [&](double f, const std::string& m) {
                                      if (m.starts_with("fetching") && calls++ == 0)
                                        std::ofstream(growing, std::ios::app) << "more\n";
                                      if (m.starts_with("hashing"))
                                        b.machine.write("results/model", noise(3'000'000, 4));
                                      static_cast<void>(f);
                                    },
                                    {});
    REQUIRE(got);
    CHECK(b.at_home("done") == "done");
    // The model was replaced before it was hashed, so that its hash and its content agree.
    CHECK(b.at_home("model") == noise(3'000'000, 4));
  }
  SECTION("after it was fetched") {
    const auto got = shell->collect({b.source()},
                                    [&](double, const std::string& m) {
                                      if (m.starts_with("checking"))
                                        std::ofstream(growing, std::ios::app) << "more\n";
                                    },
                                    {});
    REQUIRE(got);
    CHECK_FALSE(got->complete);
    CHECK(has_mention(*got, "growing.log: is still being written"));
    const auto later = b.collect(*shell);
    REQUIRE(later);
    CHECK(later->complete);
    CHECK(b.at_home("growing.log") == "line\nmore\n");
  }
  SECTION("before it was hashed") {
    const auto got = shell->collect({b.source()},
                                    [&](double, const std::string& m) {
                                      if (m.starts_with("hashing"))
                                        std::ofstream(growing, std::ios::app) << "more\n";
                                    },
                                    {});
    REQUIRE(got);
    CHECK_FALSE(got->complete);
    CHECK(has_mention(*got, "growing.log: changed while"));
    CHECK_FALSE(b.at_home("growing.log"));
  }
}

TEST_CASE(
    "wherever the link dies, no half file is at home and no receipt says complete; the next call completes") {
  NEEDS_SSHD();
  CollectBench b;
  std::map<std::string, std::string> truth;
  for (unsigned i = 0; i < 6; ++i) {
    const std::string name = "sub" + std::to_string(i % 2) + "/f" + std::to_string(i);
    truth[name] = noise(60'000, i);
    b.machine.write("results/" + name, truth[name]);
  }
  CutRelay relay(b.server.endpoint());
  const auto check_home = [&] {
    for (const std::string& path : b.home_files()) {
      CAPTURE(path);
      const std::string name = path.substr(std::string("results/").size());
      REQUIRE(truth.contains(name));
      CHECK(b.at_home(name) == truth[name]);
    }
  };
  bool arrived = false;
  int cuts = 0;
  for (std::uint64_t cut = 100; !arrived; cut += cut < 4000 ? 900 : 60'000) {
    CAPTURE(cut);
    fs::remove_all(b.local.path() / "results");
    auto shell = b.connect_to(relay.endpoint());
    relay.cut_after(cut, CutRelay::Counts::from_server);
    const auto got = b.collect(*shell);
    arrived = got.has_value();
    if (got) CHECK(got->complete);
    if (!got) {
      ++cuts;
      CHECK(got.error().code == Code::unavailable);
    }
    check_home();
    if (cuts % 4 == 2) {
      auto again = b.connect();
      const auto whole = b.collect(*again);
      REQUIRE(whole);
      CHECK(whole->complete);
      CHECK(whole->files.size() == truth.size());
      check_home();
    }
  }
  CHECK(cuts > 5);
}

TEST_CASE("a stop in the middle of fetching is heard, and leaves nothing half") {
  NEEDS_SSHD();
  CollectBench b;
  b.machine.write("results/big", noise(8'000'000, 5));
  auto shell = b.connect();
  std::stop_source source;
  const auto got = shell->collect(
      {b.source()},
      [&](double f, const std::string&) {
        if (f > 0.3) source.request_stop();
      },
      source.get_token());
  REQUIRE_FALSE(got);
  CHECK(got.error().code == Code::cancelled);
  CHECK(b.home_files().empty());
}

TEST_CASE("more files than anybody collects stop the collection with a problem") {
  NEEDS_SSHD();
  CollectBench b;
  TempFolder tools;
  tools.write("find", "#!/bin/sh\nseq -f 'f f 1 1.5 n%.0f' 1 100001 | sed 's/$/\\n/' | tr '\\n' '\\0'\n");
  fs::permissions(tools.path() / "find", fs::perms::owner_all);
  RealSshd full(tools.path());
  RemoteBench there(full);
  b.machine.write("results/x", "");
  auto shell = there.connect();
  const auto got = b.collect(*shell);
  if (!got) FAIL(got.error().what);
  CHECK_FALSE(got->complete);
  CHECK(got->files.empty());
  CHECK(has_mention(*got, "100,000"));
}
