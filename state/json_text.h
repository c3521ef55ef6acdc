#pragma once
// Where the parts of a JSON text stand, so that one value can be replaced and every other byte stays. Pure
// functions over text that a parser accepted before; any thread.

#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

struct TextSpan {
  std::size_t begin = 0;
  std::size_t end = 0;  ///< one past the last byte
  std::string_view in(std::string_view text) const { return text.substr(begin, end - begin); }
};

struct MemberSpan {
  std::string key;    ///< decoded
  TextSpan key_text;  ///< with its quotes
  TextSpan value;
};

/// The elements of a text that is one array.
std::vector<TextSpan> element_spans(std::string_view text);

/// The members of the object at `object`, which starts with `{`.
std::vector<MemberSpan> member_spans(std::string_view text, TextSpan object);

}  // namespace vastgpu
