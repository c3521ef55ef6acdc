#pragma once
// A relay on loopback for many connections at once, which breaks all of them again and again, for tests of
// transfers that go on.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "core/endpoint.h"
#include "core/fd.h"

namespace vastgpu {

class FlakyRelay {
 public:
  explicit FlakyRelay(Endpoint to);
  ~FlakyRelay();
  FlakyRelay(const FlakyRelay&) = delete;
  FlakyRelay& operator=(const FlakyRelay&) = delete;

  Endpoint endpoint() const { return {"127.0.0.1", port_}; }
  /// Whenever so many bytes more came from clients, all connections end; 0: never.
  void cut_every(std::uint64_t bytes);
  /// Ends all connections now. While `down`, new ones end at once.
  void cut_now();
  void set_down(bool down) { down_ = down; }
  /// Nothing passes any more, and nobody is told.
  void freeze() { frozen_ = true; }
  /// At most so many bytes a second from clients, each connection; 0: as fast as it goes.
  void set_rate(std::uint64_t bytes_a_second) { rate_ = bytes_a_second; }

  std::uint64_t from_clients() const { return from_clients_; }  ///< passed on, all connections together
  int connections() const { return connections_; }              ///< that were made
  int cuts() const { return cuts_; }

 private:
  void serve(std::stop_token stop);
  void pump(Fd client, std::stop_token stop);
  void count(std::uint64_t bytes);

  Endpoint to_;
  Fd listener_;
  std::uint16_t port_ = 0;
  std::atomic<std::uint64_t> from_clients_ = 0, cut_every_ = 0, next_cut_ = UINT64_MAX, rate_ = 0;
  std::atomic<int> connections_ = 0, cuts_ = 0;
  std::atomic<std::uint64_t> generation_ = 0;  // connections of an older one end
  std::atomic<bool> down_ = false, frozen_ = false;
  std::vector<std::jthread> pumps_;  // of serve()
  std::jthread thread_;
};

}  // namespace vastgpu
