#include "remote/globs.h"

#include <algorithm>

namespace vastgpu {
namespace {

/// One pattern element at `i`: how many pattern bytes it takes, and whether it accepts `c`.
struct Element {
  std::size_t size;
  bool accepts;
};

Element element_at(std::string_view p, std::size_t i, char c) {
  if (p[i] == '?') return {1, c != '/'};
  if (p[i] == '\\' && i + 1 < p.size()) return {2, p[i + 1] == c};
  if (p[i] != '[') return {1, p[i] == c};
  std::size_t k = i + 1;
  const bool negated = k < p.size() && (p[k] == '!' || p[k] == '^');
  if (negated) ++k;
  bool in = false;
  for (const std::size_t first = k; k < p.size() && (p[k] != ']' || k == first); ++k) {
    if (k + 2 < p.size() && p[k + 1] == '-' && p[k + 2] != ']') {
      in = in || (p[k] <= c && c <= p[k + 2]);
      k += 2;
    } else {
      in = in || p[k] == c;
    }
  }
  if (k >= p.size()) return {1, c == '['};  // never closed: an ordinary bracket
  return {k + 1 - i, c != '/' && in != negated};
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view path) {
  // "name" and "*.py" are what most patterns are, asked for every file.
  const std::string_view end = pattern.substr(std::min(pattern.find_first_not_of('*'), pattern.size()));
  if (pattern.size() - end.size() <= 1 && end.find_first_of("*?[\\") == std::string_view::npos) {
    if (end.size() == pattern.size()) return path == pattern;
    return path.ends_with(end) &&
           path.substr(0, path.size() - end.size()).find('/') == std::string_view::npos;
  }
  if (!path.starts_with(pattern.substr(0, pattern.find_first_of("*?[\\")))) return false;
  // reached[j]: the pattern so far matches the first j bytes. One row per element, so nothing can explode.
  std::vector<bool> reached(path.size() + 1, false);
  reached[0] = true;
  for (std::size_t i = 0; i < pattern.size();) {
    std::vector<bool> next(path.size() + 1, false);
    if (pattern[i] == '*') {
      const bool deep = i + 1 < pattern.size() && pattern[i + 1] == '*';
      const bool deep_folder = deep && i + 2 < pattern.size() && pattern[i + 2] == '/';
      bool carry = false;
      for (std::size_t j = 0; j <= path.size(); ++j) {
        if (j > 0 && !deep && path[j - 1] == '/') carry = false;
        if (deep_folder) {  // "**/": nothing, or anything that ends in a slash
          next[j] = reached[j] || (carry && j > 0 && path[j - 1] == '/');
          carry = carry || reached[j];
        } else {
          carry = carry || reached[j];
          next[j] = carry;
        }
      }
      i += deep_folder ? 3 : deep ? 2 : 1;
    } else {
      std::size_t size = 1;
      for (std::size_t j = 0; j < path.size(); ++j) {
        const Element e = element_at(pattern, i, path[j]);
        size = e.size;
        if (reached[j] && e.accepts) next[j + 1] = true;
      }
      if (path.empty()) return false;  // an element that needs a byte
      i += size;
    }
    reached = std::move(next);
  }
  return reached[path.size()];
}

namespace {

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool matches(const std::string& pattern, std::string_view path) {
  if (pattern.starts_with('/')) return glob_matches(std::string_view(pattern).substr(1), path);
  return glob_matches(pattern, path) || glob_matches(pattern, last_part(path));
}
bool any_matches(const std::vector<std::string>& patterns, std::string_view path) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& p) { return matches(p, path); });
}

}  // namespace

Globs::Globs(const std::vector<std::string>& patterns) {
  for (std::string p : patterns) {
    if (p.starts_with("./")) p.erase(0, 2);
    if (p.empty() || p == "/") continue;
    if (p.back() == '/') {
      p.pop_back();
      folders_.push_back(std::move(p));
    } else {
      files_.push_back(std::move(p));
    }
  }
}

bool Globs::matches_folder(std::string_view path) const {
  return any_matches(folders_, path) || any_matches(files_, path);
}

bool Globs::matches_file(std::string_view path) const {
  if (any_matches(files_, path)) return true;
  if (folders_.empty()) return false;
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1))
    if (any_matches(folders_, path.substr(0, slash))) return true;
  return false;
}

}  // namespace vastgpu
