#include "core/text.h"

#include <sys/random.h>

#include <cctype>
#include <cmath>
#include <cstdio>

namespace vastgpu {
namespace {

struct CodePoints {
  char32_t first, last;
};
/// Invisible or direction-changing characters that can make text read differently from what it is, or carry
/// words that only a model sees.
constexpr CodePoints kDeceptive[] = {
    {0x0080, 0x009F},    // C1 controls
    {0x00AD, 0x00AD},    // soft hyphen
    {0x061C, 0x061C},    // Arabic letter mark
    {0x115F, 0x1160},    // Hangul fillers
    {0x180E, 0x180E},    // Mongolian vowel separator
    {0x200B, 0x200F},    // zero width, marks of direction
    {0x2028, 0x202E},    // separators, embedding and override of direction
    {0x2060, 0x206F},    // word joiner, isolates
    {0x3164, 0x3164},    // Hangul filler
    {0xFEFF, 0xFEFF},    // byte order mark
    {0xFFF9, 0xFFFB},    // annotations
    {0xE0000, 0xE0FFF},  // tags and further variation selectors
};

char32_t code_point(std::string_view sequence) {
  if (sequence.size() == 1) return static_cast<unsigned char>(sequence[0]);
  char32_t point = static_cast<unsigned char>(sequence[0]) & (0xFFu >> (sequence.size() + 1));
  for (const char c : sequence.substr(1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3Fu);
  return point;
}

bool is_deceptive(std::string_view sequence) {
  if (sequence.size() == 1) return false;
  const char32_t point = code_point(sequence);
  for (const CodePoints& range : kDeceptive)
    if (point >= range.first && point <= range.last) return true;
  return false;
}

/// Where the terminal escape that starts at `s[i]` (ESC) ends.
std::size_t skip_escape(std::string_view s, std::size_t i) {
  if (++i >= s.size()) return i;
  if (s[i] == '[') {  // CSI: parameters, then one final byte
    for (++i; i < s.size(); ++i)
      if (s[i] >= 0x40 && s[i] <= 0x7E) return i + 1;
    return i;
  }
  if (s[i] == ']' || s[i] == 'P' || s[i] == '_' || s[i] == '^') {  // OSC, DCS...: up to BEL or ESC backslash
    for (++i; i < s.size(); ++i) {
      if (s[i] == '\a') return i + 1;
      if (s[i] == '\x1b') return i + 1 < s.size() ? i + 2 : i + 1;
      if (s[i] == '\n') return i;  // unterminated: do not swallow the rest of a log
    }
    return i;
  }
  return i + 1;
}

}  // namespace

std::size_t utf8_length(std::string_view s, std::size_t i) {
  const auto b = [&](std::size_t k) { return static_cast<unsigned char>(s[k]); };
  const unsigned char c = b(i);
  std::size_t n = c < 0x80 ? 1 : (c & 0xE0) == 0xC0 ? 2 : (c & 0xF0) == 0xE0 ? 3 : (c & 0xF8) == 0xF0 ? 4 : 0;
  if (n == 0 || i + n > s.size()) return 0;
  std::uint32_t point = n == 1 ? c : c & (0xFFu >> (n + 1));
  for (std::size_t k = 1; k < n; ++k) {
    if ((b(i + k) & 0xC0) != 0x80) return 0;
    point = (point << 6) | (b(i + k) & 0x3Fu);
  }
  const std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (point < least[n] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return 0;
  return n;
}

std::string clean(std::string_view raw, std::size_t max_bytes) {
  std::string out;
  out.reserve(std::min(raw.size(), max_bytes));
  for (std::size_t i = 0; i < raw.size();) {
    if (out.size() >= max_bytes) return out + "…";
    const char c = raw[i];
    if (c == '\x1b') {
      i = skip_escape(raw, i);
    } else if (const std::size_t n = utf8_length(raw, i); n == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
    } else {
      const auto sequence = raw.substr(i, n);
      const bool control =
          n == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) && c != '\n' && c != '\t';
      if (!control && !is_deceptive(sequence)) out += sequence;
      i += n;
    }
  }
  return out;
}

std::string clean_line(std::string_view raw, std::size_t max_bytes) {
  std::string line = clean(raw, max_bytes);
  for (char& c : line)
    if (c == '\n' || c == '\t') c = ' ';
  return std::string(trim(line));
}

std::string_view trim(std::string_view s) {
  constexpr std::string_view kBlank = " \t\r\n\v\f";
  const auto first = s.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(kBlank) - first + 1);
}

std::string to_lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::vector<std::string> split(std::string_view s, char at) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t to = s.find(at); to != std::string_view::npos; to = s.find(at, from)) {
    parts.emplace_back(s.substr(from, to - from));
    from = to + 1;
  }
  parts.emplace_back(s.substr(from));
  return parts;
}

std::string join(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += between;
    out += part;
  }
  return out;
}

bool starts_with_ignoring_case(std::string_view s, std::string_view prefix) {
  return s.size() >= prefix.size() && to_lower(s.substr(0, prefix.size())) == to_lower(prefix);
}

std::string fixed(double value, int decimals) {
  char out[64];
  std::snprintf(out, sizeof out, "%.*f", decimals, value);
  return out;
}

std::string money(Usd amount) {
  const double size = std::abs(amount.value);
  const std::string digits = fixed(size, size < 1 && size != 0 ? 3 : 2);
  return (amount.value < 0 ? "-$" : "$") + digits;
}
std::string money(UsdPerHour price) { return "$" + fixed(price.value, 4) + "/h"; }

std::string hours(Hours h) {
  if (h.count() < 1.0 / 60) return fixed(h.count() * 3600, 0) + " s";
  if (h.count() < 1) return fixed(h.count() * 60, 0) + " min";
  if (h.count() < 48) return fixed(h.count(), 1) + " h";
  return fixed(h.count() / 24, 1) + " days";
}

std::string bytes(std::uint64_t n) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(n);
  std::size_t unit = 0;
  while (value >= 1000 && unit < 6) {
    value /= 1000;
    ++unit;
  }
  return fixed(value, unit == 0 ? 0 : 1) + " " + units[unit];
}

std::string gpu_key(std::string_view name) {
  std::string key;
  for (const char c : name)
    if (c != ' ' && c != '_' && c != '-')
      key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return key;
}

bool is_plain_name(std::string_view s) {
  if (s.empty() || s.size() > 64 || s[0] == '.' || s[0] == '-') return false;
  return std::all_of(s.begin(), s.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

std::string plain_name(std::string_view s) {
  std::string out;
  for (const char c : s) {
    const bool fits = std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
    if (fits)
      out += c;
    else if (!out.empty() && out.back() != '-')
      out += '-';
  }
  while (!out.empty() && (out[0] == '.' || out[0] == '-')) out.erase(0, 1);
  while (!out.empty() && out.back() == '-') out.pop_back();
  out.resize(std::min<std::size_t>(out.size(), 64));
  return out.empty() ? "unnamed" : out;
}

std::string shell_quote(std::string_view s) {
  std::string out = "'";
  for (const char c : s) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

std::string random_hex(std::size_t n) {
  std::string out;
  while (n > 0) {
    unsigned char raw[64];
    const std::size_t want = std::min(n, sizeof raw);
    if (getrandom(raw, want, 0) != static_cast<ssize_t>(want)) continue;  // interrupted: ask again
    for (std::size_t i = 0; i < want; ++i) {
      char two[3];
      std::snprintf(two, sizeof two, "%02x", raw[i]);
      out += two;
    }
    n -= want;
  }
  return out;
}

}  // namespace vastgpu
