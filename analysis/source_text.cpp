#include "analysis/source_text.h"

#include "core/text.h"

namespace vastgpu {
namespace {

/// Where the Python string that starts at `at` (a quote) ends: behind its closing quote, or the end of the
/// line or text.
std::size_t end_of_string(std::string_view s, std::size_t at) {
  const char quote = s[at];
  const bool triple = s.substr(at, 3) == std::string(3, quote);
  std::size_t i = at + (triple ? 3 : 1);
  for (; i < s.size(); ++i) {
    if (s[i] == '\\') {
      ++i;
    } else if (triple ? s.substr(i, 3) == std::string(3, quote) : s[i] == quote) {
      return i + (triple ? 3 : 1);
    } else if (!triple && s[i] == '\n') {
      return i;
    }
  }
  return s.size();
}

void blank(std::string& s, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to && i < s.size(); ++i)
    if (s[i] != '\n') s[i] = ' ';
}

}  // namespace

std::string python_without_comments(std::string_view text) {
  std::string out(text);
  int brackets = 0;
  bool statement_start = true;  // nothing but blanks since the line began, outside brackets
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '#') {
      std::size_t end = text.find('\n', i);
      if (end == std::string_view::npos) end = text.size();
      blank(out, i, end);
      i = end;
    } else if (c == '"' || c == '\'') {
      const std::size_t end = end_of_string(text, i);
      if (statement_start) blank(out, i, end);
      statement_start = false;
      i = end;
    } else {
      if (c == '\n') {
        const bool continued = i > 0 && text[i - 1] == '\\';
        if (brackets == 0 && !continued) statement_start = true;
      } else if (statement_start && (c == 'r' || c == 'b' || c == 'u' || c == 'R' || c == 'U') &&
                 i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\'')) {
        out[i] = ' ';  // the prefix of a docstring
      } else if (c != ' ' && c != '\t' && c != '\r') {
        statement_start = false;
      }
      if (c == '(' || c == '[' || c == '{') ++brackets;
      if ((c == ')' || c == ']' || c == '}') && brackets > 0) --brackets;
      ++i;
    }
  }
  return out;
}

std::string shell_without_comments(std::string_view text) {
  std::string out;
  int owed = 0;  // line breaks taken by joining
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    char quote = 0;
    std::size_t cut = line.size();
    if (!trim(line).starts_with("#SBATCH"))
      for (std::size_t i = 0; i < line.size() && cut == line.size(); ++i) {
        if (quote != 0)
          quote = line[i] == quote ? '\0' : quote;
        else if (line[i] == '"' || line[i] == '\'')
          quote = line[i];
        else if (line[i] == '#' &&
                 (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t' || line[i - 1] == ';'))
          cut = i;
      }
    line = line.substr(0, cut);
    const std::string_view kept = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (kept.ends_with('\\')) {
      out += kept.substr(0, kept.size() - 1);
      out += ' ';
      ++owed;
      continue;
    }
    out += line;
    out.append(static_cast<std::size_t>(owed) + 1, '\n');
    owed = 0;
  }
  return out;
}

}  // namespace vastgpu
