#include "analysis/markdown_feed.h"

#include <algorithm>
#include <cctype>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxLines = 20'000;
constexpr std::size_t kMaxLineBytes = 4'000;
// Released versions of the parser take quadratic time for some texts that no person writes: deep nesting,
// thousands of open brackets in one paragraph. These bounds keep such texts short before it sees them.
constexpr std::size_t kMaxIndent = 64;        // columns
constexpr int kMaxNesting = 16;               // list and quote marks on one line
constexpr std::size_t kMaxRunMarks = 2'000;   // inline marks without a blank line in between
constexpr std::size_t kMaxAllMarks = 40'000;  // in a whole document
constexpr std::size_t kMaxCells = 200;        // of one table row
constexpr int kMaxFrontMatter = 100;          // lines

bool is_space(char c) { return c == ' ' || c == '\t'; }

/// The mark and length of the fence that a line is; length 0 when it is none.
struct Fence {
  char mark = 0;
  std::size_t length = 0;
};
Fence read_fence(std::string_view line) {
  while (line.starts_with('>') || (!line.empty() && is_space(line[0]))) line.remove_prefix(1);
  if (line.empty() || (line[0] != '`' && line[0] != '~')) return {};
  const std::size_t n = std::min(line.find_first_not_of(line[0]), line.size());
  if (n < 3 || (line[0] == '`' && line.find('`', n) != std::string_view::npos)) return {};
  return {line[0], n};
}

/// Bytes of list marks and quote marks, with the space around them, in front of a line's text.
std::size_t marks_end(std::string_view line, int most) {
  std::size_t at = 0;
  for (int marks = 0; marks < most; ++marks) {
    std::size_t i = at;
    while (i < line.size() && is_space(line[i])) ++i;
    if (i >= line.size()) return at;
    if (line[i] == '>') {
      at = i + 1;
      continue;
    }
    std::size_t digits = i;
    while (digits < line.size() && digits < i + 9 && std::isdigit(static_cast<unsigned char>(line[digits])))
      ++digits;
    const bool numbered = digits > i && digits < line.size() && (line[digits] == '.' || line[digits] == ')');
    const bool bullet = line[i] == '-' || line[i] == '*' || line[i] == '+';
    const std::size_t behind = numbered ? digits + 1 : i + 1;
    if (!(numbered || bullet) || behind >= line.size() || !is_space(line[behind])) return at;
    at = behind;
  }
  return at;
}

bool is_ruler(std::string_view line) {
  line = trim(line);
  return line.find('-') != std::string_view::npos && line.find('|') != std::string_view::npos &&
         line.find_first_not_of("|-: \t") == std::string_view::npos;
}

std::size_t count_cells(std::string_view line) {
  line = trim(line.substr(marks_end(line, kMaxNesting)));
  if (line.starts_with('|')) line.remove_prefix(1);
  if (line.ends_with('|') && !line.ends_with("\\|")) line.remove_suffix(1);
  std::size_t cells = 1;
  for (std::size_t i = 0; i < line.size(); ++i)
    if (line[i] == '|' && (i == 0 || line[i - 1] != '\\')) ++cells;
  return cells;
}

std::size_t front_matter_end(const std::vector<std::string_view>& lines) {
  if (lines.empty() || trim(lines[0]) != "---") return 0;
  for (std::size_t i = 1; i < lines.size() && i < kMaxFrontMatter; ++i) {
    const std::string_view line = trim(lines[i]);
    if (line == "---" || line == "...") return i + 1;
    const bool yaml =
        line.empty() || line.find(':') != std::string_view::npos || line[0] == '-' || line[0] == '#';
    if (!yaml) return 0;
  }
  return 0;
}

