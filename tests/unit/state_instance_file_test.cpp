#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>

#include "core/fd.h"
#include "core/text.h"
#include "state/instance_edit.h"
#include "tests/support/state_disks.h"
#include "tests/support/state_instances.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

std::pair<ino_t, std::int64_t> identity(const fs::path& path) {
  struct stat info {};
  ::stat(path.c_str(), &info);
  return {info.st_ino, info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

}  // namespace

TEST_CASE("without a file, or with an empty array, nothing is rented") {
  const Project none;
  REQUIRE(none.file().read());
  CHECK(none.file().read()->empty());
  CHECK(none.file().set_status({7}, "destroyed"));
  CHECK(none.names().empty());
  const Project empty("[]");
  CHECK(empty.file().read()->empty());
}

TEST_CASE("a file written by ARIS is read, and left alone when nothing of it changes") {
  const Project project(kArisFile);
  const auto before = identity(project.path);
  const auto entries = project.file().read();
  REQUIRE(entries);
  REQUIRE(entries->size() == 1);
  const InstanceEntry& e = entries->front();
  CHECK((e.id == InstanceId{70010001} && e.status == "running" && e.gpu_name == "RTX_4090"));
  CHECK((e.ssh == Endpoint{"203.0.113.7", 41022} && e.experiment == "m1_baseline_seed0" && e.dph == 0.341));
  CHECK(e.created_at == "2026-10-02T08:15:00Z");
  CHECK(e.raw.at("estimated_hours") == 3.5);

  CHECK(project.file().set_status({70010001}, "running"));
  CHECK(project.file().set_experiment({70010001}, "m1_baseline_seed0"));
  CHECK(project.file().set_status({5}, "destroyed"));  // not in it
  CHECK(project.text() == kArisFile);
  CHECK(identity(project.path) == before);
}

TEST_CASE("a new entry has the 13 fields with their types, and unknown means null") {
  const Project project;
  InstanceRecord record = sample_record(70010002);
  record.extra = {{"x_label", "vg-demo-7f3a"}};
  REQUIRE(project.file().put(record));
  CHECK(project.text() == R"([
  {
    "instance_id": 70010002,
    "offer_id": 60020003,
    "gpu_name": "RTX_3090_Ti",
    "num_gpus": 2,
    "dph": 0.189,
    "ssh_url": "ssh://root@198.51.100.9:40222",
    "ssh_host": "198.51.100.9",
    "ssh_port": 40222,
    "created_at": "2026-10-02T08:00:00Z",
    "status": "running",
    "experiment": null,
    "estimated_hours": null,
    "estimated_cost": 1.25,
    "x_label": "vg-demo-7f3a"
  }
]
)");
  CHECK(project.names() == std::vector<std::string>{"vast-instances.json"});

  const Project sparse;
  InstanceRecord loading;
  loading.id = {9};
  loading.num_gpus = 0;
  loading.status = "loading";
  loading.estimated_cost = Usd{1.0 / 3};
  loading.estimated_hours = Hours(std::nan(""));
  REQUIRE(sparse.file().put(loading));
  const json entry = sparse.parsed().at(0);
  CHECK(entry.size() == 13);
  for (const char* key : {"offer_id", "gpu_name", "num_gpus", "dph", "ssh_url", "ssh_host", "ssh_port",
                          "created_at", "experiment", "estimated_hours"})
    CHECK(entry.at(key).is_null());
  CHECK(entry.at("estimated_cost") == 0.3333);
}

TEST_CASE("what a record must not say is refused") {
  const Project project;
  InstanceRecord record = sample_record(7);
  SECTION("a further key without the prefix") { record.extra = {{"label", "a"}}; }
  SECTION("a further key that is one of the 13") { record.extra = {{"status", "running"}}; }
  SECTION("further keys that are no object") { record.extra = json::array({1}); }
  SECTION("no id") { record.id = {}; }
  SECTION("running, before anybody logged in") { record.ssh = {}; }
  SECTION("no status") { record.status = ""; }
  const auto put = project.file().put(record);
  REQUIRE_FALSE(put);
  CHECK(put.error().code == Code::invalid_argument);
  CHECK(project.names().empty());
}

