#include "market/redact.h"

#include <array>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::string_view kStars = "***";

/// Names whose value is secret; `env` and `onstart` since people put tokens into them.
/// @source vast-api.md 13
constexpr std::array<std::string_view, 10> kSecretNames = {
    "api_key", "jupyter_token", "docker_login_pass", "image_login", "password",
    "secret",  "token",         "authorization",     "onstart",     "env"};

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_quote(char c) { return c == '"' || c == '\''; }
bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

void replace_all(std::string& s, std::string_view what) {
  if (what.empty()) return;
  for (auto at = s.find(what); at != std::string::npos; at = s.find(what, at + kStars.size()))
    s.replace(at, what.size(), kStars);
}

/// Where the value that starts at `from` ends: a quoted text, an object or list, or a word.
std::size_t value_end(std::string_view s, std::size_t from) {
  const char first = s[from];
  if (is_quote(first)) {
    for (std::size_t i = from + 1; i < s.size(); ++i) {
      if (s[i] == '\\')
        ++i;
      else if (s[i] == first)
        return i + 1;
    }
    return s.size();
  }
  if (first == '{' || first == '[') {
    int depth = 0;
    for (std::size_t i = from; i < s.size(); ++i) {
      if (s[i] == '{' || s[i] == '[') ++depth;
      if ((s[i] == '}' || s[i] == ']') && --depth == 0) return i + 1;
    }
    return s.size();
  }
  const auto end = s.find_first_of(" \t,;&}])", from);
  return end == std::string_view::npos ? s.size() : end;
}

void hide_value_after(std::string& s, std::string_view name) {
  for (std::size_t from = 0;;) {
    const auto at = to_lower(s).find(name, from);
    if (at == std::string::npos) return;
    std::size_t i = at + name.size();
    from = i;
    if (i < s.size() && is_quote(s[i])) ++i;
    while (i < s.size() && is_blank(s[i])) ++i;
    if (i >= s.size() || (s[i] != ':' && s[i] != '=')) continue;  // only the word, no value
    ++i;
    while (i < s.size() && is_blank(s[i])) ++i;
    if (i >= s.size()) return;
    s.replace(i, value_end(s, i) - i, kStars);
    from = i + kStars.size();
  }
}

void hide_bearers(std::string& s) {
  constexpr std::string_view kWord = "bearer ";
  for (std::size_t at = to_lower(s).find(kWord); at != std::string::npos;
       at = to_lower(s).find(kWord, at + kWord.size())) {
    const std::size_t from = at + kWord.size();
    if (from < s.size()) s.replace(from, value_end(s, from) - from, kStars);
  }
}

void hide_long_hex(std::string& s) {
  for (std::size_t i = 0; i < s.size(); ++i) {
    std::size_t end = i;
    while (end < s.size() && is_hex(s[end])) ++end;
    if (end - i >= 32)
      s.replace(i, end - i, kStars);
    else if (end > i)
      i = end - 1;
  }
}

}  // namespace

std::string redact(std::string_view raw, const Secret& key, std::size_t max_bytes) {
  // Bounded first, but well beyond what is shown: a secret must not be cut in two and so escape.
  std::string s = clean_line(raw.substr(0, 64 * 1024), 64 * 1024);
  replace_all(s, key.reveal());
  for (const std::string_view name : kSecretNames) hide_value_after(s, name);
  hide_bearers(s);
  hide_long_hex(s);
  return clean_line(s, max_bytes);
}

}  // namespace vastgpu
