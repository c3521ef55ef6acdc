#include "clients/jsonc.h"

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr int kMaxDepth = 64;

/// One pass over the text. The first thing that is wrong ends it and stays in `wrong`.
class Reader {
 public:
  Reader(std::string_view text, JsonStyle style) : text_(text), style_(style) {}

  std::size_t at = 0;
  std::string wrong;

  bool refuse(const std::string& what) {
    if (wrong.empty()) wrong = what + " at " + place_in(text_, at);
    return false;
  }

  bool space() {
    const std::size_t begin = at;
    at = skip_jsonc_space(text_, at);
    if (style_ == JsonStyle::comments) return true;
    if (const std::size_t slash = text_.substr(begin, at - begin).find('/'); slash != std::string::npos) {
      at = begin + slash;
      return refuse("a comment, which this client does not read,");
    }
    return true;
  }

  char peek() const { return at < text_.size() ? text_[at] : '\0'; }
  bool ended() const { return at >= text_.size(); }

  bool value(JsoncNode& into, int depth) {
    if (depth > kMaxDepth) return refuse("nesting deeper than 64");
    const std::size_t begin = at;
    bool good = false;
    if (peek() == '{')
      good = object(into, depth);
    else if (peek() == '[')
      good = array(into, depth);
    else
      good = scalar(into);
    into.span = {begin, at};
    return good;
  }

 private:
  bool object(JsoncNode& into, int depth) {
    into.value = json::object();
    ++at;
    for (;;) {
      if (!space()) return false;
      if (peek() == '}') {
        if (!into.members.empty() && into.members.back().comma != std::string::npos &&
            style_ == JsonStyle::strict)
          return refuse("a comma before the closing brace");
        ++at;
        return true;
      }
      if (!into.members.empty() && into.members.back().comma == std::string::npos)
        return refuse("a comma or a closing brace is missing");
      if (peek() != '"') return refuse("a key in double quotes was expected");
      JsoncMember member;
      const std::size_t begin = at;
      if (!quoted()) return false;
      member.key_text = {begin, at};
      const auto key = parse_json(member.key_text.in(text_), "key");
      if (!key || !key->is_string()) {
        at = begin;
        return refuse("a key that is no JSON string");
      }
      member.key = key->get<std::string>();
      if (!space()) return false;
      if (peek() != ':') return refuse("a colon was expected");
      ++at;
      if (!space() || !value(member.value, depth + 1)) return false;
      into.value[member.key] = member.value.value;
      if (!space()) return false;
      if (peek() == ',') member.comma = at++;
      into.members.push_back(std::move(member));
    }
  }

  bool array(JsoncNode& into, int depth) {
    into.value = json::array();
    ++at;
    for (bool comma = true;;) {
      if (!space()) return false;
      if (peek() == ']') {
        if (comma && !into.value.empty() && style_ == JsonStyle::strict)
          return refuse("a comma before the closing bracket");
        ++at;
        return true;
      }
      if (!comma) return refuse("a comma or a closing bracket is missing");
      JsoncNode element;
      if (!value(element, depth + 1) || !space()) return false;
      into.value.push_back(std::move(element.value));
      comma = peek() == ',';
      if (comma) ++at;
    }
  }

  bool scalar(JsoncNode& into) {
    const std::size_t begin = at;
    if (peek() == '"') {
      if (!quoted()) return false;
    } else {
      while (!ended() && std::string_view(",]}: \t\r\n/\"").find(peek()) == std::string_view::npos) ++at;
    }
    auto parsed = parse_json(text_.substr(begin, at - begin), "value");
    if (!parsed) {
      at = begin;
      return refuse(ended() ? "the text ends too early" : "a value was expected");
    }
    into.value = *std::move(parsed);
    return true;
  }

  bool quoted() {
    const std::size_t begin = at;
    for (++at; !ended() && peek() != '"'; ++at) {
      if (peek() == '\n') break;
      if (peek() == '\\') ++at;
    }
    if (peek() != '"') {
      at = begin;
      return refuse("a string that does not end");
    }
    ++at;
    return true;
  }

  std::string_view text_;
  JsonStyle style_;
};

}  // namespace

std::size_t skip_jsonc_space(std::string_view text, std::size_t at) {
  if (at == 0 && text.starts_with("\xEF\xBB\xBF")) at = 3;
  for (;;) {
    while (at < text.size() && std::string_view(" \t\r\n").find(text[at]) != std::string_view::npos) ++at;
    if (text.substr(at, 2) == "//") {
      at = std::min(text.find('\n', at), text.size());
    } else if (text.substr(at, 2) == "/*") {
      const std::size_t end = text.find("*/", at + 2);
      if (end == std::string_view::npos) return at;  // whoever looks for a value here says what is wrong
      at = end + 2;
    } else {
      return at;
    }
  }
}

std::string place_in(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  const std::size_t line = before.rfind('\n');
  return vastgpu::text("line ", std::count(before.begin(), before.end(), '\n') + 1, ", column ",
                       before.size() - (line == std::string_view::npos ? 0 : line + 1) + 1);
}

Result<JsoncNode> parse_jsonc(std::string_view text, JsonStyle style, const std::string& subject) {
  Reader reader(text, style);
  JsoncNode root;
  const auto refused = [&] {
    return fail({.code = Code::corrupt,
                 .what = subject + " cannot be read: " + reader.wrong,
                 .next_step = "correct it there; nothing was changed"});
  };
  if (!reader.space()) return refused();
  if (reader.ended()) return root;
  if (reader.peek() != '{') {
    reader.refuse("an object was expected");
    return refused();
  }
  if (!reader.value(root, 0) || !reader.space()) return refused();
  if (!reader.ended()) {
    reader.refuse("something follows the end");
    return refused();
  }
  return root;
}

}  // namespace vastgpu