TEST_CASE("our write changes our values and not one byte of anything else") {
  // Unknown keys, a string id, odd spacing, an exponent, a huge integer, an escaped key, entries that are no
  // objects.
  const std::string odd =
      "\xEF\xBB\xBF [\n\t{ \"a\" : 1e3,\"instance_id\":\"70010001\", \"status\" : \"run\\u006eing\",\r\n"
      "  \"big\": 123456789012345678901234567890, \"experiment\":null , \"mine\":{\"instance_id\": 70010001} "
      "},\n"
      "  42, null,[1,  2], \"text, with ] and { and \\\" inside\",\n"
      "  {\"instance_id\": 70010009, \"dph\": 0.1890, \"unkn\\u006fwn\": \"\xC3\xA9\"}, {}   ]  \n\n";
  const Project project(odd);
  REQUIRE(project.file().read()->size() == 2);

  REQUIRE(project.file().set_status({70010001}, "destroyed"));
  CHECK(project.text() == replaced(odd, "\"run\\u006eing\"", "\"destroyed\""));
  REQUIRE(project.file().set_experiment({70010001}, "it's \"one\""));
  CHECK(project.text().find("\"experiment\":\"it's \\\"one\\\"\" , \"mine\"") != std::string::npos);
  REQUIRE(project.file().set_experiment({70010001}, std::nullopt));
  CHECK(project.text() == replaced(odd, "\"run\\u006eing\"", "\"destroyed\""));

  REQUIRE(project.file().put(sample_record(70010002)));
  REQUIRE(project.file().read()->size() == 3);
  const std::string after = project.text();
  const auto tail = odd.find("42, null");
  CHECK(after.find(odd.substr(tail, odd.find("{}") + 2 - tail)) != std::string::npos);
  CHECK(project.parsed().at(7).at("instance_id") == 70010002);
}

TEST_CASE("updating an entry keeps what others put there") {
  const Project project(replaced(kArisFile, "\"estimated_cost\": 1.31",
                                 "\"estimated_cost\": 1.31,\n    \"notes\": [\"mine\"]"));
  const std::string before = project.text();
  InstanceRecord record = sample_record(70010001);
  record.ssh = {"203.0.113.8", 41023};
  record.extra = {{"x_deadline", "2026-10-02T13:00:00Z"}};
  REQUIRE(project.file().put(record));
  const json entry = project.parsed().at(0);
  CHECK(entry.at("experiment") == "m1_baseline_seed0");
  CHECK(entry.at("estimated_hours") == 3.5);
  CHECK(entry.at("estimated_cost") == 1.25);
  CHECK(entry.at("notes") == json::array({"mine"}));
  CHECK(entry.at("ssh_url") == "ssh://root@203.0.113.8:41023");
  CHECK(entry.at("ssh_port") == 41023);
  CHECK(project.text().find(
            "    \"notes\": [\"mine\"],\n    \"x_deadline\": \"2026-10-02T13:00:00Z\"\n  }\n]\n") !=
        std::string::npos);
  // Twice the same changes nothing more.
  const auto once = identity(project.path);
  REQUIRE(project.file().put(record));
  CHECK(identity(project.path) == once);

  record.experiment = "m2_main";
  record.status = "";
  REQUIRE(project.file().set_status(record.id, "destroyed"));
  REQUIRE(project.file().put(record));
  CHECK(project.parsed().at(0).at("experiment") == "m2_main");
  CHECK(project.parsed().at(0).at("status") == "destroyed");
}

TEST_CASE("an id spelled as text becomes a number in our own entry, and twins are kept alike") {
  const Project project(
      R"([{"instance_id": "7", "status": "running"}, {"instance_id": 7, "status": "running"}])");
  REQUIRE(project.file().set_status({7}, "destroyed"));
  CHECK(project.text() ==
        R"([{"instance_id": "7", "status": "destroyed"}, {"instance_id": 7, "status": "destroyed"}])");
  REQUIRE(project.file().put(sample_record(7)));
  CHECK(project.parsed().size() == 2);
  CHECK(project.parsed().at(0).at("instance_id") == 7);
}

