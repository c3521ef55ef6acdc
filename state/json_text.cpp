#include "state/json_text.h"

#include "core/json.h"

namespace vastgpu {
namespace {

class Scanner {
 public:
  Scanner(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  std::size_t at() const { return at_; }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip(std::size_t n = 1) { at_ += n; }
  void space() {
    while (at_ < text_.size() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) ++at_;
  }

  /// One value of any kind. Nesting is only counted: the parser has checked that brackets match.
  TextSpan value() {
    const std::size_t begin = at_;
    if (peek() == '"') {
      string();
    } else if (peek() == '{' || peek() == '[') {
      for (int depth = 0; at_ < text_.size();) {
        const char c = peek();
        if (c == '"') {
          string();
          continue;
        }
        ++at_;
        if (c == '{' || c == '[') ++depth;
        if ((c == '}' || c == ']') && --depth == 0) break;
      }
    } else {
      while (at_ < text_.size() && std::string_view(",]} \t\r\n").find(peek()) == std::string_view::npos)
        ++at_;
    }
    return {begin, at_};
  }

 private:
  void string() {
    for (++at_; at_ < text_.size() && peek() != '"'; ++at_)
      if (peek() == '\\') ++at_;
    at_ = std::min(at_ + 1, text_.size());
  }

  std::string_view text_;
  std::size_t at_;
};

std::string decoded(std::string_view quoted) {
  const auto j = parse_json(quoted, "key");
  return j && j->is_string() ? j->get<std::string>() : std::string();
}

}  // namespace

std::vector<TextSpan> element_spans(std::string_view text) {
  std::vector<TextSpan> spans;
  Scanner scan(text, text.find('['));  // only white space or a byte order mark stands before it
  for (scan.skip(), scan.space(); scan.peek() != ']' && scan.peek() != '\0'; scan.space()) {
    spans.push_back(scan.value());
    scan.space();
    if (scan.peek() == ',') scan.skip();
  }
  return spans;
}

std::vector<MemberSpan> member_spans(std::string_view text, TextSpan object) {
  std::vector<MemberSpan> members;
  Scanner scan(text.substr(0, object.end), object.begin);
  for (scan.skip(), scan.space(); scan.peek() == '"'; scan.space()) {
    MemberSpan member;
    member.key_text = scan.value();
    member.key = decoded(member.key_text.in(text));
    scan.space();
    scan.skip();  // the colon
    scan.space();
    member.value = scan.value();
    members.push_back(std::move(member));
    scan.space();
    if (scan.peek() == ',') scan.skip();
  }
  return members;
}

}  // namespace vastgpu
