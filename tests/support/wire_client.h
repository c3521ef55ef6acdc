#pragma once
// A server in this process, spoken to through real pipes. One thread; the server runs on its own.

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/fd.h"
#include "core/json.h"
#include "server/server.h"

namespace vastgpu {

class WireClient {
 public:
  /// `parts` must outlive the client. The descriptors in `options` are replaced.
  explicit WireClient(const ServerParts& parts, ServerOptions options = {});
  ~WireClient();
  WireClient(const WireClient&) = delete;
  WireClient& operator=(const WireClient&) = delete;

  /// Bytes as they are, the newline added. Reads what the server says meanwhile, so that neither side blocks.
  void send(const std::string& line);
  void send(const json& message) { send(dump(message)); }
  void send_raw(std::string_view bytes);
  /// The next message; throws when none comes (the limit only ends a hanging test).
  json next();
  /// Sends a request and returns its answer; other messages stay for next().
  json ask(const json& request);
  /// Waits for the answer to this id; other messages stay for next().
  json answer_to(const json& id);

  void close_input() { input_.reset(); }
  void close_output() { output_.reset(); }
  /// Closes the input, waits for the server to end, and returns everything that was not read yet.
  std::vector<json> finish();
  int exit_code() const { return exit_code_; }

  /// The legacy handshake; returns its result.
  json initialize(const std::string& version);

 private:
  bool pump(int timeout_ms);
  Fd input_, output_;
  Fd server_input_, server_output_;
  std::string unread_;
  std::vector<std::string> lines_;
  int exit_code_ = -1;
  std::jthread server_;
};

/// A modern request: the version and no capabilities in `_meta`.
json modern(const json& id, const std::string& method, json params = json::object());
/// A legacy one.
json legacy(const json& id, const std::string& method, json params = json::object());

}  // namespace vastgpu
