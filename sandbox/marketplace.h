#pragma once
// The sandbox's marketplace: requests in, replies out, in front of one locked Shop. Thread-safe.

#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.h"
#include "sandbox/room.h"
#include "sandbox/shop.h"
#include "sandbox/wire.h"
#include "sandbox/world.h"

namespace vastgpu::sandbox {

class Marketplace {
 public:
  Marketplace(const WorldOptions& options, const std::string& api_key, Clock& clock, Room& room);

  Reply answer(const Request& request);

  /// Lets what is due happen, so that machines start and money runs out while nobody asks.
  void tick();
  /// tick() every 20 ms of real time until asked to stop.
  void run(std::stop_token stop);

  /// A fault from the command line, "NAME", "NAME=VALUE", either with "*TIMES".
  /// @error invalid_argument  no such fault
  Result<void> switch_on(const std::string& fault);

  /// Seconds since 1970 on the sandbox's clock.
  double now() const { return to_unix_seconds(clock_.now()); }

 private:
  Reply answer_locked(const Request& request);
  std::optional<Reply> broken(const Request& request, const std::string& words);
  std::optional<Reply> too_often(const std::string& who, const std::string& route, const std::string& words);

  Clock& clock_;
  std::vector<Route> routes_;
  std::mutex mutex_;
  Shop shop_;
};

}  // namespace vastgpu::sandbox
