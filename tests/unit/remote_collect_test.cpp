// Results home from a real machine: receipts, hostile names, traps at home, and links that die.
#include <sys/stat.h>

#include <fstream>
#include <map>

#include "tests/support/collect_bench.h"

using namespace vastgpu;
namespace fs = std::filesystem;

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
    source.known = {{"a.json", {got->files.at(0).sha256}}};
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
  // Its tar, when told, lets somebody write just before or just after it reads.
  TempFolder tools;
  tools.write("tar", "#!/bin/sh\n[ -x \"" + (tools.path() / "before").string() + "\" ] && \"" +
                         (tools.path() / "before").string() + "\"\n/usr/bin/tar \"$@\"; r=$?\n[ -x \"" +
                         (tools.path() / "after").string() + "\" ] && \"" +
                         (tools.path() / "after").string() + "\"\nexit $r\n");
  fs::permissions(tools.path() / "tar", fs::perms::owner_all);
  RealSshd server(tools.path());
  CollectBench b(server);
  const auto growing = b.machine.write("results/growing.log", "line\n");
  b.machine.write("results/done", "done");
  b.machine.write("results/model", noise(300'000, 3));
  const auto model = b.machine.write("model.new", noise(300'000, 4));
  const auto happens = [&](const std::string& moment, const std::string& what) {
    tools.write(moment, "#!/bin/sh\n" + what + "\n");
    fs::permissions(tools.path() / moment, fs::perms::owner_all);
  };
  auto shell = b.connect();
  const std::string grow = "echo more >> " + growing.string();
  const bool last = GENERATE(false, true);
  SECTION("it grew before it was read") {
    happens("before", "sleep 0.3; " + grow);
    const auto got = b.collect(*shell, {.last = last});
    if (!got) FAIL(got.error().what);
    b.check_truth(*got);
    CHECK(b.at_home("done") == "done");
    if (last) {  // a log that grows on a machine that goes: what is there now, and said so
      CHECK(got->complete);
      CHECK(b.at_home("growing.log") == "line\n");
      CHECK(has_mention(*got, "was still growing"));
    } else {
      CHECK_FALSE(got->complete);
      CHECK(has_mention(*got, "growing.log: changed while"));
      CHECK_FALSE(b.at_home("growing.log"));
    }
  }
  SECTION("it grew after it was read") {
    happens("after", grow);
    const auto got = b.collect(*shell, {.last = last});
    if (!got) FAIL(got.error().what);
    b.check_truth(*got);
    CHECK(got->complete == last);
    CHECK(has_mention(*got, "growing"));
  }
  SECTION("another file took its place") {
    happens("before", "sleep 0.3; [ -e " + model.string() + " ] && mv -f " + model.string() + " " +
                          (b.machine.path() / "results/model").string());
    const auto got = b.collect(*shell, {.last = last});
    if (!got) FAIL(got.error().what);
    b.check_truth(*got);
    CHECK_FALSE(got->complete);
    CHECK(has_mention(*got, "model: changed while"));
    CHECK_FALSE(b.at_home("model"));
  }
  fs::remove(tools.path() / "before");
  fs::remove(tools.path() / "after");
  const auto later = b.collect(*shell);
  REQUIRE(later);
  CHECK(later->complete);
  b.check_truth(*later);
  CHECK(b.at_home("growing.log")->starts_with("line\n"));
}

TEST_CASE("a file that keeps its name is not renamed: ours has a folder of its own, and stays there") {
  NEEDS_SSHD();
  CollectBench b;
  b.machine.write("results/run/model.pt", noise(200'000, 7));
  b.local.write("results/run/model.pt", "of another rental");
  auto shell = b.connect();
  auto source = b.source();
  source.aside = "41/";
  source.keeps_name = [&](const std::string& path, const std::string&, bool ours) {
    CHECK(path == "run/model.pt");
    return !ours;
  };
  const CollectOptions how{.big_file = GENERATE(std::uint64_t{100'000}, std::uint64_t{1 << 30})};
  for (int pass = 0; pass < 3; ++pass) {
    CAPTURE(pass);
    if (pass == 2) b.machine.write("results/run/model.pt", noise(200'000, 8));
    const auto got = shell->collect({source}, how, {}, {});
    if (!got) FAIL(got.error().what);
    CHECK(got->complete);
    CHECK(got->fetched == (pass == 1 ? 0 : 1));
    REQUIRE(got->files.size() == 1);
    CHECK(got->files[0].home == "41/run/model.pt");
    CHECK(sha256_file(b.local.path() / "results/41/run/model.pt") == got->files[0].sha256);
    CHECK(b.at_home("run/model.pt") == "of another rental");
    CHECK(b.home_files().size() == 2);
    source.known = known_files(json(*got), source.remote_folder);
  }
}

TEST_CASE("among the user's own files no machine writes what steers assistants, and renames nothing") {
  NEEDS_SSHD();
  CollectBench b;
  b.local.write("results/CLAUDE.md", "rules");
  b.local.write("results/config.json", "of the user");
  b.local.write("results/same.json", "{}");
  b.machine.write("results/CLAUDE.md", "rules");  // as it was sent
  for (const char* name : {"AGENTS.md", "sub/claude.md", "vast-instances.json", "opencode.json", ".gitignore",
                           "sub/.vscode/tasks.json", "key.pem"})
    b.machine.write(text("results/", name), "trap");
  b.machine.write("results/config.json", "of the machine");
  b.machine.write("results/same.json", "{}");
  b.machine.write("results/1/.hydra/config.yaml", "lr: 1");
  auto source = b.source();
  source.among_own = true;
  source.aside = "41/";
  source.keeps_name = [](const std::string&, const std::string&, bool ours) { return !ours; };
  auto shell = b.connect();
  const auto got = shell->collect({source}, {}, {});
  if (!got) FAIL(got.error().what);
  CHECK_FALSE(got->complete);
  CHECK(got->problems.size() == 8);  // seven refused, one elsewhere
  CHECK(has_mention(*got, "AGENTS.md: refused"));
  CHECK_FALSE(has_mention(*got, "results/CLAUDE.md: refused"));
  CHECK(b.home_files() == std::set<std::string>{"results/CLAUDE.md", "results/config.json",
                                                "results/same.json", "results/41/config.json",
                                                "results/1/.hydra/config.yaml"});
  CHECK(b.at_home("config.json") == "of the user");

  // Found at home is not brought: it stays the user's when the machine writes another one.
  source.known = known_files(json(*got), source.remote_folder);
  b.machine.write("results/same.json", "{\"trap\": 1}");
  b.machine.write("results/CLAUDE.md", "spend it all");
  const auto later = shell->collect({source}, {}, {});
  REQUIRE(later);
  CHECK(b.at_home("same.json") == "{}");
  CHECK(b.at_home("41/same.json") == "{\"trap\": 1}");
  CHECK(b.at_home("CLAUDE.md") == "rules");
  CHECK(has_mention(*later, "results/CLAUDE.md: refused"));
}

TEST_CASE("a checkpoint that is written anew while the rest travels is not claimed") {
  NEEDS_SSHD();
  TempFolder tools;  // its tar, when told, lets somebody write the checkpoint
  const auto moment = tools.path() / "moment";
  tools.write("tar", "#!/bin/sh\n[ -x " + moment.string() + " ] && " + moment.string() +
                         "\nexec /usr/bin/tar \"$@\"\n");
  fs::permissions(tools.path() / "tar", fs::perms::owner_all);
  RealSshd server(tools.path());
  CollectBench b(server);
  const auto model = b.machine.write("results/checkpoint-1/model.pt", noise(300'000, 3));
  const auto newer = b.machine.write("newer", noise(300'000, 4));
  auto shell = b.connect();
  const bool home_before = GENERATE(false, true);
  CAPTURE(home_before);
  Receipt first;
  if (home_before) {
    auto got = b.collect(*shell);
    REQUIRE(got);
    first = *std::move(got);
  }
  b.machine.write("results/metrics.json", "{}");
  tools.write("moment", "#!/bin/sh\n[ -e " + newer.string() + " ] && mv -f " + newer.string() + " " +
                            model.string() + "\n");
  fs::permissions(moment, fs::perms::owner_all);
  const auto got = b.collect_after(*shell, first, {.last = true, .big_file = 100'000});
  if (!got) FAIL(got.error().what);
  CHECK_FALSE(got->complete);
  CHECK(has_mention(*got, "model.pt: is still being written"));
  b.check_truth(*got);
}

TEST_CASE("what did not change is known by the last receipt, without asking for hashes") {
  NEEDS_SSHD();
  TempFolder tools;  // its sha256sum counts its calls
  const auto calls = tools.write("calls", "");
  tools.write("sha256sum", "#!/bin/sh\necho >> " + calls.string() + "\nexec /usr/bin/sha256sum \"$@\"\n");
  fs::permissions(tools.path() / "sha256sum", fs::perms::owner_all);
  RealSshd server(tools.path());
  CollectBench b(server);
  b.machine.write("results/a", "aaa");
  b.machine.write("results/b", "bbb");
  auto shell = b.connect();
  const auto first = b.collect(*shell);
  REQUIRE(first);
  CHECK(first->complete);
  CHECK_FALSE(first->files.at(0).relied);
  const auto asked = fs::file_size(calls);
  const auto second = b.collect_after(*shell, *first);
  REQUIRE(second);
  CHECK(second->complete);
  CHECK(second->fetched == 0);
  CHECK(fs::file_size(calls) == asked);
  for (const ReceiptFile& f : second->files) CHECK(f.relied);
  CHECK(json(*second).dump().find("last receipt") != std::string::npos);
  SECTION("a file that was changed here is brought again, and ours is kept") {
    b.local.write("results/a", "xyz");
    const auto third = b.collect_after(*shell, *second);
    REQUIRE(third);
    CHECK(third->complete);
    CHECK(third->fetched == 1);
    CHECK(b.at_home("a") == "aaa");
    CHECK(has_mention(*third, "before-"));
  }
  SECTION("one that was written anew over there with its old size and time is seen") {
    const auto when = fs::last_write_time(b.machine.path() / "results/a");
    b.machine.write("results/a", "AAA");
    fs::last_write_time(b.machine.path() / "results/a", when);
    const auto third = b.collect_after(*shell, *second);
    REQUIRE(third);
    CHECK(third->complete);
    CHECK(third->fetched == 1);
    CHECK(b.at_home("a") == "AAA");
  }
}

TEST_CASE("temporary names stay there and are named, until the machine goes") {
  NEEDS_SSHD();
  CollectBench b;
  b.machine.write("results/tmp-checkpoint-5/model.bin", "half");
  b.machine.write("results/tmp-checkpoint-5/config.json", "{}");
  b.machine.write("results/x.tmp", "half");
  b.machine.write("results/metrics.json", "{}");
  auto shell = b.connect();
  const auto got = b.collect(*shell);
  REQUIRE(got);
  CHECK(got->complete);
  CHECK(got->files.size() == 1);
  CHECK(has_mention(*got, "tmp-checkpoint-5: a temporary name, left for later (2 files)"));
  const auto last = b.collect(*shell, {.last = true});
  REQUIRE(last);
  CHECK(last->complete);
  CHECK(last->files.size() == 4);
  b.check_truth(*last);
  for (const ReceiptFile& f : last->files) CHECK((f.path == "metrics.json") == f.note.empty());
}

TEST_CASE("a load test says what can be read, and what cannot") {
  NEEDS_SSHD();
  if (output_of("command -v python3").empty()) {
    WARN("skipped: python3 is not installed");
    return;
  }
  CollectBench b;
  b.machine.write("results/good.json", "{\"loss\": 1}");
  b.machine.write("results/cut.json", "{\"loss\": ");
  b.machine.write("results/t.csv", "a,b\n1,2\n");
  const std::string head = R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  std::string size(8, '\0');
  size[0] = static_cast<char>(head.size());
  b.machine.write("results/model.safetensors", size + head + "1234");
  auto shell = b.connect();
  const auto verdict = [](const Receipt& r, const std::string& path) {
    for (const CheckedFile& c : r.checked)
      if (c.path == path) return std::optional(c.verdict);
    return std::optional<CheckedFile::Verdict>();
  };
  const auto got = b.collect(*shell, {.load_test = true});
  REQUIRE(got);
  CHECK(got->complete);  // what is there is home, readable or not
  CHECK(verdict(*got, "good.json") == CheckedFile::Verdict::ok);
  CHECK(verdict(*got, "t.csv") == CheckedFile::Verdict::ok);
  CHECK(verdict(*got, "model.safetensors") == CheckedFile::Verdict::ok);
  CHECK(verdict(*got, "cut.json") == CheckedFile::Verdict::failed);
  CHECK(has_mention(*got, "cut.json: CANNOT BE LOADED"));

  b.machine.write("results/model.safetensors", size + head + "12");
  // A pickle that would run code, and a module of the project that would be imported by its name.
  const auto trap = b.machine.path() / "trapped";
  b.machine.write("results/evil.pt", "cposix\nsystem\n(S'touch " + trap.string() + "'\ntR.");
  b.machine.write("results/json.py", "open('" + trap.string() + "', 'w')\n");
  const auto again = b.collect(*shell, {.load_test = true});
  REQUIRE(again);
  CHECK(again->complete);
  CHECK_FALSE(fs::exists(trap));
  CHECK(verdict(*again, "evil.pt") != CheckedFile::Verdict::ok);
}

TEST_CASE("without python a load test is not possible, and says so") {
  NEEDS_SSHD();
  TempFolder tools;
  for (const char* name : {"python3", "python"}) {
    tools.write(name, "#!/bin/sh\nexit 127\n");
    fs::permissions(tools.path() / name, fs::perms::owner_all);
  }
  RealSshd server(tools.path());
  CollectBench b(server);
  b.machine.write("results/good.json", "{}");
  auto shell = b.connect();
  const auto got = b.collect(*shell, {.load_test = true});
  REQUIRE(got);
  CHECK(got->complete);
  REQUIRE(got->checked.size() == 1);
  CHECK(got->checked[0].verdict == CheckedFile::Verdict::not_possible);
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
  tools.write("find", "#!/bin/sh\nseq -f 'f f 1 1.5 1.5 n%.0f' 1 100001 | sed 's/$/\\n/' | tr '\\n' '\\0'\n");
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
