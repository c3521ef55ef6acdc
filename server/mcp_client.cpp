#include "server/mcp_client.h"

#include "core/text.h"

namespace vastgpu {

Result<McpClient> McpClient::connect(Child server) {
  McpClient client(std::move(server));
  auto hello = client.request("initialize",
                              {{"protocolVersion", "2025-11-25"},
                               {"capabilities", json::object()},
                               {"clientInfo", {{"name", "vast-gpu-demo"}, {"version", VASTGPU_VERSION}}}});
  if (!hello) return fail(std::move(hello).error());
  if (auto told = client.notify("notifications/initialized", json::object()); !told)
    return fail(std::move(told).error());
  return client;
}

Result<void> McpClient::notify(const std::string& method, const json& params) {
  return server_.write_line(dump({{"jsonrpc", "2.0"}, {"method", method}, {"params", params}}));
}

Result<json> McpClient::request(const std::string& method, const json& params, const OnProgress& on_progress,
                                std::chrono::milliseconds limit) {
  const int id = ++last_id_;
  if (auto sent =
          server_.write_line(dump({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}}));
      !sent)
    return fail(std::move(sent).error());
  const auto until = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    const auto line = server_.read_line(left);
    if (!line)
      return fail({.code = Code::unavailable,
                   .what = method + ": the server gave no answer",
                   .next_step = "look at its stderr"});
    auto message = parse_json(*line, "a line of the server");
    if (!message) return fail(std::move(message).error());
    if (message->contains("id") && (*message)["id"] == id) {
      if (message->contains("error")) {
        const json& error = (*message)["error"];
        return fail({.code = Code::internal,
                     .what = method + ": " + read_field<std::string>(error, "message").value_or("error"),
                     .next_step = ""});
      }
      return (*message)["result"];
    }
    if (on_progress && read_field<std::string>(*message, "method") == "notifications/progress" &&
        message->contains("params"))
      if (const auto words = read_field<std::string>((*message)["params"], "message")) on_progress(*words);
  }
}

Result<json> McpClient::call_tool(const std::string& tool, const json& arguments,
                                  const OnProgress& on_progress, std::chrono::milliseconds limit) {
  json params{{"name", tool}, {"arguments", arguments}};
  if (on_progress) params["_meta"] = {{"progressToken", last_id_ + 1}};
  return request("tools/call", params, on_progress, limit);
}

std::string text_of(const json& result) {
  std::string out;
  if (result.contains("content") && result["content"].is_array())
    for (const json& block : result["content"]) out += read_field<std::string>(block, "text").value_or("");
  return out;
}

}  // namespace vastgpu
