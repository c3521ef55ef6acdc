#pragma once
// Where SSH listens.

#include <cstdint>
#include <string>

namespace vastgpu {

struct Endpoint {
  std::string host;
  std::uint16_t port = 22;
  bool operator==(const Endpoint&) const = default;
};

/// "ssh://root@203.0.113.7:41022", as the instance file spells it.
inline std::string to_url(const Endpoint& at) {
  return "ssh://root@" + at.host + ":" + std::to_string(at.port);
}

}  // namespace vastgpu
