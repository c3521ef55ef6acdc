// Clients start a server twice, kill it while it starts, or only ask what it can do: nothing may remain of
// that, nothing may leave this computer, and nothing but protocol may stand on stdout.

#include <csignal>

#include <set>

#include "server/child.h"
#include "tests/support/catch.h"
#include "tests/support/scripted_http.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wire_client.h"

using namespace vastgpu;

namespace {

/// A server process in a home of its own, whose marketplace counts who calls.
struct Home {
  TempFolder folder;
  ScriptedHttp market;

  Child serve() const {
    std::filesystem::create_directories(folder.path() / "project");
    auto child = Child::start({VASTGPU_BINARY, "serve"},
                              {{"HOME", folder.path().string()},
                               {"VAST_URL", market.url()},
                               {"VAST_API_KEY", "a-key-that-is-never-used"},
                               {"VAST_GPU_STATE", (folder.path() / "state").string()},
                               {"VAST_GPU_PROJECT", (folder.path() / "project").string()},
                               {"XDG_STATE_HOME", ""}},
                              "");
    REQUIRE(child);
    return *std::move(child);
  }
  std::set<std::string> files() const {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path()))
      all.insert(entry.path().string());
    return all;
  }
};

json answer(Child& server) {
  const auto line = server.read_line(std::chrono::seconds(20));
  REQUIRE(line);
  return json::parse(*line);
}

}  // namespace

TEST_CASE("what a client asks to get to know the server leaves no trace and asks no network") {
  Home home;
  Child server = home.serve();
  const auto before = home.files();
  int id = 0;
  for (const char* method : {"server/discover", "tools/list", "prompts/list", "resources/templates/list",
                             "resources/list", "server/discover"}) {
    REQUIRE(server.write_line(dump(modern(++id, method))));
    const json said = answer(server);
    INFO(dump(said));
    CHECK(said["id"] == id);
    CHECK(said.contains("result"));
  }
  REQUIRE(server.write_line(dump(modern(++id, "completion/complete",
                                        {{"ref", {{"type", "ref/prompt"}, {"name", "vast-gpu"}}},
                                         {"argument", {{"name", "request"}, {"value", "d"}}}}))));
  CHECK(answer(server).contains("result"));
  CHECK(server.finish(std::chrono::seconds(10)) == 0);
  CHECK(home.files() == before);
  CHECK(home.market.connections() == 0);
}

TEST_CASE(
    "started twice at once, killed while it starts, given no input: no trace, and the next one answers") {
  Home home;
  const auto before = home.files();
  for (int i = 0; i < 8; ++i) {
    Child first = home.serve(), second = home.serve();
    if (i % 2 == 0) REQUIRE(first.write_line(dump(modern("server-discover-probe-1", "server/discover"))));
    ::kill(first.pid(), SIGKILL);
    if (i % 3 == 0) {
      CHECK(second.finish(std::chrono::seconds(10)) == 0);  // an end of input at once
      continue;
    }
    REQUIRE(second.write_line(dump(modern(0, "server/discover"))));
    CHECK(answer(second)["result"]["supportedVersions"] == json::array({"2026-07-28"}));
  }
  std::set<std::string> after = home.files();
  after.erase((home.folder.path() / "project").string());
  CHECK(after == before);
  CHECK(home.market.connections() == 0);
}
