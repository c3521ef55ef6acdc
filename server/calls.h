#pragma once
// The requests that are being worked on: who answers them, and how they are cancelled.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "server/progress.h"
#include "server/rpc.h"

namespace vastgpu {

/// One request under way.
struct Call {
  std::string key;  ///< of its id: 1 and "1" differ
  std::stop_source stop;
  std::shared_ptr<CallProgress> progress;  ///< null without a token
  std::optional<Reply> reply;              ///< guarded by the table; empty once answered or cancelled
};

/// Any thread. Whoever takes the reply out first, the worker or a cancellation, decides what becomes of it.
class CallTable {
 public:
  bool has(const json& id) const;
  std::shared_ptr<Call> open(Reply reply, std::shared_ptr<CallProgress> progress);

  /// The right to answer; nullopt when the call was cancelled. No progress is sent after this returns.
  std::optional<Reply> finish(Call& call);
  /// Stops the call and forgets its answer. Unknown and finished ids are ignored.
  void cancel(const json& id);
  /// Asks every call to stop; their answers are still awaited.
  void stop_all();
  /// After stop_all: what has not begun yet must not begin.
  bool ending() const { return ending_; }
  /// True when no call is left; waits for that at most so long.
  bool wait_empty(std::chrono::milliseconds limit);

 private:
  std::atomic<bool> ending_{false};
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Call>> open_;
  std::condition_variable changed_;
};

}  // namespace vastgpu
