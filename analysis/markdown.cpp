#include "analysis/markdown.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <mutex>
#include <optional>

#include "analysis/markdown_feed.h"
#include "core/text.h"

namespace vastgpu {
namespace {

struct FreeParser {
  void operator()(cmark_parser* p) const noexcept { cmark_parser_free(p); }
};
struct FreeNode {
  void operator()(cmark_node* n) const noexcept { cmark_node_free(n); }
};
using Document = std::unique_ptr<cmark_node, FreeNode>;

Document parse(const std::string& text) {
  static std::once_flag once;  // the registry is global and not locked
  std::call_once(once, cmark_gfm_core_extensions_ensure_registered);
  // A single ~ is "about" in a plan, never a strike.
  const std::unique_ptr<cmark_parser, FreeParser> parser(
      cmark_parser_new(CMARK_OPT_SOURCEPOS | CMARK_OPT_VALIDATE_UTF8 | CMARK_OPT_STRIKETHROUGH_DOUBLE_TILDE));
  if (!parser) return nullptr;
  for (const char* name : {"table", "strikethrough"})
    if (cmark_syntax_extension* extension = cmark_find_syntax_extension(name))
      cmark_parser_attach_syntax_extension(parser.get(), extension);
  cmark_parser_feed(parser.get(), text.data(), text.size());
  return Document(cmark_parser_finish(parser.get()));
}

std::string literal_of(cmark_node* node) {
  const char* literal = cmark_node_get_literal(node);
  return literal == nullptr ? "" : literal;
}
bool is_type(cmark_node* node, std::string_view name) { return cmark_node_get_type_string(node) == name; }
bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

/// The words of a block, one string per line of the file.
class Words {
 public:
  struct Line {
    int line;
    std::string text;
  };
  explicit Words(cmark_node* block) {
    lines_.push_back({cmark_node_get_start_line(block), ""});
    take_children(block, 0);
  }
  std::vector<Line> take() && { return std::move(lines_); }

 private:
  void take_children(cmark_node* parent, int depth) {
    for (cmark_node* n = cmark_node_first_child(parent); n != nullptr; n = cmark_node_next(n))
      take_inline(n, depth);
  }

  void take_inline(cmark_node* node, int depth) {
    if (depth > 50) return;
    switch (cmark_node_get_type(node)) {
      case CMARK_NODE_TEXT:
        lines_.back().text += literal_of(node);
        return;
      case CMARK_NODE_CODE:
        lines_.back().text += '`' + literal_of(node) + '`';
        return;
      case CMARK_NODE_SOFTBREAK:
      case CMARK_NODE_LINEBREAK: {
        // A tag or code that runs over a line end is followed by text whose position tells.
        cmark_node* next = cmark_node_next(node);
        const int counted = lines_.back().line + 1;
        const int told = next != nullptr ? cmark_node_get_start_line(next) : 0;
        lines_.push_back({std::max(counted, told), ""});
        return;
      }
      case CMARK_NODE_HTML_INLINE:
        if (starts_with_ignoring_case(literal_of(node), "<br")) lines_.back().text += ' ';
        return;
      case CMARK_NODE_EMPH: {
        // "4*16*2" is a product.
        const std::string before = lines_.back().text;
        const std::size_t at = before.size();
        take_children(node, depth + 1);
        cmark_node* next = cmark_node_next(node);
        const std::string behind = next != nullptr ? literal_of(next) : "";
        std::string& text = lines_.back().text;
        if (at > 0 && at < text.size() && is_alnum(before.back()) && !behind.empty() && is_alnum(behind[0]))
          text = text.substr(0, at) + '*' + text.substr(at) + '*';
        return;
      }
      case CMARK_NODE_IMAGE:
        return;
      default:
        if (!is_type(node, "strikethrough")) take_children(node, depth + 1);
    }
  }

  std::vector<Line> lines_;
};

/// Text between tags, for HTML that wraps words.
std::string without_tags(std::string_view html) {
  std::string out;
  bool inside = false;
  for (const char c : html) {
    if (c == '<') inside = true;
    if (!inside) out += c;
    if (c == '>') inside = false;
  }
  return out;
}

class Flattener {
 public:
  std::vector<MarkLine> lines;

  void take(cmark_node* document) {
    // Depth first without recursion: the depth is the text's to choose.
    cmark_node* n = cmark_node_first_child(document);
    while (n != nullptr) {
      const bool inner = take_block(n) && cmark_node_first_child(n) != nullptr;
      if (inner) {
        n = cmark_node_first_child(n);
        continue;
      }
      while (n != nullptr && cmark_node_next(n) == nullptr) {
        n = cmark_node_parent(n);
        if (n == document) return;
      }
      if (n != nullptr) n = cmark_node_next(n);
    }
  }

