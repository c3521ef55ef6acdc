#include "remote/ignore_rules.h"

#include <algorithm>
#include <cctype>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostLines = 10'000;
constexpr std::size_t kLongestLine = 4096;  // no path is longer

bool is_special(char c) { return c == '*' || c == '?' || c == '[' || c == '\\'; }
unsigned char raw(char c) { return static_cast<unsigned char>(c); }

/// [:name:]; false when there is no such class.
bool add_class(std::string_view name, std::bitset<256>& set) {
  const auto add = [&](int (*is)(int)) {
    for (int c = 0; c < 128; ++c)
      if (is(c) != 0) set.set(static_cast<std::size_t>(c));
    return true;
  };
  if (name == "alnum") return add(std::isalnum);
  if (name == "alpha") return add(std::isalpha);
  if (name == "blank") return add(std::isblank);
  if (name == "cntrl") return add(std::iscntrl);
  if (name == "digit") return add(std::isdigit);
  if (name == "graph") return add(std::isgraph);
  if (name == "lower") return add(std::islower);
  if (name == "print") return add(std::isprint);
  if (name == "punct") return add(std::ispunct);
  if (name == "space") return add(std::isspace);
  if (name == "upper") return add(std::isupper);
  if (name == "xdigit") return add(std::isxdigit);
  return false;
}

/// Spaces at the end go, unless a backslash keeps them.
std::string_view without_trailing_spaces(std::string_view line) {
  std::size_t end = line.size();
  bool in_spaces = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ' ') {
      if (!in_spaces) end = i;
      in_spaces = true;
      continue;
    }
    in_spaces = false;
    if (line[i] == '\\' && ++i >= line.size()) return line;
  }
  return in_spaces ? line.substr(0, end) : line;
}

}  // namespace

std::optional<IgnorePattern::Element> IgnorePattern::read_set(std::string_view p, std::size_t& at) {
  Element e{Kind::set};
  const auto byte_at = [&](std::size_t i) { return i < p.size() ? p[i] : '\0'; };
  std::size_t i = at + 1;
  const bool negated = byte_at(i) == '!' || byte_at(i) == '^';
  if (negated) ++i;
  unsigned char before = 0;  // what a range would start from
  for (bool first = true; first || byte_at(i) != ']'; first = false) {
    if (i >= p.size()) return std::nullopt;
    unsigned char now = raw(p[i]);
    if (now == '\\') {
      if (++i >= p.size()) return std::nullopt;
      now = raw(p[i]);
      e.set.set(now);
    } else if (now == '-' && before != 0 && byte_at(i + 1) != '\0' && byte_at(i + 1) != ']') {
      ++i;
      if (p[i] == '\\' && ++i >= p.size()) return std::nullopt;
      for (unsigned c = before; c <= raw(p[i]); ++c) e.set.set(c);
      now = 0;
    } else if (now == '[' && byte_at(i + 1) == ':') {
      const std::size_t close = p.find(']', i + 2);
      if (close == std::string_view::npos) return std::nullopt;
      if (close > i + 2 && p[close - 1] == ':') {
        if (!add_class(p.substr(i + 2, close - i - 3), e.set)) return std::nullopt;
        i = close;
        now = 0;
      } else {
        e.set.set('[');
      }
    } else {
      e.set.set(now);
    }
    before = now;
    ++i;
  }
  if (negated) e.set.flip();
  e.set.reset('/');
  at = i + 1;
  return e;
}

IgnorePattern::IgnorePattern(std::string_view pattern) {
  // Git compares what stands before the first special character by itself, so "**" after it counts as the
  // start of a pattern.
  const auto special = std::find_if(pattern.begin(), pattern.end(), is_special);
  literal_.assign(pattern.begin(), special);
  const std::string_view p = pattern.substr(literal_.size());
  for (std::size_t i = 0; i < p.size();) {
    if (p[i] == '*') {
      std::size_t end = i;
      while (end < p.size() && p[end] == '*') ++end;
      const bool starts_part = i == 0 || p[i - 1] == '/';
      const bool before_slash = end < p.size() && p[end] == '/';
      const bool before_escaped = end + 1 < p.size() && p[end] == '\\' && p[end + 1] == '/';
      if (end - i < 2 || !starts_part || !(end == p.size() || before_slash || before_escaped)) {
        elements_.push_back({Kind::star});
      } else if (before_slash) {
        elements_.push_back({Kind::folders});
        ++end;
      } else {
        elements_.push_back({Kind::any});
      }
      i = end;
    } else if (p[i] == '?') {
      elements_.push_back({Kind::one});
      ++i;
    } else if (p[i] == '[') {
      auto set = read_set(p, i);
      never_ = never_ || !set;
      if (!set) return;
      elements_.push_back(*set);
    } else {
      if (p[i] == '\\' && ++i >= p.size()) {
        never_ = true;
        return;
      }
      elements_.push_back({Kind::byte, raw(p[i])});
      ++i;
    }
  }
  if (elements_.empty() || elements_.front().kind != Kind::star) return;
  std::string ending;
  for (std::size_t i = 1; i < elements_.size(); ++i) {
    if (elements_[i].kind != Kind::byte) return;
    ending += static_cast<char>(elements_[i].byte);
  }
  ending_ = std::move(ending);
}

