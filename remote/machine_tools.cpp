#include "remote/machine_tools.h"

#include <charconv>

namespace vastgpu {

const char* const kAskPacking =
    "if command -v zstd >/dev/null 2>&1; then printf 'zstd\\0'; "
    "elif command -v gzip >/dev/null 2>&1; then printf 'gzip\\0'; else printf 'none\\0'; fi\n";

Packing parse_packing(std::string_view word) {
  if (word == "zstd" && can_pack(Packing::zstd)) return Packing::zstd;
  // A machine with zstd and no gzip does not exist.
  return word == "none" ? Packing::none : Packing::gzip;
}

std::optional<FileTime> parse_file_time(std::string_view text) {
  FileTime t;
  const char* end = text.data() + text.size();
  const auto [after, bad] = std::from_chars(text.data(), end, t.seconds);
  if (bad != std::errc() || (after != end && *after != '.')) return std::nullopt;
  long scale = 100'000'000;
  for (const char* c = after == end ? end : after + 1; c != end; ++c, scale /= 10) {
    if (*c < '0' || *c > '9') return std::nullopt;
    t.nanoseconds += scale * (*c - '0');
  }
  return t;
}

std::optional<std::string_view> take_record(std::string_view& rest) {
  const auto end = rest.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const auto record = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return record;
}

std::optional<std::string_view> take_word(std::string_view& rest) {
  const auto end = rest.find(' ');
  if (end == std::string_view::npos) return std::nullopt;
  const auto word = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return word;
}

}  // namespace vastgpu
