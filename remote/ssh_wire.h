#pragma once
// The few shapes of the SSH wire format that keys and agents are made of. Pure functions; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base64.h"

namespace vastgpu {

void put_u32(std::string& out, std::uint32_t n);
void put_string(std::string& out, std::string_view s);

/// Takes values off the front; nullopt when there is too little.
class WireReader {
 public:
  explicit WireReader(std::string_view data) : rest_(data) {}
  std::optional<std::uint8_t> byte();
  std::optional<std::uint32_t> u32();
  std::optional<std::string_view> string();

 private:
  std::string_view rest_;
};

}  // namespace vastgpu
