#pragma once
// A small MCP client over a child's pipes: what the demo and the scenario tests speak to the server with. One
// thread.

#include <functional>

#include "core/json.h"
#include "server/child.h"

namespace vastgpu {

class McpClient {
 public:
  using OnProgress = std::function<void(const std::string& message)>;

  /// initialize and initialized, as a 2025-11-25 client.
  static Result<McpClient> connect(Child server);

  /// tools/call; the whole result (content, structuredContent, isError). Progress comes while it waits.
  /// @error unavailable  the server ended or gave no answer within `limit` (real time)
  Result<json> call_tool(const std::string& tool, const json& arguments, const OnProgress& on_progress = {},
                         std::chrono::milliseconds limit = std::chrono::minutes(2));
  Result<json> request(const std::string& method, const json& params, const OnProgress& on_progress = {},
                       std::chrono::milliseconds limit = std::chrono::seconds(30));
  Result<void> notify(const std::string& method, const json& params);

  Child& server() { return server_; }

 private:
  explicit McpClient(Child server) : server_(std::move(server)) {}
  Child server_;
  int last_id_ = 0;
};

/// The text blocks of a result, joined.
std::string text_of(const json& result);

}  // namespace vastgpu
