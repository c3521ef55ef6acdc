// Code to a real machine: what travels, what stays at home, and what a dead link leaves behind.
#include <fcntl.h>
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

/// The rules of the research skills we plug into.
SyncRules code_rules(const RemoteBench& b) {
  SyncRules rules;
  rules.include = {"*.py", "*.yaml", "*.yml", "*.json", "*.txt", "*.sh", "*/"};
  rules.exclude = {"*.pt", "*.pth", "*.ckpt", "__pycache__", ".git", "data/", "wandb/", "outputs/"};
  rules.notes_folder = (b.home.path() / "notes").string();
  return rules;
}

std::set<std::string> files_below(const fs::path& root) {
  std::set<std::string> found;
  for (const auto& e : fs::recursive_directory_iterator(root))
    if (!e.is_directory()) found.insert(fs::relative(e.path(), root).string());
  return found;
}

bool has_mention(const std::vector<std::string>& list, const std::string& of) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& s) { return s.find(of) != std::string::npos; });
}

}  // namespace

TEST_CASE("code travels by the rules, whole, with times and modes, and only once") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  project.write("train.py", "print('hi')");
  project.write("conf/a.yaml", "lr: 1");
  project.write("run.sh", "#!/bin/sh\n");
  fs::permissions(project.path() / "run.sh", fs::perms::owner_all);
  project.write("deep/er/still/x.json", "{}");
  project.write("with space/and 'quote'.txt", "s");
  project.write("new\nline.txt", "n");
  project.write("-rf.txt", "dash");
  project.write("ünï/数据.txt", "u");
  project.write("bad\xff name.txt", "bytes");
  project.write("back\\slash*.txt", "b");
  project.write(std::string(120, 'l') + "/" + std::string(150, 'm') + ".txt", "long");
  project.write("empty.txt", "");
  for (const std::string stays :
       {"model.pt", "a.pth", "sub/b.ckpt", "__pycache__/c.py", "sub/__pycache__/d.py", ".git/e.txt",
        "data/f.txt", "sub/data/g.json", "wandb/h.json", "outputs/i.txt", "photo.png"})
    project.write(stays, "no");
  const auto target = b.machine.path() / "new place/project";

  auto shell = b.connect();
  double last = -1;
  const auto report = shell->sync_up(project.path(), target.string(), code_rules(b),
                                     [&](double f, const std::string&) {
                                       CHECK(f >= last);
                                       last = f;
                                     },
                                     {});
  if (!report) FAIL(report.error().what);
  CHECK(report->files == 12);
  CHECK(report->sent_files == 12);
  CHECK(report->stayed.named == std::vector<std::string>{});
  CHECK(last == 1);
  const auto there = files_below(target);
  CHECK(there.size() == 12);
  for (const std::string& path : there) {
    CAPTURE(path);
    CHECK(*read_file(target / path, 1000) == *read_file(project.path() / path, 1000));
    struct stat here {
    }, over{};
    ::stat((project.path() / path).c_str(), &here);
    ::stat((target / path).c_str(), &over);
    CHECK(here.st_mtim.tv_sec == over.st_mtim.tv_sec);
    CHECK(here.st_mtim.tv_nsec == over.st_mtim.tv_nsec);
    CHECK(here.st_mode == over.st_mode);
  }

  const auto second = shell->sync_up(project.path(), target.string(), code_rules(b), {}, {});
  REQUIRE(second);
  CHECK(second->files == 12);
  CHECK(second->sent_files == 0);
  CHECK(second->round_trips == 1);

  project.write("conf/a.yaml", "lr: 2");
  project.write("conf/new/b.yaml", "x");
  fs::permissions(project.path() / "train.py", fs::perms::owner_all);
  b.machine.write("new place/project/conf/results.csv", "stays");
  const auto third = shell->sync_up(project.path(), target.string(), code_rules(b), {}, {});
  REQUIRE(third);
  CHECK(third->sent_files == 2);  // of train.py only the mode
  CHECK(fs::status(target / "train.py").permissions() == fs::perms::owner_all);
  CHECK(third->round_trips == 2);
  CHECK(read_file(target / "conf/a.yaml", 100) == "lr: 2");
  CHECK(read_file(target / "conf/results.csv", 100) == "stays");
  CHECK(files_below(target).size() == 14);
}

