#include "clients/toml_edit.h"

// As in analysis/config_toml.cpp: the library asserts what a broken file need not hold, one step before it
// checks the same and returns an error.
#undef NDEBUG
#define TOML_ASSERT(expr) static_cast<void>(0)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "core/text.h"

namespace vastgpu {
namespace {

json to_json_value(const toml::node& node, int depth) {
  if (depth > 64) return nullptr;
  if (const auto* table = node.as_table()) {
    json out = json::object();
    for (const auto& [key, item] : *table) out[std::string(key.str())] = to_json_value(item, depth + 1);
    return out;
  }
  if (const auto* list = node.as_array()) {
    json out = json::array();
    for (const toml::node& item : *list) out.push_back(to_json_value(item, depth + 1));
    return out;
  }
  if (const auto* v = node.as_string()) return v->get();
  if (const auto* v = node.as_integer()) return v->get();
  if (const auto* v = node.as_floating_point()) return v->get();
  if (const auto* v = node.as_boolean()) return v->get();
  std::ostringstream out;
  if (const auto* v = node.as_date()) out << v->get();
  if (const auto* v = node.as_time()) out << v->get();
  if (const auto* v = node.as_date_time()) out << v->get();
  return out.str();
}

/// A header or a key with its value, as it stands in the text.
struct Statement {
  std::size_t begin = 0;        ///< of its first line
  std::size_t end = 0;          ///< behind its last line's end
  std::size_t value_begin = 0;  ///< of a key's value
  std::size_t value_end = 0;
  bool header = false;
  KeyPath path;  ///< the headers above included
};

/// Finds statements in a text that toml++ accepted, so it only has to know where strings and brackets end.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::vector<Statement> all() {
    std::vector<Statement> found;
    KeyPath table;
    while (at_ < text_.size()) {
      const std::size_t line = at_;
      blanks();
      if (at_ >= text_.size() || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '#') {
        to_next_line();
        continue;
      }
      Statement s;
      s.begin = line;
      s.header = text_[at_] == '[';
      const std::size_t first = at_;
      if (s.header) {
        past(']');
        while (at_ < text_.size() && text_[at_] == ']') ++at_;
        table = s.path = keys_of(std::string(text_.substr(first, at_ - first)));
      } else {
        past('=');
        const std::string key(text_.substr(first, at_ - first));
        blanks();
        s.value_begin = at_;
        value();
        s.value_end = at_;
        s.path = table;
        for (std::string& part : keys_of(key + " 0")) s.path.push_back(std::move(part));
      }
      to_next_line();
      s.end = at_;
      found.push_back(std::move(s));
    }
    return found;
  }

 private:
  void blanks() {
    if (at_ == 0 && text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  void to_next_line() { at_ = std::min(text_.find('\n', at_), text_.size() - 1) + 1; }

  void string() {
    const char quote = text_[at_];
    const std::string three(3, quote);
    const bool lines = text_.substr(at_, 3) == three;
    at_ += lines ? 3 : 1;
    while (at_ < text_.size()) {
      if (quote == '"' && text_[at_] == '\\') {
        at_ += 2;
      } else if (lines ? text_.substr(at_, 3) == three : text_[at_] == quote) {
        at_ += lines ? 3 : 1;
        while (lines && at_ < text_.size() && text_[at_] == quote) ++at_;  // up to two may stand inside
        return;
      } else {
        ++at_;
      }
    }
  }

  /// Behind the next `c` that is in no string.
  void past(char c) {
    while (at_ < text_.size() && text_[at_] != c) {
      if (text_[at_] == '"' || text_[at_] == '\'')
        string();
      else
        ++at_;
    }
    at_ = std::min(at_ + 1, text_.size());
  }

  void value() {
    std::size_t end = at_;
    for (int depth = 0; at_ < text_.size();) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        string();
        end = at_;
        continue;
      }
      if (depth == 0 && (c == '\n' || c == '#')) break;
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        continue;
      }
      if (c == '[' || c == '{') ++depth;
      if (c == ']' || c == '}') --depth;
      ++at_;
      if (c != ' ' && c != '\t' && c != '\r' && c != '\n') end = at_;
    }
    at_ = end;
  }

  /// The keys of "[a.'b']" or "a.b = 0", decoded by the library.
  static KeyPath keys_of(const std::string& statement) {
    KeyPath keys;
    const toml::parse_result parsed = toml::parse(statement);
    if (!parsed) return keys;
    for (const toml::node* at = &parsed.table(); at != nullptr;) {
      if (const auto* list = at->as_array()) at = list->empty() ? nullptr : list->get(0);
      const toml::table* table = at == nullptr ? nullptr : at->as_table();
      if (table == nullptr || table->empty()) break;
      keys.emplace_back(table->begin()->first.str());
      at = &table->begin()->second;
    }
    return keys;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool belongs(const Statement& s, const KeyPath& path) {
  return s.path.size() >= path.size() && std::equal(path.begin(), path.end(), s.path.begin());
}

std::string eol_of(const std::string& text) {
  const std::size_t end = text.find('\n');
  return end != std::string::npos && end > 0 && text[end - 1] == '\r' ? "\r\n" : "\n";
}

/// A key as TOML spells it, bare where it may be.
std::string spelled(const std::string& key) {
  const bool bare = !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return bare ? key : dump(key);
}

/// A value on one line. JSON's strings and numbers are TOML's too, its objects are not.
std::string spelled_value(const json& value) {
  if (!value.is_structured()) return dump(value);
  std::string out;
  for (const auto& [key, item] : value.items())
    out += (out.empty() ? "" : ", ") + (value.is_object() ? spelled(key) + " = " : "") + spelled_value(item);
  return value.is_object() ? "{" + out + "}" : "[" + out + "]";
}

}  // namespace

