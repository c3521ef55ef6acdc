#pragma once
// Tools that ask before they spend, on a server whose time a test moves. Thread-safe.

#include <atomic>
#include <memory>

#include "server/server.h"

namespace vastgpu {

/// pay{amount}: asks, then counts what was spent. look{}: asks for roots and a sample, spends nothing. The
/// prompt greet(who) asks whom.
class AskingFixture {
 public:
  AskingFixture();
  const ServerParts& parts() const { return parts_; }
  AskMemory& memory() { return parts_.asking; }
  int spent() const { return *spent_; }
  void pass(Duration d) { *now_ += d.count(); }

 private:
  ServerParts parts_;
  std::shared_ptr<std::atomic<int>> spent_ = std::make_shared<std::atomic<int>>(0);
  std::shared_ptr<std::atomic<std::int64_t>> now_ =
      std::make_shared<std::atomic<std::int64_t>>(1'800'000'000'000'000);
};

}  // namespace vastgpu
