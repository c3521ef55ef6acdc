#pragma once
// A server of its own, spoken to as a client of the newest revision. One thread.

#include <csignal>
#include <deque>

#include "core/text.h"
#include "server/child.h"
#include "server/tasks.h"
#include "tests/support/catch.h"

namespace vastgpu {

class ModernChild {
 public:
  /// `program` serves in `environment`. `tasks`: this client takes tasks for answers.
  ModernChild(const std::string& program, const std::map<std::string, std::string>& environment, bool tasks,
              const std::string& log)
      : tasks_(tasks), server_([&] {
          auto child = Child::start({program, "-q", "serve"}, environment, log);
          REQUIRE(child);
          return *std::move(child);
        }()) {}

  void send(const json& id, const std::string& method, json params) {
    json can = json::object();
    if (tasks_) can["extensions"][kTasksExtension] = json::object();
    params["_meta"] = {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"},
                       {"io.modelcontextprotocol/clientCapabilities", can}};
    REQUIRE(
        server_.write_line(dump({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}})));
  }
  /// The whole answer; what comes before it is kept for next().
  json ask(const std::string& method, json params = json::object()) {
    const json id = text("ask-", ++asked_);
    send(id, method, std::move(params));
    for (;;) {
      json message = read();
      if (message.value("id", json()) == id) return message;
      waiting_.push_back(std::move(message));
    }
  }
  json call(const std::string& tool, const json& arguments) {
    return ask("tools/call", {{"name", tool}, {"arguments", arguments}}).at("result");
  }
  /// The next message that is no answer to ask().
  json next() {
    if (waiting_.empty()) return read();
    json message = std::move(waiting_.front());
    waiting_.pop_front();
    return message;
  }
  void kill_it() {
    ::kill(server_.pid(), SIGKILL);
    CHECK(server_.finish(std::chrono::seconds(10)) == 128 + SIGKILL);
  }
  int end() { return server_.finish(std::chrono::seconds(20)); }

 private:
  json read() {
    const auto line = server_.read_line(std::chrono::seconds(60));
    if (!line) throw std::runtime_error("the server says nothing");
    return json::parse(*line);
  }
  bool tasks_;
  Child server_;
  int asked_ = 0;
  std::deque<json> waiting_;
};

}  // namespace vastgpu
