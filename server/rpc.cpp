#include "server/rpc.h"

#include <algorithm>
#include <array>

#include "core/conceal.h"
#include "core/log.h"
#include "core/text.h"

namespace vastgpu {
namespace {

bool is_id(const json& id) { return id.is_string() || id.is_number_integer(); }

}  // namespace

tl::expected<Request, BadMessage> read_request(const json& message) {
  const auto bad = [](std::optional<json> id, std::string why) {
    return tl::unexpected(BadMessage{std::move(id), RpcError{kInvalidRequest, std::move(why), {}}});
  };
  if (!message.is_object()) return bad(std::nullopt, "a message must be a JSON object");

  std::optional<json> id;
  const auto given = message.find("id");
  if (given != message.end()) {
    if (is_id(*given))
      id = *given;
    else if (message.contains("method"))
      return bad(std::nullopt, "an id must be a string or an integer");
  }
  if (!message.contains("method")) {
    // Whoever sent a request of ours has taken its answer out before; this is to something we do not know.
    if (message.contains("result") || message.contains("error")) return tl::unexpected(BadMessage{});
    return bad(std::move(id), "a request needs a method");
  }
  // A notification is never answered, however broken it is.
  const auto bad_or_silent = [&](std::string why) {
    return id ? bad(std::move(id), std::move(why)) : tl::unexpected(BadMessage{});
  };
  if (const auto version = message.find("jsonrpc"); version == message.end() || *version != "2.0")
    return bad_or_silent("jsonrpc must be \"2.0\"");
  const json& method = message.at("method");
  if (!method.is_string()) return bad_or_silent("method must be a string");

  Request request{.id = std::move(id), .method = method.get<std::string>()};
  if (const auto params = message.find("params"); params != message.end() && !params->is_null()) {
    if (!params->is_object()) {
      if (!request.id) return tl::unexpected(BadMessage{});
      return tl::unexpected(
          BadMessage{std::move(request.id), RpcError{kInvalidParams, "params must be an object", {}}});
    }
    request.params = *params;
  }
  return request;
}

std::string result_message(const json& id, const std::string& result) {
  return "{\"jsonrpc\":\"2.0\",\"id\":" + dump(id) + ",\"result\":" + result + "}";
}

std::string error_message(const std::optional<json>& id, const RpcError& error) {
  json body = {{"code", error.code}, {"message", concealed(clean(error.message))}};
  if (!error.data.is_null()) body["data"] = concealed_document(error.data);
  return "{\"jsonrpc\":\"2.0\"," + (id ? "\"id\":" + dump(*id) + "," : std::string()) +
         "\"error\":" + dump(body) + "}";
}

std::string notification(const std::string& method, const json& params) {
  return "{\"jsonrpc\":\"2.0\",\"method\":" + dump(method) + ",\"params\":" + dump(params) + "}";
}

Reply::~Reply() {
  if (!deliver_) return;
  try {
    log_fact("request died unanswered id=", dump(id_));
    deliver(error_message(id_, {kInternalError, "internal error", {}}));
  } catch (const std::exception&) {
    // Out of memory while reporting: the client's own timeout is all that is left.
  }
}

void Reply::result(const json& value) && { deliver(result_message(id_, dump(value))); }
void Reply::raw_result(const std::string& value) && { deliver(result_message(id_, value)); }
void Reply::error(const RpcError& error) && { deliver(error_message(id_, error)); }
void Reply::abandon() && { deliver(std::nullopt); }

void Reply::deliver(std::optional<std::string> message) {
  // Disarmed before the call: whatever happens inside, there is no second answer.
  if (const Deliver once = std::exchange(deliver_, nullptr)) once(std::move(message));
}

}  // namespace vastgpu
