#pragma once
// JSON-RPC 2.0: what a message must look like, and the one answer a request gets.

#include <functional>
#include <optional>
#include <string>

#include "core/json.h"

namespace vastgpu {

inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;
inline constexpr int kLegacyResourceNotFound = -32002;  ///< before 2026-07-28 only
inline constexpr int kMissingCapability = -32021;       ///< 2026-07-28 only
inline constexpr int kUnsupportedVersion = -32022;      ///< 2026-07-28 only

struct RpcError {
  int code = kInternalError;
  std::string message;
  json data = {};  ///< null: left out
};

/// One incoming message that is none of our answers.
struct Request {
  std::optional<json> id;  ///< string or integer; empty for a notification
  std::string method;
  json params = json::object();
};

/// What came instead of a request.
struct BadMessage {
  std::optional<json> id;          ///< when one could be read
  std::optional<RpcError> answer;  ///< empty: a response of the client, or nothing that may be answered
};

/// Checks the envelope: version, id (never null or fractional), method, params (an object, or absent).
tl::expected<Request, BadMessage> read_request(const json& message);

/// {"jsonrpc":"2.0","id":...,"result":<result>}, on one line without its end.
std::string result_message(const json& id, const std::string& result);
/// The error without an id where none could be read: old clients take any other form as noise.
std::string error_message(const std::optional<json>& id, const RpcError& error);
std::string notification(const std::string& method, const json& params);

/// The right and the duty to answer one request, exactly once: answers -32603 if it dies unused. Move-only;
/// one thread at a time.
class Reply {
 public:
  /// Takes the finished message, or nullopt when the request was cancelled and gets none. Called once. Must
  /// not throw.
  using Deliver = std::function<void(std::optional<std::string> message)>;

  Reply(json id, Deliver deliver) : id_(std::move(id)), deliver_(std::move(deliver)) {}
  Reply(Reply&& other) noexcept
      : id_(std::move(other.id_)), deliver_(std::exchange(other.deliver_, nullptr)) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply();

  const json& id() const { return id_; }
  void result(const json& value) &&;
  /// A result that is serialised already, e.g. from a cache.
  void raw_result(const std::string& value) &&;
  void error(const RpcError& error) &&;
  /// No answer at all: the client cancelled.
  void abandon() &&;

 private:
  void deliver(std::optional<std::string> message);
  json id_;
  Deliver deliver_;
};

}  // namespace vastgpu
