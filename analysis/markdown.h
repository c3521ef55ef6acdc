#pragma once
// Markdown, read by cmark-gfm, as a flat list of lines that know what they are: enough to read settings and
// plans, and to name the line a number came from. Pure; any thread.

#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

enum class MarkKind { heading, item, text, table_head, table_row, code };

struct MarkLine {
  MarkKind kind = MarkKind::text;
  int line = 0;      ///< from 1
  int level = 0;     ///< heading: 1 to 6; item: columns of indentation
  int section = 0;   ///< counts headings; 0 before the first one
  int table = 0;     ///< counts tables; 0 outside
  std::string text;  ///< as a reader sees it: no marks, emphasis, comments or struck words; code keeps its
                     ///< backticks
  std::vector<std::string> cells;  ///< of a table line
  std::string heading;             ///< the nearest heading above, or the heading's own text
};

enum class Fences {
  respected,  ///< lines between ``` are `code`
  opened,     ///< their content is read as if it stood outside
};

/// Blank lines, rulers, fences and HTML comments give no line; front matter is text. At most 20,000 lines of
/// 4,000 bytes; deeper nesting and more marks than a person writes are flattened, so that time stays linear.
std::vector<MarkLine> read_markdown(std::string_view text, Fences fences = Fences::respected);

/// "GPU-hours: ~6 h" -> {"GPU-hours", "~6 h"}: backticks and emphasis around the label go, the value is left
/// as it is. `found` is false when there is no label of up to 80 bytes. A full-width colon counts.
struct Label {
  bool found = false;
  std::string name;
  std::string value;  ///< not trimmed on the left: a comment mark may come first
};
Label read_label(std::string_view text);

/// Without `*`, `_` pairs around words, backticks and `<br>`.
std::string without_emphasis(std::string_view text);

}  // namespace vastgpu