 private:
  /// True when its children are blocks to be looked at.
  bool take_block(cmark_node* node) {
    switch (cmark_node_get_type(node)) {
      case CMARK_NODE_HEADING:
        take_heading(node);
        return false;
      case CMARK_NODE_PARAGRAPH:
        take_paragraph(node);
        return false;
      case CMARK_NODE_CODE_BLOCK:
        take_code(node);
        return false;
      case CMARK_NODE_HTML_BLOCK:
        take_html(node);
        return false;
      default:
        break;
    }
    if (is_type(node, "table")) ++tables_;
    if (is_type(node, "table_header") || is_type(node, "table_row")) {
      take_row(node);
      return false;
    }
    return true;
  }

  MarkLine& add(MarkKind kind, int line, int level, std::string text) {
    lines.push_back({kind, line, level, section_, 0, std::move(text), {}, heading_});
    return lines.back();
  }

  void take_heading(cmark_node* node) {
    auto words = Words(node).take();
    // A paragraph above a ruler is a heading by the letter; with several lines or a label it is none.
    const bool underlined = cmark_node_get_end_line(node) > cmark_node_get_start_line(node);
    const std::string first(trim(words.front().text));
    if (underlined && (words.size() > 1 || read_label(first).found)) {
      for (auto& w : words) add_words(MarkKind::text, w, 0);
      return;
    }
    MarkLine& line = add(MarkKind::heading, words.front().line, cmark_node_get_heading_level(node), first);
    line.section = ++section_;
    line.heading = heading_ = line.text;
  }

  void add_words(MarkKind kind, const Words::Line& words, int level) {
    std::string_view text = trim(words.text);
    for (const std::string_view box : {"[ ] ", "[x] ", "[X] "})
      if (kind == MarkKind::item && text.starts_with(box)) text.remove_prefix(box.size());
    if (!text.empty()) add(kind, words.line, level, std::string(text));
  }

  void take_paragraph(cmark_node* node) {
    cmark_node* parent = cmark_node_parent(node);
    const bool opens_item = parent != nullptr && cmark_node_get_type(parent) == CMARK_NODE_ITEM &&
                            cmark_node_first_child(parent) == node;
    const int column = cmark_node_get_start_column(opens_item ? parent : node);
    MarkKind kind = opens_item ? MarkKind::item : MarkKind::text;
    for (const auto& words : Words(node).take()) {
      add_words(kind, words, std::max(0, column - 1));
      kind = MarkKind::text;
    }
  }

  void take_row(cmark_node* node) {
    MarkLine& row = add(is_type(node, "table_header") ? MarkKind::table_head : MarkKind::table_row,
                        cmark_node_get_start_line(node), 0, "");
    row.table = tables_;
    for (cmark_node* c = cmark_node_first_child(node); c != nullptr; c = cmark_node_next(c)) {
      std::string cell;
      for (const auto& words : Words(c).take()) cell += words.text;
      row.cells.emplace_back(trim(cell));
    }
    row.text = join(row.cells, " | ");
  }

  void take_code(cmark_node* node) {
    int length = 0, offset = 0;
    char mark = 0;
    const bool fenced = cmark_node_get_fenced(node, &length, &offset, &mark) != 0;
    int number = cmark_node_get_start_line(node) + (fenced ? 1 : 0);
    const std::string literal = literal_of(node);
    for (const std::string& line : split(literal, '\n')) {
      if (!trim(line).empty()) add(MarkKind::code, number, 0, line);
      ++number;
    }
  }

  void take_html(cmark_node* node) {
    const std::string html = literal_of(node);
    const std::string_view start = trim(html);
    for (const std::string_view silent : {"<!", "<?", "<script", "<style"})
      if (starts_with_ignoring_case(start, silent)) {
        // What stands behind the end of a comment on its last line is text again.
        if (const std::size_t end = html.rfind("-->"); end != std::string::npos && silent == "<!")
          if (const std::string_view rest = trim(std::string_view(html).substr(end + 3)); !rest.empty())
            add(MarkKind::text, cmark_node_get_end_line(node), 0, std::string(rest));
        return;
      }
    int number = cmark_node_get_start_line(node);
    for (const std::string& line : split(html, '\n')) {
      const std::string words = without_tags(line);
      if (!trim(words).empty()) add(MarkKind::text, number, 0, std::string(trim(words)));
      ++number;
    }
  }

  int section_ = 0;
  int tables_ = 0;
  std::string heading_;
};

}  // namespace

std::vector<MarkLine> read_markdown(std::string_view text, Fences fences) {
  const MarkdownFeed feed = feed_markdown(text, fences);
  if (feed.origin.empty()) return {};
  const Document document = parse(feed.text);
  Flattener flat;
  if (document) flat.take(document.get());
  for (MarkLine& line : flat.lines)
    line.line =
        feed.origin[std::clamp<std::size_t>(static_cast<std::size_t>(line.line), 1, feed.origin.size()) - 1];
  return std::move(flat.lines);
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
