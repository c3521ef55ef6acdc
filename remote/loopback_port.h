#pragma once
// A port of this computer's loopback that is listened on, over IPv4 and, where there is one, IPv6. One thread
// at a time.

#include <cstdint>

#include "core/error.h"
#include "core/fd.h"

namespace vastgpu {

class LoopbackPort {
 public:
  /// Listens on `wanted`, or on any free port where that one is taken or not ours to take. Nobody but this
  /// computer can connect.
  /// @error unavailable  no port is to be had
  static Result<LoopbackPort> open(std::uint16_t wanted);

  std::uint16_t number() const { return number_; }
  int v4() const { return v4_.get(); }
  int v6() const { return v6_.get(); }  ///< -1: this computer has no IPv6 loopback

 private:
  Fd v4_, v6_;
  std::uint16_t number_ = 0;
};

}  // namespace vastgpu
