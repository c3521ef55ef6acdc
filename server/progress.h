#pragma once
// Progress of calls: not too often, never silent for long, nothing after the answer.
// The only place of the server that looks at real time: it paces the wire and decides nothing else.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/json.h"

namespace vastgpu {

using SteadyTime = std::chrono::steady_clock::time_point;

/// One call that carried a progress token. Any thread.
class CallProgress {
 public:
  static constexpr auto kMinGap = std::chrono::milliseconds(500);  // at most two a second
  static constexpr auto kHeartbeat =
      std::chrono::seconds(10);  // clients that time out do so at 30 s or later

  using Send = std::function<void(const std::string& message)>;

  /// `token` is echoed with its type. `with_text` is false for clients that know no message field.
  CallProgress(json token, bool with_text, std::string first_text, Send send, SteadyTime now)
      : token_(std::move(token)),
        with_text_(with_text),
        text_(std::move(first_text)),
        send_(std::move(send)),
        started_(now),
        sent_at_(now - kMinGap) {}

  /// Sends now, or keeps it for a later tick if the last one is too fresh. The newest wins.
  void report(double progress, const std::string& text, SteadyTime now);
  /// Sends what was kept, or a heartbeat with the seconds gone by, when it is time.
  void tick(SteadyTime now);
  /// Nothing is sent after this returns.
  void close();

 private:
  void send_locked(const std::string& text, SteadyTime now);
  const json token_;
  const bool with_text_;
  // Held while sending, so that close() waits for a message under way and order is kept.
  std::mutex mutex_;
  std::string text_;
  double wanted_ = 0;     ///< what the tool said last
  double last_sent_ = 0;  ///< what went out last: must grow each time
  bool kept_ = false;     ///< a report waits for its turn
  bool closed_ = false;
  Send send_;
  const SteadyTime started_;
  SteadyTime sent_at_;
};

/// Ticks all open calls. Starts its thread with the first one; any thread.
class ProgressTicker {
 public:
  void add(const std::shared_ptr<CallProgress>& call);

 private:
  void run(const std::stop_token& stop);
  std::mutex mutex_;
  std::vector<std::weak_ptr<CallProgress>> calls_;
  std::condition_variable_any changed_;
  std::jthread thread_;  // last: stops and joins before what it uses goes away
};

}  // namespace vastgpu