TEST_CASE("a new entry is laid out like its neighbours") {
  const EntryEdit edit{.id = {7}, .set = {{"s", 1}}, .when_new = {{"instance_id", 7}, {"s", json{{"x", 1}}}}};
  const auto now = [&](const std::string& text) {
    REQUIRE(parse_instances(text));
    const std::string after = with_edit(text, edit);
    REQUIRE(parse_instances(after));
    return after;
  };
  CHECK(now("[]") == "[\n  {\n    \"instance_id\": 7,\n    \"s\": {\"x\":1}\n  }\n]");
  CHECK(now(" [ \n ]\n") == " [\n  {\n    \"instance_id\": 7,\n    \"s\": {\"x\":1}\n  }\n]\n");
  CHECK(now("[\n\t{\n\t\t\"a\": 1\n\t}\n]\n") ==
        "[\n\t{\n\t\t\"a\": 1\n\t},\n\t{\n\t\t\"instance_id\": 7,\n\t\t\"s\": {\"x\":1}\n\t}\n]\n");
  CHECK(now("[{\"a\":1}]") == "[{\"a\":1},{\"instance_id\":7,\"s\":{\"x\":1}}]");
  CHECK(now("[\n  {\"a\": 1, \"b\": 2}\n]") ==
        "[\n  {\"a\": 1, \"b\": 2},\n  {\"instance_id\": 7, \"s\": {\"x\":1}}\n]");
  CHECK(now("[\r\n {\r\n  \"a\": 1\r\n }\r\n]") ==
        "[\r\n {\r\n  \"a\": 1\r\n },\r\n {\r\n  \"instance_id\": 7,\r\n  \"s\": {\"x\":1}\r\n }\r\n]");
  CHECK(now("[{\n  \"a\": 1\n}]") == "[{\n  \"a\": 1\n},{\n  \"instance_id\": 7,\n  \"s\": {\"x\":1}\n}]");
  CHECK(now("[1]").find("{") != std::string::npos);
  CHECK(now("[{\"instance_id\":7}]") == "[{\"instance_id\":7,\"s\":1}]");
  CHECK(now("[{\"instance_id\":7,\"s\":2,\"s\":3}]") == "[{\"instance_id\":7,\"s\":1,\"s\":1}]");
}

TEST_CASE("a file that does not parse is kept, copied once and reported with the place") {
  const std::string broken = GENERATE(as<std::string>{}, "\n", kArisFile.substr(0, 300),
                                      "{\"instances\": []}", "[{\"a\": \"\xFF\"}]");
  CAPTURE(broken);
  const Project project(broken);
  const auto before = identity(project.path);
  const auto read = project.file().read();
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Code::corrupt);
  CHECK(project.names().size() == 1);  // reading leaves nothing behind

  for (int again = 0; again < 2; ++again) {
    const auto put = project.file().put(sample_record(7));
    REQUIRE_FALSE(put);
    CAPTURE(put.error().what);
    CHECK(put.error().code == Code::corrupt);
    const std::string copy = "vast-instances.json.broken-" + sha256_hex(broken).substr(0, 8);
    CHECK(put.error().what.find(copy) != std::string::npos);
    CHECK(*read_file(project.folder.path() / copy, 1000) == broken);
    CHECK(project.names() == std::vector<std::string>{"vast-instances.json", copy});
  }
  CHECK(project.text() == broken);
  CHECK(identity(project.path) == before);
}

TEST_CASE("an empty file is broken too, and the parser's position is told") {
  const Project empty;
  empty.write("");
  CHECK(empty.file().read().error().what.find("is empty") != std::string::npos);
  const Project cut("[\n  {\"instance_id\": 7,\n");
  CHECK(cut.file().read().error().what.find("line 3, column 1") != std::string::npos);
  for (const std::string& text :
       {std::string("[] []"), std::string("[1,]"), std::string(100, '['), std::string("null"),
        std::string("[NaN]"), std::string("[\0]", 3), std::string("[1] // mine")})
    CHECK_FALSE(parse_instances(text));
  for (std::size_t size = 0; size + 2 < kArisFile.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(parse_instances(std::string_view(kArisFile).substr(0, size)));
  }
}

