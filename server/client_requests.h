#pragma once
// Requests that we send to a legacy client, and its answers. Whoever asks waits on its own thread; the one
// that reads never does.

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "core/error.h"
#include "core/json.h"

namespace vastgpu {

/// A message without a method that carries a result or an error: the client's answer to something.
bool is_response(const json& message);

/// Any thread.
class ClientRequests {
 public:
  using Send = std::function<void(const std::string& message)>;
  explicit ClientRequests(Send send) : send_(std::move(send)) {}

  struct Answered {
    json result;
    std::chrono::steady_clock::duration took;
  };

  /// Sends the request and waits for its result. Gives up at `limit` or when `stop` asks; the client is told
  /// then. Our ids are a space of their own.
  /// @error wrong_state  the client answered with an error
  /// @error unavailable  no answer in time, or as many questions are open as may be
  /// @error cancelled
  Result<Answered> ask(const std::string& method, const json& params, std::chrono::milliseconds limit,
                       std::stop_token stop);

  /// For the reading thread. What nobody waits for is ignored.
  void answered(const json& response);

 private:
  struct Waiting {
    std::optional<Result<json>> answer;
  };
  const Send send_;
  std::mutex mutex_;
  std::int64_t last_id_ = 0;
  std::map<std::int64_t, std::shared_ptr<Waiting>> open_;
  std::condition_variable_any changed_;
};

}  // namespace vastgpu