TEST_CASE("links, sockets, large and unreadable files stay at home and are named") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project, elsewhere;
  project.write("real.py", "real");
  elsewhere.write("secret.py", "secret");
  fs::create_symlink("real.py", project.path() / "inside.py");
  fs::create_symlink(elsewhere.path() / "secret.py", project.path() / "outside.py");
  fs::create_symlink("nowhere", project.path() / "dangling.py");
  fs::create_directory_symlink(project.path(), project.path() / "loop");
  fs::create_directory_symlink(elsewhere.path(), project.path() / "data");
  ::mkfifo((project.path() / "pipe.py").c_str(), 0600);
  project.write("large.txt", std::string(5000, 'x'));
  auto rules = code_rules(b);
  rules.max_file = 4000;
  auto shell = b.connect();
  const auto report = shell->sync_up(project.path(), b.machine.path().string(), rules, {}, {});
  REQUIRE(report);
  CHECK(files_below(b.machine.path()) == std::set<std::string>{"real.py", "inside.py"});
  CHECK(read_file(b.machine.path() / "inside.py", 100) == "real");
  for (const char* named : {"outside.py", "dangling.py", "loop", "pipe.py", "large.txt"}) {
    CAPTURE(named);
    CHECK(has_mention(report->stayed.named, named));
  }
  CHECK_FALSE(has_mention(report->stayed.named, "data"));
}

TEST_CASE("too much altogether is refused before anything travels, and the largest are named") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  for (int i = 1; i <= 8; ++i)
    project.write("f" + std::to_string(i) + ".txt", std::string(static_cast<std::size_t>(i) * 1000, 'x'));
  auto rules = code_rules(b);
  rules.max_total = 10'000;
  auto shell = b.connect();
  const auto refused = shell->sync_up(project.path(), (b.machine.path() / "p").string(), rules, {}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::invalid_argument);
  CHECK(refused.error().what.find("f8.txt (8.0 kB), f7.txt") != std::string::npos);
  CHECK(refused.error().what.find("f3.txt") == std::string::npos);
  CHECK_FALSE(fs::exists(b.machine.path() / "p"));
  CHECK(shell->sync_up(project.path() / "absent", "/tmp", rules, {}, {}).error().code ==
        Code::invalid_argument);
}

TEST_CASE("a link on the machine under a file's name is replaced, not followed") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  project.write("a.py", "new");
  const auto other = b.machine.write("other", "precious");
  fs::create_directories(b.machine.path() / "p");
  fs::create_symlink(other, b.machine.path() / "p/a.py");
  auto shell = b.connect();
  REQUIRE(shell->sync_up(project.path(), (b.machine.path() / "p").string(), code_rules(b), {}, {}));
  CHECK(read_file(other, 100) == "precious");
  CHECK(read_file(b.machine.path() / "p/a.py", 100) == "new");
}

TEST_CASE("a machine that cannot store says so") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  project.write("a.py", "new");
  b.machine.write("p/a.py/in the way", "");
  auto shell = b.connect();
  const auto report =
      shell->sync_up(project.path(), (b.machine.path() / "p").string(), code_rules(b), {}, {});
  REQUIRE_FALSE(report);
  CHECK(report.error().code == Code::wrong_state);
  CHECK_FALSE(shell->sync_up(project.path(), "/proc/nothing/here", code_rules(b), {}, {}));
}

