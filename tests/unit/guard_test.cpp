// The guard's own text under a real /bin/sh. Time, sleep and the marketplace are stand-ins on PATH, so that a
// lease of twenty minutes passes in a second; the calls are made by the real curl, wget and python, too.

#include <httplib.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "core/files.h"
#include "core/text.h"
#include "fleet/arm.h"
#include "fleet/guard.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {

constexpr std::int64_t kMade = 1'795'300'000, kLease = 1200, kEnd = kMade + kLease, kStart = kMade + 200;

TimePoint at(std::int64_t seconds) { return TimePoint(std::chrono::seconds(seconds)); }

std::string replaced(std::string s, const std::string& what, const std::string& with) {
  for (std::size_t i = s.find(what); i != std::string::npos; i = s.find(what, i + with.size()))
    s.replace(i, what.size(), with);
  return s;
}

/// A container with a clock of its own. `T` is the folder in every script here.
class Container {
 public:
  explicit Container(LeaseEnd at_end = LeaseEnd::stop, const std::string& api_url = "http://api.example") {
    std::string script = onstart_script({api_url, at(kEnd), at(kMade), at_end});
    for (const char* part : {"/workspace", "/root", "/proc/1"})
      script = replaced(std::move(script), part, (folder.path() / &part[1]).string());
    folder.write("onstart", script);
    folder.write("root/keep", "");
    folder.write("proc/1/environ", std::string("A=b\0CONTAINER_ID=77\0CONTAINER_API_KEY=good\0", 43));
    write("true", std::to_string(kStart));
    write("skew", "0");
    write("events", "");
    write("http", "200");
    write("starts", "");
    program("setsid", "exit 0");
    program("apt-get", "exit 0");
    program("date", "read t <$T/true; read s <$T/skew; echo $((t + s))");
    program("sleep", R"(read t <$T/true; t=$((t + $1)); echo $t >$T/true
guard=$PPID
[ ! -e $T/stopped ] || kill $guard
[ $t -lt $LIMIT ] || kill $guard
. $T/events)");
    program("curl", R"(read t <$T/true; read code <$T/http
for word; do case $word in 'Authorization: Bearer good') ok=1;; esac; [ "$last" != -X ] || method=$word; last=$word; done
[ "$ok" ] || code=401
echo "$method $t" >>$T/calls
[ $code = 200 ] && [ $method != GET ] && echo $t >$T/stopped
printf %s $code)");
  }

  void write(const std::string& name, const std::string& content) { folder.write(name, content + "\n"); }
  void program(const std::string& name, const std::string& body) {
    folder.write("bin/" + name, "#!/bin/sh\n" + body + "\n");
    std::filesystem::permissions(folder.path() / "bin" / name, std::filesystem::perms{0755});
  }
  /// What happens at a moment, once: shell.
  void when(std::int64_t moment, const std::string& what) {
    static int n = 0;
    events_ +=
        text("[ $t -lt ", moment, " ] || [ -e $T/did", ++n, " ] || { : >$T/did", n, "; ", what, "; }\n");
    write("events", events_);
  }
  /// Starts it again and again until it was stopped, or the time is over.
  void live(std::int64_t limit = kEnd + 4000, int starts = 50) {
    const std::string common =
        text("export T=", folder.path().string(), " LIMIT=", limit,
             " PATH=", path.empty() ? text(folder.path().string(), "/bin:/usr/bin:/bin") : path, "; ",
             environment);
    for (int n = 0; n < starts && now() < limit && !stopped(); ++n) {
      REQUIRE(std::system(text(common, "sh $T/onstart >>$T/log 2>&1").c_str()) == 0);
      (void)std::system(text(common, "sh $T/workspace/.vast-gpu/guard.sh >>$T/log 2>&1").c_str());
    }
  }
  std::string read(const std::string& name) const {
    return read_file(folder.path() / name, 1 << 20).value_or("");
  }
  std::int64_t now() const { return std::atoll(read("true").c_str()); }
  bool stopped() const { return std::filesystem::exists(folder.path() / "stopped"); }
  std::int64_t end() const { return std::atoll(read("stopped").c_str()); }
  std::string home(const std::string& name) const { return read("workspace/.vast-gpu/" + name); }
  std::optional<GuardReport> report() const { return read_guard_report(home("guard")); }

  TempFolder folder;
  std::string environment = "CONTAINER_ID=77 CONTAINER_API_KEY=good ";
  std::string path;

 private:
  std::string events_;
};

