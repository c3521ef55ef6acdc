#include "server/client_requests.h"

#include "core/log.h"
#include "core/text.h"
#include "server/rpc.h"

namespace vastgpu {
namespace {

// Each holds a worker, and a person answers one at a time: tools must go on beside them.
constexpr std::size_t kMostOpen = 4;

std::string request_message(std::int64_t id, const std::string& method, const json& params) {
  json message = {{"jsonrpc", "2.0"}, {"id", id}, {"method", method}};
  if (!params.is_null()) message["params"] = params;
  return dump(message);
}

}  // namespace

bool is_response(const json& message) {
  return message.is_object() && !message.contains("method") &&
         (message.contains("result") || message.contains("error"));
}

Result<ClientRequests::Answered> ClientRequests::ask(const std::string& method, const json& params,
                                                     std::chrono::milliseconds limit, std::stop_token stop) {
  const auto waiting = std::make_shared<Waiting>();
  std::int64_t id = 0;
  {
    const std::scoped_lock hold(mutex_);
    if (open_.size() >= kMostOpen)
      return fail({.code = Code::unavailable, .what = "too many questions to the client are open"});
    id = ++last_id_;
    open_[id] = waiting;
  }
  send_(request_message(id, method, params));
  const auto sent = std::chrono::steady_clock::now();
  std::optional<Result<json>> answer;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop, sent + limit, [&] { return waiting->answer.has_value(); });
    open_.erase(id);
    answer = std::move(waiting->answer);
  }
  if (answer) {
    if (!*answer) return fail(std::move(*answer).error());
    return Answered{**std::move(answer), std::chrono::steady_clock::now() - sent};
  }
  const bool stopped = stop.stop_requested();
  send_(notification(
      "notifications/cancelled",
      {{"requestId", id}, {"reason", stopped ? "the call was cancelled" : "no answer in time"}}));
  return fail({.code = stopped ? Code::cancelled : Code::unavailable,
               .what = stopped ? "the call was cancelled" : "the client gave no answer in time"});
}

void ClientRequests::answered(const json& response) {
  const auto id = response.find("id");
  if (id == response.end() || !id->is_number_integer()) return;
  {
    const std::scoped_lock hold(mutex_);
    const auto at = open_.find(id->get<std::int64_t>());
    if (at == open_.end() || at->second->answer) {
      log_fact("ignored an answer to nothing id=", dump(*id));
      return;
    }
    if (const auto result = response.find("result"); result != response.end())
      at->second->answer = *result;
    else
      at->second->answer =
          fail({.code = Code::wrong_state,
                .what = "the client refused: " +
                        clean_line(
                            read_field<std::string>(response.at("error"), "message").value_or("no reason"))});
  }
  changed_.notify_all();
}

}  // namespace vastgpu