/// Makes a document harmless for the parser, and tolerable where people are careless; remembers which line
/// came from where.
class Feeder {
 public:
  Feeder(std::string_view text, Fences fences) : opened_(fences == Fences::opened) {
    std::vector<std::string_view> lines;
    while (!text.empty() && lines.size() < kMaxLines) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, std::min(end, kMaxLineBytes));
      while (!line.empty() && line.size() == kMaxLineBytes && (line.back() & 0xC0) == 0x80)
        line.remove_suffix(1);  // never half a character
      if (line.ends_with('\r')) line.remove_suffix(1);
      lines.push_back(line);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    front_matter_ = front_matter_end(lines);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      origin.push_back(static_cast<int>(i) + 1);
      if (i >= front_matter_)
        take(lines[i]);
      else if (const std::string_view line = trim(lines[i]); line != "---" && line != "...")
        // Text, whatever YAML makes of it.
        fed += std::string(line.substr(std::min(line.find_first_not_of("-# "), line.size())));
      fed += '\n';
      if (i + 1 == front_matter_) table_ = false;
    }
  }

  std::string fed;
  std::vector<int> origin;  ///< of each line of `fed`: its number in the text

 private:
  void take(std::string_view line) {
    if (const Fence fence = read_fence(line); fence.length > 0) {
      const bool closes = open_.length > 0 && fence.mark == open_.mark && fence.length >= open_.length &&
                          trim(line).size() == fence.length;
      if (closes || open_.length == 0) {
        open_ = closes ? Fence{} : fence;
        end_run();
        if (!opened_) add(line);
        return;
      }
    }
    if (open_.length > 0 && !opened_) {
      add(line, true);
      return;
    }
    if (trim(line).empty()) {
      end_run();
      return;
    }
    if (is_ruler(line) && !previous_.empty()) {
      // One ruler per table, with as many cells as its head: a miscounted one is still meant as one.
      if (table_) {
        fed += '|';
        return;
      }
      const std::size_t cells = std::min(count_cells(previous_), kMaxCells);
      if (previous_.find('|') != std::string_view::npos && cells > 0) {
        table_ = true;
        // A table that follows a list or a sentence directly is meant as one.
        fed.insert(previous_start_, 1, '\n');
        origin.insert(origin.end() - 1, origin[origin.size() - 2]);
        fed += std::string(line.substr(0, line.find_first_not_of("> \t")));
        for (std::size_t i = 0; i < cells; ++i) fed += "|---";
        fed += '|';
        return;
      }
    }
    if (table_ &&
        line.find('|') == std::string_view::npos) {  // a sentence right below a table is no row of it
      fed += '\n';
      origin.push_back(origin.back());
      end_run();
    }
    previous_start_ = fed.size();
    add(line);
    previous_ = line;
  }

  void end_run() {
    run_marks_ = 0;
    table_ = false;
    previous_ = {};
  }

  void add(std::string_view line, bool code = false) {
    const std::string_view indent = line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()));
    fed += indent.substr(0, kMaxIndent);
    line.remove_prefix(indent.size());
    const std::size_t kept = marks_end(line, kMaxNesting);
    fed += line.substr(0, kept);
    line.remove_prefix(marks_end(line, static_cast<int>(kMaxLineBytes)));
    // "##Vast.ai" is not CommonMark, but people write it; "#tag" and "#!/bin/sh" stay text.
    const std::size_t hashes = std::min(line.find_first_not_of('#'), line.size());
    if (!code && hashes >= 2 && hashes <= 6 && hashes < line.size() && !is_space(line[hashes])) {
      fed += line.substr(0, hashes);
      fed += ' ';
      line.remove_prefix(hashes);
    }
    for (const char c : line) {
      const bool mark = c == '[' || c == ']' || c == '*' || c == '_' || c == '`' || c == '<' || c == '!' ||
                        c == '~' || c == '&';
      const bool refused = mark && (++run_marks_ > kMaxRunMarks || ++all_marks_ > kMaxAllMarks);
      fed += refused ? ' ' : c;
    }
  }

  bool opened_;
  Fence open_;
  std::size_t front_matter_ = 0;
  std::size_t run_marks_ = 0, all_marks_ = 0;
  bool table_ = false;
  std::string_view previous_;
  std::size_t previous_start_ = 0;  ///< in `fed`
};

}  // namespace

MarkdownFeed feed_markdown(std::string_view text, Fences fences) {
  Feeder feeder(text, fences);
  return {std::move(feeder.fed), std::move(feeder.origin)};
}

}  // namespace vastgpu
