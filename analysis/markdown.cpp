#include "analysis/markdown.h"

#include <algorithm>
#include <cctype>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxLines = 20'000;
constexpr std::size_t kMaxLineBytes = 4'000;

/// Columns of white space in front; a tab counts four.
int indentation(std::string_view line) {
  int columns = 0;
  for (const char c : line) {
    if (c == ' ')
      ++columns;
    else if (c == '\t')
      columns += 4;
    else
      break;
  }
  return columns;
}

/// The fence that a line is: its character and length; length 0 when it is none.
struct Fence {
  char mark = 0;
  std::size_t length = 0;
};
Fence read_fence(std::string_view trimmed) {
  if (trimmed.empty() || (trimmed[0] != '`' && trimmed[0] != '~')) return {};
  std::size_t n = trimmed.find_first_not_of(trimmed[0]);
  if (n == std::string_view::npos) n = trimmed.size();
  if (n < 3 || (trimmed[0] == '`' && trimmed.find('`', n) != std::string_view::npos)) return {};
  return {trimmed[0], n};
}

int heading_level(std::string_view trimmed) {
  const std::size_t n = trimmed.find_first_not_of('#');
  if (n == 0 || n == std::string_view::npos || n > 6) return 0;
  // "##Vast.ai" without a space is not CommonMark, but people write it; "#tag" and "#!/bin/sh" stay text.
  if (trimmed[n] != ' ' && trimmed[n] != '\t' && n < 2) return 0;
  return static_cast<int>(n);
}

/// Bytes of a list mark and the space behind it; 0 when there is none.
std::size_t list_mark(std::string_view trimmed) {
  std::size_t n = 0;
  if (!trimmed.empty() && (trimmed[0] == '-' || trimmed[0] == '*' || trimmed[0] == '+')) {
    n = 1;
  } else {
    while (n < trimmed.size() && n < 9 && std::isdigit(static_cast<unsigned char>(trimmed[n]))) ++n;
    if (n == 0 || n >= trimmed.size() || (trimmed[n] != '.' && trimmed[n] != ')')) return 0;
    ++n;
  }
  if (n >= trimmed.size() || (trimmed[n] != ' ' && trimmed[n] != '\t')) return 0;
  return n + 1;
}

std::vector<std::string> table_cells(std::string_view trimmed) {
  if (trimmed.starts_with('|')) trimmed.remove_prefix(1);
  if (trimmed.ends_with('|') && !trimmed.ends_with("\\|")) trimmed.remove_suffix(1);
  std::vector<std::string> cells(1);
  for (std::size_t i = 0; i < trimmed.size(); ++i) {
    if (trimmed[i] == '\\' && i + 1 < trimmed.size() && trimmed[i + 1] == '|')
      cells.back() += trimmed[++i];
    else if (trimmed[i] == '|')
      cells.emplace_back();
    else
      cells.back() += trimmed[i];
  }
  for (std::string& cell : cells) cell = std::string(trim(cell));
  return cells;
}

bool is_table_ruler(std::string_view trimmed) {
  return trimmed.find('-') != std::string_view::npos && trimmed.find('|') != std::string_view::npos &&
         trimmed.find_first_not_of("|-: \t") == std::string_view::npos;
}

/// A line of === or --- that makes the text above it a heading.
int underline_level(std::string_view trimmed) {
  if (trimmed.size() < 3) return 0;
  if (trimmed.find_first_not_of('=') == std::string_view::npos) return 1;
  if (trimmed.find_first_not_of('-') == std::string_view::npos) return 2;
  return 0;
}

/// Takes `<!-- ... -->` out of a line; `inside` carries over to the next one.
std::string without_comments(std::string_view line, bool& inside) {
  std::string out;
  while (!line.empty()) {
    const std::string_view mark = inside ? "-->" : "<!--";
    const std::size_t at = line.find(mark);
    if (!inside) out += line.substr(0, at);
    if (at == std::string_view::npos) break;
    line.remove_prefix(at + mark.size());
    inside = !inside;
  }
  return out;
}

class Reader {
 public:
  explicit Reader(Fences fences) : fences_(fences) {}

  void take(std::string_view raw, int number) {
    const std::string_view visible = trim(raw);
    if (const Fence fence = read_fence(visible); !in_comment_ && fence.length > 0) {
      const bool closes = open_.length > 0 && fence.mark == open_.mark && fence.length >= open_.length &&
                          visible.size() == fence.length;
      if (closes || open_.length == 0) {
        open_ = closes ? Fence{} : fence;
        table_open_ = false;
        return;
      }
    }
    if (open_.length > 0 && fences_ == Fences::respected) {
      add(MarkKind::code, number, 0, std::string(raw));
      return;
    }
    std::string line = without_comments(raw, in_comment_);
    std::string_view rest = trim(line);
    while (rest.starts_with('>')) rest = trim(rest.substr(1));
    if (rest.empty()) {
      table_open_ = false;
      can_underline_ = false;
      return;
    }
    if (!take_table(rest, number)) take_plain(rest, number, indentation(line));
  }