bool on_time(std::int64_t end, std::int64_t wanted) { return end >= wanted && end <= wanted + 35; }

}  // namespace

TEST_CASE("the on-start script fits the marketplace's limit") {
  const std::string longest = "https://" + std::string(52, 'x');
  for (const LeaseEnd how : {LeaseEnd::stop, LeaseEnd::destroy}) {
    const std::string script =
        onstart_script({longest, at(99'999'999'999), at(99'999'999'999) - std::chrono::hours(24 * 366), how,
                        "0123456789abcdef"});
    INFO(script.size());
    CHECK(script.size() < 4048);
    CHECK(script.find('@') == std::string::npos);  // no mark was left unreplaced
  }
  CHECK(onstart_script({"http://a'; rm -rf b", at(kEnd), at(kMade), LeaseEnd::stop})
            .find("u='http://a'\\''; rm -rf b'/api") != std::string::npos);
  CHECK(lease_text(at(kEnd), std::chrono::seconds(90)) == "1795301200\n90\n");
  CHECK(lease_text(at(kEnd), std::chrono::seconds(-90)) == "1795301200\n0\n");
}

TEST_CASE("the guard ends a lease on time, whatever the clock says at the first start") {
  const std::int64_t skew = GENERATE(0, 45, -45, 86'400, -86'400, -kStart, 40'000'000'000);
  const LeaseEnd how = GENERATE(LeaseEnd::stop, LeaseEnd::destroy);
  Container c(how);
  c.write("skew", std::to_string(skew));
  c.live();
  INFO(skew << " " << c.read("log") << c.read("calls"));
  REQUIRE(c.stopped());
  // A clock that cannot be right: the lease that was paid for, from the start.
  CHECK(on_time(c.end(), std::abs(skew) < 60 ? kEnd - skew : kStart + kLease));
  CHECK(c.read("calls").find(how == LeaseEnd::stop ? "PUT" : "DELETE") != std::string::npos);
  const auto report = c.report();
  REQUIRE(report);
  CHECK(report->key == GuardKey::works);
  CHECK(report->left == Duration{});
}

TEST_CASE("a clock that jumps under the guard can end a lease early and never late") {
  Container c;
  SECTION("a day forward") {
    c.when(kMade + 600, "echo 86400 >$T/skew");
    c.live();
    CHECK(on_time(c.end(), kMade + 600));
  }
  SECTION("a day back") {
    c.when(kMade + 600, "echo -86400 >$T/skew");
    c.live();
    CHECK(c.end() >= kEnd - 60);
    CHECK(c.end() <= kEnd + 35);
  }
  SECTION("back, and forth again") {
    c.when(kMade + 500, "echo -86400 >$T/skew");
    c.when(kMade + 900, "echo 0 >$T/skew");
    c.live();
    CHECK(c.end() >= kEnd - 90);
    CHECK(c.end() <= kEnd + 35);
  }
  SECTION("back again and again, by little") {
    for (int i = 1; i < 9; ++i) c.when(kMade + 200 + i * 100, text("echo -", i * 100, " >$T/skew"));
    c.live();
    CHECK(c.end() >= kEnd - 60);
    CHECK(c.end() <= kEnd + 35);
  }
  SECTION("it stands still") {
    c.program("date", "echo 1795300300");
    c.live();
    CHECK(c.end() <= kEnd + 135);
  }
  SECTION("no date at all") {
    c.program("date", "exit 127");
    c.live();
    CHECK(c.end() <= kStart + kLease + 35);
  }
}

TEST_CASE("a container that starts again gets no time back") {
  Container c;
  SECTION("with a clock that is right") {
    for (int i = 1; i < 6; ++i) c.when(kMade + 200 + i * 100, "kill $guard");
    c.live();
    CHECK(c.end() <= kEnd + 35);
  }
  SECTION("with a clock a day behind") {
    c.when(kMade + 300, "echo -86400 >$T/skew");
    for (int i = 1; i < 6; ++i) c.when(kMade + 300 + i * 90, "kill $guard");
    c.live();
    CHECK(c.end() <= kEnd + 35);
  }
  SECTION("with its lease file destroyed, and its clock a day behind") {
    c.when(kMade + 500, "echo -86400 >$T/skew; echo garbage >$T/workspace/.vast-gpu/lease; kill $guard");
    c.live();
    CHECK(c.end() <= kEnd + 35);
  }
  SECTION("with every file destroyed and its clock right") {
    c.when(kMade + 700, "rm -rf $T/workspace/.vast-gpu; kill $guard");
    c.live();
    CHECK(on_time(c.end(), kEnd));
  }
  REQUIRE(c.stopped());
}

TEST_CASE("a lease file that is no lease is not believed") {
  const std::string lie = GENERATE("garbage", "", "99999999999999999999\\n9", "99999999999\\n1200", "-5\\n-5",
                                   "0x7fffffff\\n1", "*\\n*");
  Container c;
  c.when(kMade + 500, "printf '" + lie + "' >$T/workspace/.vast-gpu/lease");
  c.live();
  INFO(lie << "\n" << c.read("log"));
  CHECK(on_time(c.end(), kEnd));
}

TEST_CASE("one write moves the lease, in the machine's own time") {
  Container c;
  SECTION("longer") {
    c.when(kMade + 500,
           text("printf '", kEnd + 900, "\\n", kLease + 400, "\\n' >$T/workspace/.vast-gpu/lease"));
    c.live();
    CHECK(on_time(c.end(), kEnd + 900));
  }
  SECTION("longer, by a clock that is a day behind since a while") {
    c.when(kMade + 400, "echo -86400 >$T/skew");
    c.when(kMade + 500,
           text("printf '", kEnd + 900 - 86400, "\\n", kLease + 400, "\\n' >$T/workspace/.vast-gpu/lease"));
    c.live();
    CHECK(on_time(c.end(), kEnd + 900));
  }
  SECTION("longer, and the clock falls back before the guard reads it") {
    c.when(kMade + 500, text("echo -86400 >$T/skew; printf '", kEnd + 900, "\\n", kLease + 400,
                             "\\n' >$T/workspace/.vast-gpu/lease"));
    c.live();
    CHECK(on_time(c.end(), kEnd + 900));
  }
  SECTION("shorter") {
    c.when(kMade + 500, text("printf '", kMade + 800, "\\n300\\n' >$T/workspace/.vast-gpu/lease"));
    c.live();
    CHECK(on_time(c.end(), kMade + 800));
  }
  SECTION("into a folder that was deleted under the guard and made again") {
    c.when(kMade + 400, "rm -rf $T/workspace/.vast-gpu");
    c.when(kMade + 500,
           text("printf '", kEnd + 900, "\\n", kLease + 400, "\\n' >$T/workspace/.vast-gpu/lease"));
    c.live();
    CHECK(on_time(c.end(), kEnd + 900));
  }
  SECTION("one number alone, as an older program writes it") {
    c.when(kMade + 500, text("printf '", kEnd + 900, "\\n' >$T/workspace/.vast-gpu/lease"));
    c.live();
    CHECK(on_time(c.end(), kEnd + 900));
  }
}

TEST_CASE("a stop that fails is asked for until it is taken") {
  Container c;
  c.when(kEnd - 60, "echo 503 >$T/http");
  c.when(kEnd + 400, "echo 200 >$T/http");
  c.live();
  CHECK(on_time(c.end(), kEnd + 400));
  CHECK(split(c.read("calls"), '\n').size() > 12);
}

TEST_CASE("a start after the lease is given its grace, one that its host repeats for ever is not") {
  Container c;
  c.live();
  REQUIRE(on_time(c.end(), kEnd));
  SECTION("started by somebody") {
    for (int i = 0; i < 3; ++i) {
      std::filesystem::remove(c.folder.path() / "stopped");
      const auto started = c.now();
      c.live(started + 4000, 1);
      CHECK(c.end() >= started + 270);
      CHECK(c.end() <= started + 335);
    }
  }
  SECTION("its host starts it every two minutes, and the marketplace does not answer at first") {
    std::filesystem::remove(c.folder.path() / "stopped");
    const auto started = c.now();
    for (int i = 1; i < 9; ++i) c.when(started + i * 120, "kill $guard");
    c.live(started + 4000);
    CHECK(c.end() <= started + 300);
  }
}

TEST_CASE("the guard tries its keys and says what became of them") {
  Container c;
  const auto short_life = [&] { c.live(kStart + 100, 1); };
  SECTION("from its environment") {
    short_life();
    CHECK(c.report()->key == GuardKey::works);
  }
  SECTION("from the first process's") {
    c.environment.clear();
    short_life();
    CHECK(c.report()->key == GuardKey::works);
  }
  SECTION("none") {
    c.environment.clear();
    c.write("proc/1/environ", "");
    short_life();
    CHECK(c.report()->key == GuardKey::none);
    CHECK(c.read("calls").empty());
  }
  SECTION("refused") {
    c.environment = "CONTAINER_ID=77 CONTAINER_API_KEY=bad ";
    short_life();
    CHECK(c.report()->key == GuardKey::refused);
    CHECK(c.report()->key_file_size == 0);
  }
  SECTION("refused, and a file that comes later") {
    c.environment = "CONTAINER_ID=77 CONTAINER_API_KEY=bad ";
    c.when(kStart + 60, "echo '77 good' >$T/workspace/.vast-gpu/key");
    c.live();
    CHECK(c.report()->key == GuardKey::works);
    CHECK(c.report()->key_file_size == 7);
    CHECK(on_time(c.end(), kEnd));
  }
  SECTION("no answer is not a refusal, and what worked keeps its word") {
    c.write("http", "503");
    c.when(kStart + 40, "cp $T/workspace/.vast-gpu/guard $T/first; echo 200 >$T/http");
    c.when(kStart + 100, "echo 503 >$T/http");
    c.live(kStart + 1000, 1);
    CHECK(read_guard_report(c.read("first"))->key == GuardKey::unknown);
    CHECK(c.report()->key == GuardKey::works);
  }
  CHECK(c.read("log").find("good") == std::string::npos);  // no key in a log
}

TEST_CASE("curl, wget or python: each alone is enough") {
  const std::string tool = GENERATE("curl", "wget", "python3");
  std::string where;
  for (const char* folder : {"/usr/bin/", "/usr/local/bin/"})
    if (::access((folder + tool).c_str(), X_OK) == 0) where = folder + tool;
  if (where.empty()) return;

  httplib::Server server;
  std::mutex hold;
  std::vector<std::string> seen;
  const auto answer = [&](const httplib::Request& r, httplib::Response& out) {
    const std::scoped_lock lock(hold);
    seen.push_back(r.method + " " + r.path + " " + r.body);
    if (r.get_header_value("Authorization") != "Bearer good") out.status = 401;
    out.set_content("{\"success\": true}", "application/json");
  };
  server.Get(".*", answer);
  server.Put(".*", answer);
  const int port = server.bind_to_any_port("127.0.0.1");
  std::jthread listening([&] { server.listen_after_bind(); });

  Container c(LeaseEnd::stop, text("http://127.0.0.1:", port));
  for (const char* needed : {"sh", "head", "tail", "tr", "sed", "cat", "mv", "mkdir", "touch", "rm"}) {
    const std::string found = ::access(text("/usr/bin/", needed).c_str(), X_OK) == 0 ? "/usr/bin/" : "/bin/";
    std::filesystem::create_symlink(found + needed, c.folder.path() / "bin" / needed);
  }
  std::filesystem::remove(c.folder.path() / "bin/curl");
  std::filesystem::create_symlink(where, c.folder.path() / "bin" / tool);
  c.path = (c.folder.path() / "bin").string();
  SECTION("it ends the machine") {
    c.live(kEnd + 60, 1);
    CHECK(c.report()->key == GuardKey::works);
    REQUIRE(!seen.empty());
    CHECK(seen.front() == "GET /api/v0/instances/77/ ");
    CHECK(seen.back() == "PUT /api/v0/instances/77/ {\"state\":\"stopped\"}");
  }
  SECTION("it knows a refusal") {
    c.environment = "CONTAINER_ID=77 CONTAINER_API_KEY=bad ";
    c.live(kStart + 60, 1);
    CHECK(c.report()->key == GuardKey::refused);
  }
  INFO(tool << c.read("log"));
  CHECK(c.read("log").find("good") == std::string::npos);
  server.stop();
}

TEST_CASE("what a guard reports is read with care") {
  CHECK_FALSE(read_guard_report(""));
  CHECK_FALSE(read_guard_report("now end key"));
  CHECK_FALSE(read_guard_report("-1 5 key"));
  CHECK_FALSE(read_guard_report("99999999999999999999 5 key"));
  const auto old = read_guard_report("1795300000 1795301200 key\n");  // of an older program
  REQUIRE(old);
  CHECK((old->key == GuardKey::works && !old->left && old->end == at(kEnd)));
  const auto full = read_guard_report("1795300000 1795301200 badkey 77 40\n");
  REQUIRE(full);
  CHECK((full->key == GuardKey::refused && full->left == std::chrono::seconds(77) &&
         full->key_file_size == 40));
  CHECK(read_guard_report("1 2 \x1b[31m")->key == GuardKey::unknown);
}

TEST_CASE("a machine is armed, waited for, or given up") {
  using enum Arming::State;
  const TimePoint now = at(kMade);
  const auto judged = [&](const char* word, std::size_t key_size, int waited_minutes,
                          std::int64_t tried = 0) {
    GuardReport r{now - std::chrono::seconds(20), at(kEnd), GuardKey::unknown, {}, tried};
    r.key = read_guard_report(text("1 2 ", word))->key;
    return judge_guard(r, now, std::chrono::minutes(waited_minutes), key_size).state;
  };
  CHECK(judged("key", 0, 0) == armed);
  CHECK(judged("nokey", 0, 0) == cannot);
  CHECK(judged("badkey", 40, 0) == waiting);  // ours is not tried yet
  CHECK(judged("badkey", 40, 0, 40) == cannot);
  CHECK(judged("wait", 0, 3) == waiting);
  CHECK(judged("wait", 0, 4) == cannot);
  CHECK(judge_guard(std::nullopt, now, {}, 0).state == waiting);
  CHECK(judge_guard(std::nullopt, now, std::chrono::minutes(5), 0).state == cannot);
  const GuardReport stale{now - std::chrono::minutes(9), at(kEnd), GuardKey::works, {}, 0};
  CHECK(judge_guard(stale, now, {}, 0).state == waiting);
  CHECK(key_text({7}, Secret("ab;rm -rf")).empty());
  CHECK(key_text({7}, Secret("ab12")) == "7 ab12\n");
}
