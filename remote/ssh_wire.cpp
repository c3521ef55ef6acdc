#include "remote/ssh_wire.h"

namespace vastgpu {

void put_u32(std::string& out, std::uint32_t n) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(n >> shift & 0xFF);
}

void put_string(std::string& out, std::string_view s) {
  put_u32(out, static_cast<std::uint32_t>(s.size()));
  out += s;
}

std::optional<std::uint8_t> WireReader::byte() {
  if (rest_.empty()) return std::nullopt;
  const auto b = static_cast<std::uint8_t>(rest_.front());
  rest_.remove_prefix(1);
  return b;
}

std::optional<std::uint32_t> WireReader::u32() {
  if (rest_.size() < 4) return std::nullopt;
  std::uint32_t n = 0;
  for (int i = 0; i < 4; ++i) n = n << 8 | *byte();
  return n;
}

std::optional<std::string_view> WireReader::string() {
  const auto size = u32();
  if (!size || rest_.size() < *size) return std::nullopt;
  const auto s = rest_.substr(0, *size);
  rest_.remove_prefix(*size);
  return s;
}

}  // namespace vastgpu
