#pragma once
// Open SSH sessions that nobody uses just now, so that the next call need not connect again. Thread-safe; a
// thread of its own asks each for a sign of life, drops the dead and closes what nobody wanted for a while.

#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/endpoint.h"
#include "remote/ssh_session.h"

namespace vastgpu {

struct PoolTimes {
  std::chrono::milliseconds keep_alive{15'000};  ///< below the half minute after which some routers forget
  std::chrono::milliseconds idle{300'000};       ///< then it is closed
};

class SessionPool {
 public:
  explicit SessionPool(PoolTimes times = {}) : times_(times) {}

  /// An open session to this address with this host key ("SHA256:..."); nullptr when there is none. It was
  /// alive at its last sign, at most two keep_alive ago.
  std::unique_ptr<SshSession> take(const Endpoint& at, const std::string& fingerprint);
  /// Takes it back. A broken one, or one too many, is closed.
  void put(const Endpoint& at, std::unique_ptr<SshSession> session);
  std::size_t size() const;
  /// How often one of them was asked and answered.
  std::size_t signs_of_life() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Idle {
    Endpoint at;
    std::unique_ptr<SshSession> session;
    Clock::time_point since, asked;
  };
  void tend(const std::stop_token& stop);

  const PoolTimes times_;
  mutable std::mutex mutex_;
  std::list<Idle> idle_;  // the last put back stands first
  std::size_t signs_ = 0;
  std::condition_variable_any changed_;
  std::jthread tender_;  // ends before what it uses
};

}  // namespace vastgpu