Result<json> read_toml(std::string_view text, const std::string& subject) {
  const toml::parse_result parsed = toml::parse(text);
  if (parsed) return to_json_value(parsed.table(), 0);
  const auto& at = parsed.error().source().begin;
  return fail({.code = Code::corrupt,
               .what = vastgpu::text(subject, " cannot be read: ", std::string(parsed.error().description()),
                                     " at line ", at.line, ", column ", at.column),
               .next_step = "correct it there; nothing was changed"});
}

std::string put_toml_entry(const std::string& text, const KeyPath& path, const json& entry, bool whole) {
  const std::string eol = eol_of(text);
  const auto statements = Scanner(text).all();
  const bool there = std::ranges::any_of(statements, [&](const Statement& s) { return belongs(s, path); });
  if (!there) {
    std::vector<std::string> keys;
    for (const std::string& key : path) keys.push_back(spelled(key));
    std::string section = "[" + join(keys, ".") + "]" + eol;
    for (const auto& [key, value] : entry.items())
      section += spelled(key) + " = " + spelled_value(value) + eol;
    if (text.empty()) return section;
    return text + (text.ends_with('\n') ? "" : eol) + eol + section;
  }
  if (whole) return put_toml_entry(take_toml_entry(text, path), path, entry, false);
  std::string out = text;
  std::string missing;
  for (const auto& [key, value] : entry.items()) {
    KeyPath field = path;
    field.push_back(key);
    // From the last to the first, so that the places of the others still hold.
    const auto now = Scanner(out).all();
    const auto found = std::ranges::find_if(now, [&](const Statement& s) { return s.path == field; });
    if (found == now.end())
      missing += spelled(key) + " = " + spelled_value(value) + eol;
    else if (const auto read = read_toml(
                 "v = " + out.substr(found->value_begin, found->value_end - found->value_begin), "");
             !read || (*read)["v"] != value)
      out = out.substr(0, found->value_begin) + spelled_value(value) + out.substr(found->value_end);
  }
  if (missing.empty()) return out;
  const auto now = Scanner(out).all();
  const auto header =
      std::ranges::find_if(now, [&](const Statement& s) { return s.header && s.path == path; });
  if (header == now.end()) return put_toml_entry(out, path, entry, true);
  if (!out.substr(0, header->end).ends_with('\n')) missing = eol + missing;
  return out.insert(header->end, missing);
}

std::string take_toml_entry(const std::string& text, const KeyPath& path) {
  std::string out;
  std::size_t from = 0;
  const auto statements = Scanner(text).all();
  bool own_table = false;  // the lines being taken began with a header
  for (std::size_t i = 0; i < statements.size(); ++i) {
    const Statement& s = statements[i];
    if (!belongs(s, path)) continue;
    if (s.begin > from || from == 0) own_table = s.header;
    out += text.substr(from, s.begin - from);
    from = s.end;
    const bool more =
        i + 1 < statements.size() && statements[i + 1].begin == from && belongs(statements[i + 1], path);
    // The empty line that set the table apart goes with it, when what follows is set apart too.
    const bool apart = from >= text.size() || text[from] == '\n' || text[from] == '\r';
    if (more || !own_table || !apart) continue;
    if (out.ends_with("\r\n\r\n"))
      out.resize(out.size() - 2);
    else if (out.ends_with("\n\n"))
      out.pop_back();
  }
  return out + text.substr(from);
}

}  // namespace vastgpu
