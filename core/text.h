#pragma once
// Small text functions. g++ 12 has no <format>; `text` and the formatters below stand in.

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.h"

namespace vastgpu {

/// Everything streamed into one string: text("rented ", id, " at ", price).
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Text from a machine or the marketplace made safe to show: invalid UTF-8 replaced, terminal escapes and
/// control characters removed (newline and tab stay), cut to `max_bytes` with an ellipsis.
std::string clean(std::string_view raw, std::size_t max_bytes = 2000);

/// As clean, on one line.
std::string clean_line(std::string_view raw, std::size_t max_bytes = 300);

/// Length of the valid UTF-8 sequence at `s[i]`; 0 when there is none.
std::size_t utf8_length(std::string_view s, std::size_t i);

std::string_view trim(std::string_view s);
std::string to_lower(std::string_view s);
std::vector<std::string> split(std::string_view s, char at);
std::string join(const std::vector<std::string>& parts, std::string_view between);
bool starts_with_ignoring_case(std::string_view s, std::string_view prefix);

std::string money(Usd amount);        ///< "$1.12"; below a dollar "$0.043"
std::string money(UsdPerHour price);  ///< "$0.3412/h"
std::string hours(Hours h);           ///< "45 min", "3.5 h", "2.1 days"
std::string bytes(std::uint64_t n);   ///< "12.3 MB" (powers of 1000)
std::string fixed(double value, int decimals);

/// A GPU name with case, spaces, `_` and `-` taken out, for comparing spellings.
std::string gpu_key(std::string_view name);

/// A word safe as a file, screen session or label part: [A-Za-z0-9._-], at most 64, never empty or dotted
/// first.
bool is_plain_name(std::string_view s);
/// Any text bent into such a word.
std::string plain_name(std::string_view s);

/// Quoted for a POSIX shell: it's -> 'it'\''s'.
std::string shell_quote(std::string_view s);

/// `n` random bytes as lower-case hex, from the operating system.
std::string random_hex(std::size_t n);

}  // namespace vastgpu
