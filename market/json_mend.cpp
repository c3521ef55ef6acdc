#include "market/json_mend.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/text.h"

namespace vastgpu {
namespace {

bool is_hex4(std::string_view s) {
  return s.size() == 4 && s.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

/// The value of the \uXXXX at `at`; -1 when there is none.
int escaped_unit(std::string_view text, std::size_t at) {
  if (text.substr(at, 2) != "\\u" || !is_hex4(text.substr(at + 2, 4))) return -1;
  return static_cast<int>(std::strtol(std::string(text.substr(at + 2, 4)).c_str(), nullptr, 16));
}

/// Characters of a well-formed escape at `at`; 0 when it is broken.
std::size_t escape_length(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size()) return 0;
  if (text[at + 1] != 'u') return std::string_view("\"\\/bfnrt").find(text[at + 1]) < 8 ? 2 : 0;
  const int unit = escaped_unit(text, at);
  if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return 0;
  if (unit < 0xD800 || unit > 0xDBFF) return 6;
  const int low = escaped_unit(text, at + 6);  // half a character: the other half must follow
  return low >= 0xDC00 && low <= 0xDFFF ? 12 : 0;
}

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '-' ||
         c == '.';
}

/// A bare word that stands where a number should, and is none that JSON or a double has.
bool is_no_number(std::string_view word) {
  std::string_view bare = word;
  if (bare.starts_with('-') || bare.starts_with('+')) bare.remove_prefix(1);
  const std::string lower = to_lower(bare);
  if (lower == "nan" || lower == "inf" || lower == "infinity") return true;
  const bool may_overflow = lower.size() > 300 || lower.find('e') != std::string::npos;
  if (!may_overflow || lower.empty() || lower[0] < '0' || lower[0] > '9') return false;
  char* end = nullptr;
  const double value = std::strtod(lower.c_str(), &end);
  return end == lower.c_str() + lower.size() && !std::isfinite(value);
}

}  // namespace

bool may_hold_bare_words(std::string_view text) {
  const auto holds = [&](std::string_view word) {
    return ::memmem(text.data(), text.size(), word.data(), word.size()) != nullptr;
  };
  return holds("NaN") || holds("Infinity");
}

std::size_t mend_json(std::string& text) {
  std::size_t mended = 0;
  bool inside = false;  // a text
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (!inside) {
      std::size_t n = 1;
      if (c == '"') {
        inside = true;
      } else if (is_word(c)) {
        while (i + n < text.size() && is_word(text[i + n])) ++n;
        if (n > 2 && is_no_number(std::string_view(text).substr(i, n))) {
          text.replace(i, n, "\"\"" + std::string(n - 2, ' '));
          ++mended;
        }
      }
      i += n;
    } else if (c >= ' ' && c < '\x7f' && c != '"' && c != '\\') {
      ++i;
    } else if (c == '"') {
      inside = false;
      ++i;
    } else if (c == '\\') {
      const std::size_t n = escape_length(text, i);
      if (n == 0) {
        text[i] = '?';
        ++mended;
      }
      i += std::max<std::size_t>(n, 1);
    } else if (const std::size_t n = utf8_length(text, i); n == 0 || static_cast<unsigned char>(c) < 0x20) {
      text[i] = n == 0 ? '?' : ' ';
      ++mended;
      ++i;
    } else {
      i += n;
    }
  }
  return mended;
}

}  // namespace vastgpu
