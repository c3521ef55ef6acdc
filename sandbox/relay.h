#pragma once
// A TCP relay on loopback: what the marketplace calls sshN.vast.ai. One thread moves the bytes; any thread
// may call.

#include <cstdint>
#include <memory>
#include <string>

#include "core/error.h"

namespace vastgpu::sandbox {

class Relay {
 public:
  /// Listens on `address`; port 0 means any free one.
  /// @error unavailable  the port is taken
  static Result<std::unique_ptr<Relay>> open(std::uint16_t port = 0,
                                             const std::string& address = "127.0.0.1");
  virtual ~Relay() = default;  ///< as close()

  virtual std::uint16_t port() const = 0;
  /// Where new connections go; port 0: nowhere, they are dropped. Open ones stay where they are.
  virtual void set_target(const std::string& address, std::uint16_t port) = 0;
  /// Drops every connection and stops listening. Twice is harmless.
  virtual void close() = 0;
};

}  // namespace vastgpu::sandbox