TEST_CASE("wherever the link dies, it goes on, and the machine never has half a file") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  std::mt19937 random(7);
  std::string noise(700'000, ' ');
  for (char& c : noise) c = static_cast<char>(random());
  project.write("big.txt", noise);
  project.write("a/one.py", "new one");
  project.write("b.py", "new b");
  CutRelay relay(b.server.endpoint());
  for (std::uint64_t cut = 2000; cut < 800'000; cut += 64 * 1024) {
    CAPTURE(cut);
    TempFolder machine;
    machine.write("p/b.py", "old b content");
    auto shell = b.connect_to(relay.endpoint());
    relay.cut_after(cut, CutRelay::Counts::from_client);
    std::size_t halves = 0;
    const auto sent = shell->sync_up(project.path(), (machine.path() / "p").string(), code_rules(b),
                                     [&](double, const std::string&) {
                                       const auto now = read_file(machine.path() / "p/b.py", 100);
                                       halves += !now || (*now != "new b" && *now != "old b content");
                                     },
                                     {});
    if (!sent) FAIL(sent.error().what);
    CHECK(halves == 0);
    CHECK(sent->reconnects <= 1);
    for (const std::string path : {"big.txt", "a/one.py", "b.py"})
      CHECK(*read_file(machine.path() / "p" / path, 1'000'000) ==
            *read_file(project.path() / path, 1'000'000));
  }
}

TEST_CASE("a stop in the middle is heard") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  for (int i = 0; i < 50; ++i) project.write("f" + std::to_string(i) + ".txt", std::string(300'000, 'x'));
  auto shell = b.connect();
  std::stop_source source;
  const auto report = shell->sync_up(
      project.path(), (b.machine.path() / "p").string(), code_rules(b),
      [&](double f, const std::string&) {
        if (f > 0.3) source.request_stop();
      },
      source.get_token());
  REQUIRE_FALSE(report);
  CHECK(report.error().code == Code::cancelled);
  CHECK_FALSE(fs::exists(b.machine.path() / "p/f0.txt"));
}

TEST_CASE("the machine's list: one word when nothing changed, and no list is needed") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  for (int i = 0; i < 800; ++i)
    project.write("m" + std::to_string(i % 40) + "/f" + std::to_string(i) + ".py",
                  "print(" + std::to_string(i) + ")");
  const auto target = b.machine.path() / "p";
  auto shell = b.connect();
  auto rules = code_rules(b);
  const auto sync = [&] {
    auto report = shell->sync_up(project.path(), target.string(), rules, {}, {});
    if (!report) FAIL(report.error().what);
    return *report;
  };
  CHECK(sync().round_trips == 1);  // nothing was there: the question goes on as the receiver
  CHECK(sync().round_trips == 1);
  SECTION("a new file, a removed one, an edited one") {
    project.write("new.py", "n");
    fs::remove(project.path() / "m1/f1.py");
    project.write("m2/f2.py", "edited");
    const auto report = sync();
    CHECK(report.sent_files == 2);
    CHECK(report.round_trips == 2);
    CHECK(fs::exists(target / "m1/f1.py"));  // nobody asked to delete
    CHECK(sync().round_trips == 1);
  }
  SECTION("changed over there") {
    fs::remove(target / "m3/f3.py");
    b.machine.write("p/m4/f4.py", "other");
    fs::remove(target / "m5/f5.py");
    fs::create_symlink("f45.py", target / "m5/f5.py");
    CHECK(sync().sent_files == 3);
    CHECK(read_file(target / "m4/f4.py", 100) == "print(4)");
    CHECK(fs::is_regular_file(fs::symlink_status(target / "m5/f5.py")));
  }
  SECTION("the list is lost, or spoilt") {
    fs::remove_all(b.home.path() / "notes");
    CHECK(sync().sent_files == 800);  // a few bytes: sent sooner than asked about
    for (const auto& e : fs::directory_iterator(b.home.path() / "notes"))
      fs::resize_file(e.path(), fs::file_size(e.path()) / 2 + 3);
    CHECK(sync().sent_files <= 800);
    CHECK(sync().round_trips == 1);
  }
  SECTION("a first sync that may delete something") {
    rules.delete_extra = true;
    const auto report = shell->sync_up(project.path(), (b.machine.path() / "other").string(), rules, {}, {});
    if (!report) FAIL(report.error().what);
    CHECK(report->sent_files == 800);
  }
  SECTION("notes cannot be kept") {
    rules.notes_folder = "/proc/none";
    sync();
    CHECK(read_file(target / "m4/f4.py", 100) == "print(4)");
  }
  SECTION("much without a list is asked about") {
    project.write("large.txt", std::string(3'000'000, 'x'));
    sync();
    fs::remove_all(b.home.path() / "notes");
    const auto report = sync();
    CHECK(report.sent_files == 0);
    CHECK(report.round_trips == 3);  // what is there, by our names, and the list again
  }
}

