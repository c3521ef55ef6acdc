#include "core/conceal.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <deque>
#include <shared_mutex>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::string_view kStars = "***";
constexpr std::size_t kLeastValue = 8;
constexpr std::size_t kMostValues = 256;
constexpr std::size_t kLeastRandom = 16;

struct Values {
  std::shared_mutex mutex;
  std::deque<std::string> all;
};
Values& values() {
  static Values known;
  return known;
}

/// How services begin their tokens, and what follows. Names of models, projects and experiments begin like
/// that, too (hf_bert_2024, sk-learn-mnist), so the rest has to look like a token.
struct TokenShape {
  std::string_view prefix;
  std::size_t least;  ///< characters after the prefix
  bool plain;         ///< letters and digits only
};
constexpr std::array<TokenShape, 16> kTokens = {{{"hf_", 30, true},
                                                 {"ghp_", 36, true},
                                                 {"gho_", 36, true},
                                                 {"ghs_", 36, true},
                                                 {"ghu_", 36, true},
                                                 {"ghr_", 36, true},
                                                 {"npm_", 36, true},
                                                 {"AKIA", 16, true},
                                                 {"ASIA", 16, true},
                                                 {"sk-", 32, false},
                                                 {"github_pat_", 40, false},
                                                 {"dckr_pat_", 20, false},
                                                 {"glpat-", 20, false},
                                                 {"xoxb-", 24, false},
                                                 {"xoxp-", 24, false},
                                                 {"xapp-", 24, false}}};
constexpr std::array<std::string_view, 6> kNameEnds = {"token",  "secret",     "password",
                                                       "passwd", "passphrase", "credentials"};
/// What stands before "key" where it is a secret one: a sort key or a metric key is none.
constexpr std::array<std::string_view, 6> kKeyKinds = {"api",     "access", "secret",
                                                       "private", "auth",   "account"};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; }
bool is_value(char c) { return is_word(c) || c == '.' || c == '/' || c == '+' || c == '=' || c == '~'; }
char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool ends_as(std::string_view text, std::string_view end) {
  return text.size() >= end.size() &&
         std::equal(end.begin(), end.end(), text.end() - static_cast<std::ptrdiff_t>(end.size()),
                    [](char a, char b) { return a == lower(b); });
}

std::size_t value_end(std::string_view s, std::size_t from) {
  while (from < s.size() && is_value(s[from])) ++from;
  return from;
}

/// Paths and plain words stay readable: a random value mixes letters and digits.
bool looks_random(std::string_view value) {
  if (value.size() < kLeastRandom || value.front() == '/' || value.front() == '.') return false;
  const auto has = [&](int (*is)(int)) {
    return std::ranges::any_of(value, [&](char c) { return is(static_cast<unsigned char>(c)) != 0; });
  };
  return has(std::isdigit) && has(std::isalpha);
}

/// Only where it stands alone: a password that is a common word must not tear up other words.
void hide_values(std::string& s) {
  const std::shared_lock hold(values().mutex);
  const auto inside = [&](std::size_t at) {
    return at < s.size() && (std::isalnum(static_cast<unsigned char>(s[at])) != 0 || s[at] == '_');
  };
  for (const std::string& value : values().all)
    for (auto at = s.find(value); at != std::string::npos;) {
      const bool torn = (at > 0 && inside(at - 1)) || inside(at + value.size());
      if (!torn) s.replace(at, value.size(), kStars);
      at = s.find(value, torn ? at + 1 : at + kStars.size());
    }
}

void hide_private_keys(std::string& s) {
  constexpr std::string_view kBegin = "-----BEGIN ", kKey = "PRIVATE KEY-----", kEnd = "-----END ";
  for (auto at = s.find(kBegin); at != std::string::npos; at = s.find(kBegin, at + 1)) {
    const auto name_end = s.find(kKey, at);
    if (name_end == std::string::npos) return;
    if (name_end - at > 40) continue;  // another word stands between
    const std::size_t body = name_end + kKey.size();
    const auto end = s.find(kEnd, body);
    s.replace(body, (end == std::string::npos ? s.size() : end) - body, kStars);
  }
}

bool is_token(std::string_view word) {
  return std::ranges::any_of(kTokens, [&](const TokenShape& shape) {
    if (!word.starts_with(shape.prefix)) return false;
    const std::string_view rest = word.substr(shape.prefix.size());
    if (rest.size() < shape.least || !looks_random(rest)) return false;
    const auto has = [&](int (*is)(int)) {
      return std::ranges::any_of(rest, [&](char c) { return is(static_cast<unsigned char>(c)) != 0; });
    };
    const bool all_plain =
        std::ranges::all_of(rest, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; });
    return shape.plain ? all_plain : has(std::isupper) || all_plain;  // words of a name are in lower case
  });
}

/// One pass over the words: after a secret's name, after "bearer", or with a known beginning.
void hide_tokens(std::string& s) {
  std::string out;
  std::size_t kept = 0;  // up to here it is in out
  for (std::size_t i = 0; i < s.size();) {
    if (!is_word(s[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < s.size() && is_word(s[end])) ++end;
    const std::string_view word = std::string_view(s).substr(i, end - i);
    std::size_t from = std::string::npos, to = 0;
    if (is_token(word)) {
      from = i;
      to = end;
    }
    if (from == std::string::npos) {
      std::size_t at = end;
      const auto skip = [&](std::string_view any) {
        while (at < s.size() && any.find(s[at]) != std::string_view::npos) ++at;
      };
      const bool bearer = word.size() == 6 && ends_as(word, "bearer") && at < s.size() && s[at] == ' ';
      bool named = names_a_secret(word);
      if (named) {
        skip("\"'\\ ");
        named = at < s.size() && (s[at] == '=' || s[at] == ':' || (at > end && word.starts_with("--")));
        skip("=:");
      }
      if (bearer || named) {
        skip("\"'\\ ");
        const std::size_t value = value_end(s, at);
        if (looks_random(std::string_view(s).substr(at, value - at))) {
          from = at;
          to = value;
        }
      }
    }
    if (from == std::string::npos) {
      i = end;
      continue;
    }
    out.append(s, kept, from - kept).append(kStars);
    i = kept = to;
  }
  if (kept == 0) return;
  s = out.append(s, kept);
}

}  // namespace

void conceal_from_now(const Secret& value) {
  if (value.reveal().size() < kLeastValue) return;
  Values& known = values();
  const std::unique_lock hold(known.mutex);
  if (std::ranges::find(known.all, value.reveal()) != known.all.end()) return;
  known.all.push_back(value.reveal());
  if (known.all.size() > kMostValues) known.all.pop_front();
}

bool names_a_secret(std::string_view name) {
  if (std::ranges::any_of(kNameEnds, [&](auto ending) { return ends_as(name, ending); })) return true;
  if (!ends_as(name, "key")) return false;
  name.remove_suffix(3);
  while (name.ends_with('_') || name.ends_with('-')) name.remove_suffix(1);
  return std::ranges::any_of(kKeyKinds, [&](auto kind) { return ends_as(name, kind); });
}

std::string concealed(std::string text) {
  hide_values(text);
  hide_private_keys(text);
  hide_tokens(text);
  return text;
}

json concealed_document(json document) {
  if (document.is_string())
    return concealed(clean(document.get_ref<const std::string&>(), std::string::npos));
  if (document.is_array())
    for (json& item : document) item = concealed_document(std::move(item));
  if (!document.is_object()) return document;
  json shown = json::object();
  for (auto& [key, value] : document.items())
    shown[clean(key, std::string::npos)] = concealed_document(std::move(value));
  return shown;
}

}  // namespace vastgpu