  std::vector<MarkLine> lines;

 private:
  MarkLine& add(MarkKind kind, int number, int level, std::string text) {
    lines.push_back({kind, number, level, section_, 0, std::move(text), {}, heading_});
    can_underline_ = kind == MarkKind::text;
    return lines.back();
  }

  void start_section(MarkLine& line, int level) {
    line.kind = MarkKind::heading;
    line.level = level;
    line.section = ++section_;
    line.heading = heading_ = line.text;
    can_underline_ = false;
  }

  /// A ruler turns the line above it into the head of a table; lines with a bar continue it.
  bool take_table(std::string_view rest, int number) {
    if (table_open_ && rest.find('|') != std::string_view::npos) {
      if (is_table_ruler(rest)) return true;
      MarkLine& row = add(MarkKind::table_row, number, 0, std::string(rest));
      row.table = tables_;
      row.cells = table_cells(rest);
      return true;
    }
    table_open_ = false;
    if (!is_table_ruler(rest) || lines.empty() || !can_underline_ || lines.back().line != number - 1)
      return false;
    MarkLine& head = lines.back();
    if (head.text.find('|') == std::string::npos) return false;
    head.kind = MarkKind::table_head;
    head.table = ++tables_;
    head.cells = table_cells(head.text);
    table_open_ = true;
    return true;
  }

  void take_plain(std::string_view rest, int number, int indent) {
    if (const int level = underline_level(rest); level > 0) {
      if (can_underline_ && lines.back().line == number - 1) start_section(lines.back(), level);
      return;
    }
    if (const int level = heading_level(rest); level > 0) {
      rest = trim(rest.substr(static_cast<std::size_t>(level)));
      while (rest.ends_with('#')) rest.remove_suffix(1);
      start_section(add(MarkKind::heading, number, level, without_emphasis(trim(rest))), level);
      return;
    }
    if (const std::size_t mark = list_mark(rest); mark > 0) {
      rest = trim(rest.substr(mark));
      for (const std::string_view box : {"[ ] ", "[x] ", "[X] "})
        if (rest.starts_with(box)) rest.remove_prefix(box.size());
      add(MarkKind::item, number, indent, std::string(rest));
      return;
    }
    add(MarkKind::text, number, indent, std::string(rest));
  }

  Fences fences_;
  Fence open_;
  bool in_comment_ = false;
  bool table_open_ = false;
  bool can_underline_ = false;
  int section_ = 0;
  int tables_ = 0;
  std::string heading_;
};

}  // namespace

std::vector<MarkLine> read_markdown(std::string_view text, Fences fences) {
  Reader reader(fences);
  int number = 0;
  while (!text.empty() && static_cast<std::size_t>(number) < kMaxLines) {
    const std::size_t end = text.find('\n');
    reader.take(text.substr(0, std::min(end, kMaxLineBytes)), ++number);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return std::move(reader.lines);
}

Label read_label(std::string_view text) {
  constexpr std::string_view kWide = "\xEF\xBC\x9A";  // the full-width colon
  std::size_t at = text.find(':');
  std::size_t width = 1;
  if (const std::size_t wide = text.find(kWide); wide < at) {
    at = wide;
    width = kWide.size();
  }
  if (at == std::string_view::npos || at == 0 || at > 80) return {};
  // "http://..." and "12:30" are no labels.
  if (width == 1 && text.substr(at).starts_with("://")) return {};
  const std::string name(trim(without_emphasis(text.substr(0, at))));
  if (name.empty() || name.find_first_not_of("0123456789") == std::string::npos) return {};
  std::string_view value = text.substr(at + width);
  // "**Label:** value" closes its emphasis behind the colon.
  if (text.substr(0, at).find("**") != std::string_view::npos && value.starts_with("**"))
    value.remove_prefix(2);
  return {true, name, std::string(value)};
}

std::string without_emphasis(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '`') continue;
    if (text[i] == '*') {
      // "4*16" is a product, "**bold**" and "*word*" are not.
      const bool between_digits = i > 0 && i + 1 < text.size() &&
                                  std::isdigit(static_cast<unsigned char>(text[i - 1])) &&
                                  std::isdigit(static_cast<unsigned char>(text[i + 1]));
      const bool alone = i > 0 && i + 1 < text.size() && text[i - 1] == ' ' && text[i + 1] == ' ';
      if (!between_digits && !alone) continue;
    }
    if (text[i] == '_' && (text.substr(i).starts_with("__") || (i > 0 && text[i - 1] == '_'))) continue;
    if (text.substr(i).starts_with("<br")) {
      const std::size_t end = text.find('>', i);
      if (end != std::string_view::npos && end < i + 6) {
        out += ' ';
        i = end;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

}  // namespace vastgpu