bool IgnorePattern::matches(std::string_view text) const {
  if (never_ || !text.starts_with(literal_)) return false;
  text.remove_prefix(literal_.size());
  if (elements_.empty()) return text.empty();
  if (ending_)
    return text.ends_with(*ending_) &&
           text.substr(0, text.size() - ending_->size()).find('/') == std::string_view::npos;
  // reached[j]: the elements so far match the first j bytes. One row per element, so nothing can explode.
  std::vector<char> reached(text.size() + 1, 0), next(text.size() + 1, 0);
  reached[0] = 1;
  for (const Element& e : elements_) {
    std::fill(next.begin(), next.end(), 0);
    bool carry = false;
    for (std::size_t j = 0; j <= text.size(); ++j) {
      const char c = j < text.size() ? text[j] : '\0';
      switch (e.kind) {
        case Kind::star:
          if (j > 0 && text[j - 1] == '/') carry = false;
          carry = carry || reached[j];
          next[j] = carry;
          break;
        case Kind::any:
          carry = carry || reached[j];
          next[j] = carry;
          break;
        case Kind::folders:  // nothing, or anything that ends in a slash
          next[j] = reached[j] || (carry && j > 0 && text[j - 1] == '/');
          carry = carry || reached[j];
          break;
        case Kind::byte:
          if (j < text.size() && reached[j] && raw(c) == e.byte) next[j + 1] = 1;
          break;
        case Kind::one:
          if (j < text.size() && reached[j] && c != '/') next[j + 1] = 1;
          break;
        case Kind::set:
          if (j < text.size() && reached[j] && e.set.test(raw(c))) next[j + 1] = 1;
          break;
      }
    }
    reached.swap(next);
  }
  return reached[text.size()] != 0;
}

IgnoreFile::IgnoreFile(std::string_view content, std::string folder) : folder_(std::move(folder)) {
  if (!folder_.empty()) folder_ += '/';
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
  while (!content.empty() && lines_.size() < kMostLines) {
    const std::size_t end = content.find('\n');
    std::string_view line = content.substr(0, end);
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#' || line.size() > kLongestLine) continue;
    line = without_trailing_spaces(line.substr(0, line.find('\0')));
    const bool wanted = line.starts_with('!');
    if (wanted) line.remove_prefix(1);
    const bool folders_only = line.ends_with('/');
    if (folders_only) line.remove_suffix(1);
    if (line.empty()) continue;
    const bool whole_path = line.find('/') != std::string_view::npos;
    if (line.starts_with('/')) line.remove_prefix(1);
    lines_.push_back(
        {IgnorePattern(line), whole_path ? std::string(line) : "", wanted, folders_only, whole_path});
  }
}

IgnoreFile::Verdict IgnoreFile::verdict(std::string_view path, bool is_folder) const {
  if (!path.starts_with(folder_)) return Verdict::silent;
  const std::string_view below = path.substr(folder_.size());
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (auto line = lines_.rbegin(); line != lines_.rend(); ++line) {
    if (line->folders_only && !is_folder) continue;
    if (line->pattern.matches(line->whole_path ? below : name))
      return line->wanted ? Verdict::wanted : Verdict::ignored;
  }
  return Verdict::silent;
}

bool IgnoreFile::wants_below(std::string_view folder) const {
  const std::vector<std::string> parts = split(folder, '/');
  return std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) {
    if (!line.wanted || !line.whole_path) return false;
    const std::vector<std::string> steps = split(line.text, '/');
    for (std::size_t i = 0; i < parts.size() && i < steps.size(); ++i) {
      if (steps[i] == "**") return i > 0;  // "!**/x" alone opens no folder
      if (!IgnorePattern(steps[i]).matches(parts[i])) return false;
    }
    return steps.size() > parts.size();
  });
}

}  // namespace vastgpu