TEST_CASE("only what an earlier sync put there is deleted, only when asked, never on doubt") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  project.write("a.py", "a");
  project.write("b.py", "b");
  project.write("-c\nodd.py", "c");
  b.machine.write("p/theirs.py", "made there");
  const auto target = b.machine.path() / "p";
  auto shell = b.connect();
  auto rules = code_rules(b);
  const auto sync = [&] {
    auto report = shell->sync_up(project.path(), target.string(), rules, {}, {});
    if (!report) FAIL(report.error().what);
    return *report;
  };
  sync();
  fs::remove(project.path() / "b.py");
  fs::remove(project.path() / "-c\nodd.py");
  CHECK(sync().deleted == 0);
  CHECK(fs::exists(target / "b.py"));
  rules.delete_extra = true;
  SECTION("asked") {
    const auto report = sync();
    CHECK(report.deleted == 2);
    CHECK(report.sent_files == 0);
    CHECK(files_below(target) == std::set<std::string>{"a.py", "theirs.py"});
    CHECK(sync().round_trips == 1);
  }
  SECTION("in doubt") {
    project.write("large.txt", std::string(5000, 'x'));
    rules.max_file = 1000;
    const auto report = sync();
    CHECK(report.deleted == 0);
    CHECK(fs::exists(target / "b.py"));
    CHECK(has_mention(report.stayed.named, "nothing was deleted"));
  }
}

TEST_CASE("names at the limits, empty files, folders that cannot be read or written") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  const std::string longest(251, 'n');
  for (const std::string& path :
       std::vector<std::string>{longest + ".py", "a/" + longest + ".py", "-rf/--.py", "empty.py", "\n.py",
                                "*.py", "$(touch x).py", "'\"`.py", "ü/\xff\xfe.py"})
    project.write(path, path == "empty.py" ? "" : path);
  const auto target = b.machine.path() / "p";
  auto shell = b.connect();
  const auto report = shell->sync_up(project.path(), target.string(), code_rules(b), {}, {});
  if (!report) FAIL(report.error().what);
  CHECK(files_below(target) == files_below(project.path()));
  for (const std::string& path : files_below(project.path())) {
    CAPTURE(path);
    CHECK(*read_file(target / path, 1000) == *read_file(project.path() / path, 1000));
  }
  CHECK(shell->sync_up(project.path(), target.string(), code_rules(b), {}, {})->round_trips == 1);
}

TEST_CASE("time runs out: what is through stays, the next call brings the rest") {
  NEEDS_SSHD();
  RemoteBench b;
  TempFolder project;
  for (int i = 0; i < 20; ++i) project.write("f" + std::to_string(i) + ".txt", std::string(300'000, 'x'));
  auto shell = b.connect();
  auto rules = code_rules(b);
  int asked = 0;
  rules.enough = [&] { return ++asked > 8; };
  const auto first = shell->sync_up(project.path(), (b.machine.path() / "p").string(), rules, {}, {});
  if (!first) FAIL(first.error().what);
  CHECK_FALSE(first->complete);
  CHECK(first->sent_files == 8);
  rules.enough = {};
  const auto second = shell->sync_up(project.path(), (b.machine.path() / "p").string(), rules, {}, {});
  if (!second) FAIL(second.error().what);
  CHECK(second->complete);
  CHECK(second->sent_files == 12);
}
