#pragma once
// What read_markdown gives to the parser: a text made harmless and tolerant. Used by markdown.cpp only. Pure;
// any thread.

#include <string>
#include <string_view>
#include <vector>

#include "analysis/markdown.h"

namespace vastgpu {

struct MarkdownFeed {
  std::string text;         ///< bounded: lines, nesting, inline marks
  std::vector<int> origin;  ///< of each line of `text`: its number in what was given
};
MarkdownFeed feed_markdown(std::string_view text, Fences fences);

}  // namespace vastgpu
