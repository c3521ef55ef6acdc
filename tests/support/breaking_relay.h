#pragma once
// A relay on loopback for many connections at once, which breaks all of them whenever so many bytes have
// passed: a cut link as several sessions feel it. CutRelay is for one connection.

#include <atomic>
#include <cstdint>
#include <list>
#include <thread>

#include "core/endpoint.h"
#include "core/fd.h"

namespace vastgpu {

class BreakingRelay {
 public:
  explicit BreakingRelay(Endpoint to);
  ~BreakingRelay();
  BreakingRelay(const BreakingRelay&) = delete;
  BreakingRelay& operator=(const BreakingRelay&) = delete;

  Endpoint endpoint() const { return {"127.0.0.1", port_}; }
  /// From now on, all connections end each time that the server sent so many more bytes; 0: never.
  void cut_every(std::uint64_t bytes);
  /// As above, but once, and then nobody gets in any more.
  void die_after(std::uint64_t bytes);
  /// Lets people in again, and cuts nothing.
  void recover();
  /// The link carries no more than this from the server; 0: as fast as it goes.
  void carry(std::uint64_t bytes_per_second) { rate_ = bytes_per_second; }
  std::uint64_t from_server() const { return from_server_; }
  int cuts() const { return cuts_; }

 private:
  struct Pair {
    Fd client, server;
  };
  void serve(const std::stop_token& stop);
  /// False when it is over.
  bool pass(int from, int to, bool counts);
  Endpoint to_;
  Fd listener_;
  std::uint16_t port_ = 0;
  std::list<Pair> pairs_;  // of the thread
  std::atomic<std::uint64_t> from_server_ = 0, every_ = 0, next_cut_ = UINT64_MAX, rate_ = 0;
  std::atomic<bool> dies_ = false, dead_ = false;
  std::atomic<int> cuts_ = 0;
  std::jthread thread_;
};

}  // namespace vastgpu
