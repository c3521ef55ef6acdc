#pragma once
// A relay on loopback that breaks each connection after a number of bytes, for tests of links that die.

#include <atomic>
#include <cstdint>
#include <thread>

#include "core/endpoint.h"
#include "core/fd.h"

namespace vastgpu {

class CutRelay {
 public:
  enum class Counts { from_server, from_client };
  explicit CutRelay(Endpoint to);
  ~CutRelay();
  CutRelay(const CutRelay&) = delete;
  CutRelay& operator=(const CutRelay&) = delete;

  Endpoint endpoint() const { return {"127.0.0.1", port_}; }
  /// From now on, the next `bytes` in that direction pass; then the connection ends. Both sides see it close.
  void cut_after(std::uint64_t bytes, Counts counts);
  /// What passed in that direction since the connection began.
  std::uint64_t passed(Counts counts) const {
    return counts == Counts::from_server ? from_server_ : from_client_;
  }

 private:
  void serve(std::stop_token stop);
  void pump(const Fd& client, const Fd& server, const std::stop_token& stop);
  Endpoint to_;
  Fd listener_;
  std::uint16_t port_ = 0;
  std::atomic<std::uint64_t> from_server_ = 0, from_client_ = 0;
  std::atomic<std::uint64_t> server_limit_ = UINT64_MAX, client_limit_ = UINT64_MAX;
  std::jthread thread_;
};

}  // namespace vastgpu
