#include "clients/json_edit.h"

#include "core/text.h"

namespace vastgpu {
namespace {

const JsoncMember* member_of(const JsoncNode& object, const std::string& key) {
  const auto found = std::ranges::find(object.members, key,
                                       [](const JsoncMember& m) -> const std::string& { return m.key; });
  return found == object.members.end() ? nullptr : &*found;
}

std::size_t line_begin(std::string_view text, std::size_t at) {
  const std::size_t end = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  return end == std::string_view::npos ? 0 : end + 1;
}

/// White space that the line of `at` begins with.
std::string indent_of(std::string_view text, std::size_t at) {
  const std::size_t begin = line_begin(text, at);
  const std::size_t end = text.find_first_not_of(" \t", begin);
  return std::string(text.substr(begin, std::min(end, text.size()) - begin));
}

bool first_on_its_line(std::string_view text, std::size_t at) {
  return text.find_first_not_of(" \t", line_begin(text, at)) == at && line_begin(text, at) > 0;
}

std::string line_end(std::string_view text) {
  const std::size_t end = text.find('\n');
  return end != std::string_view::npos && end > 0 && text[end - 1] == '\r' ? "\r\n" : "\n";
}

/// What one level is indented by in this text.
std::string unit_of(std::string_view text, const JsoncNode& root) {
  for (const JsoncMember& m : root.members)
    if (first_on_its_line(text, m.key_text.begin))
      if (std::string indent = indent_of(text, m.key_text.begin); !indent.empty()) return indent;
  return "  ";
}

struct Shape {
  std::string eol, unit;
};

/// `value` over several lines; its first line is not indented, its last stands at `indent`.
std::string pretty(const json& value, const std::string& indent, const Shape& shape) {
  const std::string deeper = indent + shape.unit;
  if (value.is_object() && !value.empty()) {
    std::string out = "{";
    const char* between = "";
    for (const auto& [key, item] : value.items()) {
      out += between + shape.eol + deeper + dump(key) + ": " + pretty(item, deeper, shape);
      between = ",";
    }
    return out + shape.eol + indent + "}";
  }
  if (value.is_array() && !value.empty()) {
    std::string out = "[";
    for (const json& item : value) out += (out.size() > 1 ? ", " : "") + dump(item);
    return out + "]";
  }
  return dump(value);
}

/// Where a line's last comment ends, when nothing but blanks and comments follow `at` on it.
std::size_t after_comments_of_line(std::string_view text, std::size_t at) {
  const std::size_t end = std::min(text.find('\n', at), text.size());
  std::size_t reached = at;
  for (std::size_t i = at; i < end;) {
    if (text[i] == ' ' || text[i] == '\t' || text[i] == '\r') {
      ++i;
    } else if (text.substr(i, 2) == "//") {
      const std::size_t last = text.find_last_not_of(" \t\r", end - 1);
      return std::max(last + 1, i + 2);
    } else if (text.substr(i, 2) == "/*") {
      const std::size_t close = text.find("*/", i + 2);
      if (close == std::string_view::npos || close + 2 > end) break;
      i = reached = close + 2;
    } else {
      break;
    }
  }
  return reached;
}

/// Puts a member behind the others of `object`.
std::string add_member(const std::string& text, const JsoncNode& object, const std::string& key,
                       const json& value, const Shape& shape) {
  const std::string parent = indent_of(text, object.span.begin);
  if (object.members.empty()) {
    std::size_t p = object.span.begin + 1;
    for (std::size_t next = p; next < object.span.end - 1;) {  // behind the last comment in it
      const std::size_t slash = text.find('/', next);
      if (slash == std::string::npos || slash >= object.span.end - 1) break;
      p = next = after_comments_of_line(text, slash);
      if (p <= slash) p = next = text.find("*/", slash) + 2;
    }
    const std::string rest = text.substr(p, object.span.end - 1 - p);
    const bool closes_below = rest.find('\n') != std::string::npos;
    const std::string entry =
        shape.eol + parent + shape.unit + dump(key) + ": " + pretty(value, parent + shape.unit, shape);
    return text.substr(0, p) + entry + (closes_below ? rest : shape.eol + parent) +
           text.substr(object.span.end - 1);
  }
  const JsoncMember& last = object.members.back();
  const bool lines = first_on_its_line(text, object.members.front().key_text.begin);
  const std::string indent = lines ? indent_of(text, object.members.front().key_text.begin) : "";
  const std::string entry = lines ? shape.eol + indent + dump(key) + ": " + pretty(value, indent, shape)
                                  : " " + dump(key) + ": " + dump(value);
  if (last.comma != std::string::npos) {
    const std::size_t p = lines ? after_comments_of_line(text, last.comma + 1) : last.comma + 1;
    return text.substr(0, p) + entry + "," + text.substr(p);
  }
  const std::size_t end = last.value.span.end;
  const std::size_t p = lines ? after_comments_of_line(text, end) : end;
  return text.substr(0, end) + "," + text.substr(end, p - end) + entry + text.substr(p);
}

std::string drop_member(const std::string& text, const JsoncNode& object, std::size_t index) {
  const JsoncMember& m = object.members[index];
  const bool last = index + 1 == object.members.size();
  std::size_t begin = m.key_text.begin;
  if (first_on_its_line(text, begin)) {
    begin = line_begin(text, begin) - 1;
    if (begin > 0 && text[begin - 1] == '\r') --begin;
  } else if (index > 0) {  // the blanks that kept it from its neighbour
    while (begin > 0 && (text[begin - 1] == ' ' || text[begin - 1] == '\t')) --begin;
  }
  std::size_t end = m.value.span.end;
  std::string kept;
  if (m.comma != std::string::npos) {
    kept = text.substr(end, m.comma - end);  // a comment between value and comma is not ours
    end = m.comma + 1;
    if (trim(kept).empty()) kept.clear();
  }
  std::string out = text.substr(0, begin) + kept + text.substr(end);
  if (last && m.comma == std::string::npos && index > 0) out.erase(object.members[index - 1].comma, 1);
  if (last && index == 0 && text.find_first_not_of(" \t\r\n", object.span.begin + 1) == m.key_text.begin &&
      text.find_first_not_of(" \t\r\n", end) == object.span.end - 1)
    out = text.substr(0, object.span.begin) + "{}" + text.substr(object.span.end);
  return out;
}

}  // namespace

Result<const JsoncNode*> find_entry(const JsoncNode& root, std::string_view text, const KeyPath& path,
                                    const std::string& subject) {
  const auto refuse = [&](const std::string& key, const std::string& what, std::size_t at) {
    return fail({.code = Code::corrupt,
                 .what = subject + ": \"" + key + "\" " + what + ", at " + place_in(text, at),
                 .next_step = "correct it there; nothing was changed"});
  };
  const JsoncNode* at = &root;
  for (const std::string& key : path) {
    const auto same = [&](const JsoncMember& m) { return m.key == key; };
    if (std::ranges::count_if(at->members, same) > 1) {
      const auto again = std::find_if(at->members.rbegin(), at->members.rend(), same);
      return refuse(key, "is there twice", again->key_text.begin);
    }
    const JsoncMember* found = member_of(*at, key);
    if (!found) return nullptr;
    at = &found->value;
    if (&key != &path.back() && !at->value.is_object()) return refuse(key, "is no object", at->span.begin);
  }
  return at;
}

std::string put_entry(const std::string& text, const JsoncNode& root, const KeyPath& path, const json& entry,
                      bool whole) {
  const Shape shape{line_end(text), unit_of(text, root)};
  const JsoncNode* at = &root;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const JsoncMember* found = member_of(*at, path[i]);
    if (found) {
      at = &found->value;
      continue;
    }
    json value = entry;
    for (std::size_t below = path.size() - 1; below > i; --below) value = json{{path[below], value}};
    if (root.span.end == 0) return text + pretty(json{{path[i], value}}, "", shape) + shape.eol;
    return add_member(text, *at, path[i], value, shape);
  }
  // Something stands there: each field by itself, so that comments and further fields stay.
  if (whole || !entry.is_object() || !at->value.is_object())
    return text.substr(0, at->span.begin) + pretty(entry, indent_of(text, at->span.begin), shape) +
           text.substr(at->span.end);
  for (const auto& [key, value] : entry.items()) {
    const JsoncMember* field = member_of(*at, key);
    if (field && field->value.value == value) continue;
    std::string next = field ? text.substr(0, field->value.span.begin) +
                                   pretty(value, indent_of(text, field->key_text.begin), shape) +
                                   text.substr(field->value.span.end)
                             : add_member(text, *at, key, value, shape);
    // The spans behind are old now: read again, and go on where it left off.
    const auto again = parse_jsonc(next, JsonStyle::comments, "the new text");
    return again ? put_entry(next, *again, path, entry, false) : text;
  }
  return text;
}

std::string take_entry(const std::string& text, const JsoncNode& root, const KeyPath& path,
                       std::size_t keep) {
  std::vector<const JsoncNode*> chain{&root};
  for (const std::string& key : path) chain.push_back(&member_of(*chain.back(), key)->value);
  std::size_t level = path.size() - 1;  // the key at this level goes
  while (level > keep && chain[level]->members.size() == 1) --level;
  const JsoncNode& owner = *chain[level];
  const auto index = static_cast<std::size_t>(member_of(owner, path[level]) - owner.members.data());
  return drop_member(text, owner, index);
}

}  // namespace vastgpu
