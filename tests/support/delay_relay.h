#pragma once
// A relay on loopback that makes a connection as slow to answer as a far machine. One connection at a time.

#include <chrono>
#include <cstdint>
#include <thread>

#include "core/endpoint.h"
#include "core/fd.h"

namespace vastgpu {

class DelayRelay {
 public:
  /// @param each_way  how long every byte is held back
  DelayRelay(Endpoint to, std::chrono::milliseconds each_way);
  ~DelayRelay() { thread_.request_stop(); }
  DelayRelay(const DelayRelay&) = delete;
  DelayRelay& operator=(const DelayRelay&) = delete;

  Endpoint endpoint() const { return {"127.0.0.1", port_}; }

 private:
  void serve(const std::stop_token& stop);
  void pump(const Fd& client, const Fd& server, const std::stop_token& stop);

  Endpoint to_;
  std::chrono::milliseconds delay_;
  Fd listener_;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

}  // namespace vastgpu
