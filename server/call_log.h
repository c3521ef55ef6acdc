#pragma once
// Messages of a call for the client's log: only those it wants to see, and none after the call's answer.

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "core/json.h"

namespace vastgpu {

/// The place of a level among the eight, 0 for debug; empty for any other word.
std::optional<int> log_rank(const json& level);

/// Where a session that said nothing begins: results carry what matters, so a log is for trouble.
inline constexpr int kDefaultLogFloor = 3;  // warning

/// One call. Any thread.
class CallLog {
 public:
  using Send = std::function<void(const std::string& message)>;

  /// `floor` is the lowest rank that goes out; `logger` names the tool.
  CallLog(int floor, std::string logger, Send send)
      : floor_(floor), logger_(std::move(logger)), send_(std::move(send)) {}

  /// Sends notifications/message if the level is known and high enough. Data: a string or an object.
  void write(const std::string& level, const json& data);
  /// Nothing is sent after this returns.
  void close();

 private:
  const int floor_;
  const std::string logger_;
  std::mutex mutex_;  // held while sending, so that close() waits for a message under way
  Send send_;
};

}  // namespace vastgpu
