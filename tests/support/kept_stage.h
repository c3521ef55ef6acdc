#pragma once
// A stage whose servers start keepers, and which ends them with itself. One thread at a time.

#include <csignal>
#include <thread>

#include "core/files.h"
#include "core/text.h"
#include "server/keeper_seat.h"
#include "tests/support/answer_check.h"
#include "tests/support/catch.h"
#include "tests/support/rental_stage.h"

namespace vastgpu {

template <class Ask>
inline bool within(std::chrono::seconds limit, Ask ask) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!ask()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

inline bool lives(int pid) {
  const auto stat = read_file(text("/proc/", pid, "/stat"), 4096);
  return stat && stat->find(") Z ") == std::string::npos;
}

/// Children of a process, zombies included.
inline std::vector<int> children_of(int pid) {
  std::vector<int> out;
  const auto list = read_file(text("/proc/", pid, "/task/", pid, "/children"), 4096);
  if (list)
    for (const std::string& word : split(*list, ' '))
      if (!word.empty()) out.push_back(std::stoi(word));
  return out;
}

/// A stage whose keepers are ended with it.
struct KeptStage : RentalStage {
  explicit KeptStage(StageOptions options) : RentalStage(VASTGPU_BINARY, options) {}
  ~KeptStage() {
    if (const int pid = keeper(); pid > 0) {
      ::kill(pid, SIGKILL);
      (void)within(std::chrono::seconds(5), [&] { return keeper() == 0; });
    }
  }

  KeeperSeat seat() { return house().keeper_seat(*house().known_account()); }
  /// The keeper's process; 0: nobody keeps.
  int keeper() {
    if (!house().known_account()) return 0;
    const auto holder = seat().holder();
    return holder && holder->lives() ? holder->pid : 0;
  }
  bool keeper_comes() {
    return within(std::chrono::seconds(10), [&] { return keeper() > 0; });
  }
  bool keeper_goes(std::chrono::seconds limit) {
    return within(limit, [&] { return !seat().holder(); });
  }
  std::string keeper_log() {
    return read_file(folder().path() / "state" / "keeper.log", 2 << 20).value_or("");
  }

  std::unique_ptr<Child> start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), VASTGPU_BINARY);
    auto child = Child::start(arguments, environment(), (folder().path() / "command.log").string());
    REQUIRE(child);
    return std::make_unique<Child>(*std::move(child));
  }
  /// A server over its pipes, and one tool call.
  json ask(Child& server, const std::string& tool, const json& arguments) {
    const json params = {{"name", tool},
                         {"arguments", arguments},
                         {"_meta",
                          {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"},
                           {"io.modelcontextprotocol/clientInfo", {{"name", "t"}, {"version", "1"}}},
                           {"io.modelcontextprotocol/clientCapabilities", json::object()}}}};
    REQUIRE(server.write_line(
        dump({{"jsonrpc", "2.0"}, {"id", ++asked_}, {"method", "tools/call"}, {"params", params}})));
    while (const auto line = server.read_line(std::chrono::seconds(60))) {
      const auto message = parse_json(*line, "a message");
      REQUIRE(message);
      if (message->value("id", json()) != asked_) continue;
      const json& result = (*message)["result"];
      if (const auto facts = result.find("structuredContent"); facts != result.end())
        CHECK(answer_trouble(tool, *facts).empty());
      return result;
    }
    FAIL("no answer");
    return {};
  }

 private:
  int asked_ = 0;
};

}  // namespace vastgpu