TEST_CASE("a file that is too large or no file is refused and not copied") {
  const Project project;
  SECTION("8 MB") { project.write("[" + std::string(8'000'001, ' ') + "]"); }
  SECTION("a folder") { fs::create_directory(project.path); }
  SECTION("a pipe") { REQUIRE(::mkfifo(project.path.c_str(), 0600) == 0); }
  CHECK(project.file().read().error().code == Code::corrupt);
  CHECK(project.file().put(sample_record(7)).error().code == Code::corrupt);
  CHECK(project.names().size() == 1);
}

TEST_CASE("a link is followed inside the project and refused when it leads out") {
  const Project project;
  const TempFolder outside;
  SECTION("inside") {
    project.folder.write("state/real.json", kArisFile);
    fs::create_symlink("state/real.json", project.path);
    REQUIRE(project.file().put(sample_record(7)));
    CHECK(fs::is_symlink(project.path));
    CHECK(json::parse(*read_file(project.folder.path() / "state/real.json", 10'000)).size() == 2);
    CHECK(project.names() == std::vector<std::string>{"state", "vast-instances.json"});
  }
  SECTION("inside, to a file that is not there yet") {
    fs::create_symlink("real.json", project.path);
    REQUIRE(project.file().put(sample_record(7)));
    CHECK(fs::is_symlink(project.path));
    CHECK(project.file().read()->size() == 1);
  }
  SECTION("outside") {
    const auto there = outside.write("secret.json", kArisFile);
    SECTION("directly") { fs::create_symlink(there, project.path); }
    SECTION("through a folder") {
      fs::create_symlink(outside.path(), project.folder.path() / "sub");
      fs::create_symlink("sub/secret.json", project.path);
    }
    CHECK(project.file().read().error().code == Code::wrong_state);
    const auto put = project.file().put(sample_record(7));
    REQUIRE_FALSE(put);
    CHECK(put.error().code == Code::wrong_state);
    CHECK(put.error().what.find(there.string()) != std::string::npos);
    CHECK(*read_file(there, 10'000) == kArisFile);
  }
  SECTION("in a circle") {
    fs::create_symlink("vast-instances.json", project.path);
    CHECK_FALSE(project.file().put(sample_record(7)));
  }
}

TEST_CASE("a neighbour whose name starts like the project is outside") {
  const TempFolder folder;
  fs::create_directory(folder.path() / "demo");
  folder.write("demo-secret/x.json", "[]");
  fs::create_symlink("../demo-secret/x.json", folder.path() / "demo" / "vast-instances.json");
  CHECK(InstanceFile(folder.path() / "demo", folder.path() / "locks").read().error().code ==
        Code::wrong_state);
}

TEST_CASE("permissions stay, and leftovers of a crash are swept when they are old") {
  const Project project(kArisFile);
  ::chmod(project.path.c_str(), 0664);
  const auto old = project.folder.write(".vast-instances.json.vast-gpu-0102", "half");
  const auto fresh = project.folder.write(".vast-instances.json.vast-gpu-0103", "half");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
  REQUIRE(project.file().put(sample_record(7)));
  struct stat info {};
  ::stat(project.path.c_str(), &info);
  CHECK((info.st_mode & 0777) == 0664);
  CHECK_FALSE(fs::exists(old));
  CHECK(fs::exists(fresh));  // somebody may be writing it right now
}

TEST_CASE("our locks stand in the state folder that was named, not in the project") {
  const TempFolder home;
  const TempFolder project;
  CHECK(InstanceFile(project.path(), home.path() / "locks").put(sample_record(7)));
  CHECK_FALSE(fs::is_empty(home.path() / "locks"));
  CHECK(std::distance(fs::directory_iterator(project.path()), {}) == 1);
}

TEST_CASE("an edit that somebody makes while we write is not lost") {
  const bool can_exchange = GENERATE(true, false);
  const auto step = GENERATE(as<std::string>{}, "write", "sync", "replace");
  const bool in_place = GENERATE(false, true);  // editors either replace a file or rewrite it
  CAPTURE(step, in_place, can_exchange);
  const Project project(kArisFile);
  MeddledDisk disk;
  disk.can_exchange = can_exchange;
  int edits = 0;
  disk.before = [&](const std::string& now, const fs::path&) {
    if ((now == "exchange" || now == "rename" ? "replace" : now) != step || edits++ > 0) return;
    const std::string edited = replaced(project.text(), "m1_baseline_seed0", "m3_by_the_model");
    if (in_place) return project.write(edited);
    project.folder.write("editor.tmp", edited);
    fs::rename(project.folder.path() / "editor.tmp", project.path);
  };
  REQUIRE(project.file(disk).put(sample_record(7)));
  REQUIRE(edits >= 1);
  const json now = project.parsed();
  REQUIRE(now.size() == 2);
  CHECK(now.at(1).at("instance_id") == 7);
  // Without exchange, an edit in the last microseconds before the rename is lost: the header says so.
  CHECK(now.at(0).at("experiment") ==
        (step == "replace" && !can_exchange ? "m1_baseline_seed0" : "m3_by_the_model"));
  CHECK(project.names().size() == 1);
}

TEST_CASE("a file that appears while we make the first one is merged, not replaced") {
  const Project project;
  MeddledDisk disk;
  bool done = false;
  disk.before = [&](const std::string& step, const fs::path&) {
    if (step == "rename_new" && !std::exchange(done, true)) project.write(kArisFile);
  };
  REQUIRE(project.file(disk).put(sample_record(7)));
  CHECK(project.parsed().size() == 2);
  CHECK(project.names().size() == 1);
}

TEST_CASE("an editor that is in the middle of rewriting the file is waited for") {
  const Project project(kArisFile);
  const std::string edited = replaced(kArisFile, "m1_baseline_seed0", "m3_by_the_model");
  MeddledDisk disk;
  Fd editor;
  int looks = 0;
  const auto truncate_and_begin = [&] {
    editor = Fd(::open(project.path.c_str(), O_WRONLY | O_TRUNC));
    REQUIRE(::write(editor.get(), edited.data(), 100) == 100);
  };
  const auto finish = [&] { CHECK(::write(editor.get(), edited.data() + 100, edited.size() - 100) > 0); };
  bool finishes = true;
  SECTION("when we look for the first time") {
    truncate_and_begin();
    disk.before = [&](const std::string& step, const fs::path&) {
      if (step == "read" && ++looks == 3) finish();
    };
  }
  SECTION("when we have just displaced it") {
    disk.before = [&](const std::string& step, const fs::path& path) {
      if (step == "exchange" && looks == 0) truncate_and_begin();
      if (step == "read" && editor && path != project.path && ++looks == 3) finish();
    };
  }
  SECTION("and when it never ends, its half file is put back") {
    finishes = false;
    disk.before = [&](const std::string& step, const fs::path&) {
      if (step == "exchange" && !editor) truncate_and_begin();
    };
  }
  const auto put = project.file(disk).put(sample_record(7));
  CHECK(put.has_value() == finishes);
  if (finishes) {
    CHECK(project.parsed().size() == 2);
    CHECK(project.parsed().at(0).at("experiment") == "m3_by_the_model");
    CHECK(project.names().size() == 1);
  } else {
    CHECK(put.error().code == Code::corrupt);
    CHECK(project.text() == edited.substr(0, 100));
    CHECK(project.names().size() == 2);  // and the copy
  }
}

TEST_CASE("an edit that we displaced and then cannot merge is put back") {
  const Project project(kArisFile);
  MeddledDisk disk;
  const std::string edited = replaced(kArisFile, "m1_baseline_seed0", "m3_by_the_model");
  int writes = 0;
  disk.before = [&](const std::string& step, const fs::path&) {
    if (step == "exchange") project.write(edited);
    if (step == "write" && ++writes == 2) disk.full = true;
  };
  const auto put = project.file(disk).put(sample_record(7));
  REQUIRE_FALSE(put);
  CHECK(put.error().code == Code::unavailable);
  CHECK(project.text() == edited);
  CHECK(project.names().size() == 1);
}

TEST_CASE("somebody who rewrites the file without end is named, not fought forever") {
  const Project project(kArisFile);
  MeddledDisk disk;
  int n = 0;
  disk.before = [&](const std::string& step, const fs::path&) {
    if (step == "sync") project.write("[{\"n\": " + std::to_string(++n) + "}]");
  };
  const auto put = project.file(disk).put(sample_record(7));
  REQUIRE_FALSE(put);
  CHECK(put.error().code == Code::unavailable);
  CHECK(project.names().size() == 1);
}
