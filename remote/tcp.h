#pragma once
// A TCP connection within a limit: name to addresses, addresses to socket. Thread-safe.

#include <sys/socket.h>

#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/endpoint.h"
#include "core/fd.h"
#include "remote/patience.h"

namespace vastgpu {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

/// Names to addresses. The system's own look-up cannot be interrupted, so each runs in a thread of its own:
/// whoever waits may give up at any time, the destructor waits for the rest.
class Resolver {
 public:
  /// @error unavailable  the name is not known, or nobody answered in time
  Result<std::vector<Address>> resolve(const Endpoint& at, Patience& patience);

 private:
  struct LookUp;
  struct Running {
    std::shared_ptr<LookUp> look_up;
    std::jthread thread;
  };
  std::mutex mutex_;
  std::list<Running> running_;
};

/// Connects, trying each address in order with its share of the time. The socket does not block.
/// @error unavailable  refused, unreachable, no answer
Result<Fd> connect_tcp(const Endpoint& at, Resolver& resolver, Patience& patience);

}  // namespace vastgpu
