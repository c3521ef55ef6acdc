#pragma once
// The marketplace behind HTTP on 127.0.0.1. start() and stop() from one thread; requests are served on a
// pool.

#include <cstdint>
#include <memory>

#include "core/error.h"
#include "sandbox/marketplace.h"

namespace vastgpu::sandbox {

class HttpServer {
 public:
  explicit HttpServer(Marketplace& marketplace);
  ~HttpServer();  ///< as stop()

  /// Listens; port 0 takes any free one.
  /// @error unavailable  the port is taken
  Result<std::uint16_t> start(std::uint16_t port);
  void stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace vastgpu::sandbox
