#include "analysis/launch_words.h"

#include <algorithm>
#include <map>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxCommands = 500;
constexpr std::size_t kMaxWords = 400;
constexpr std::size_t kMaxWord = 2'000;

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

class ShellReader {
 public:
  explicit ShellReader(std::string_view text) : s_(text) {}

  std::vector<ShellCommand> read() && {
    while (at_ < s_.size() && out_.size() < kMaxCommands) step();
    end_command();
    return std::move(out_);
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < s_.size() ? s_[at_ + ahead] : '\0'; }
  void advance(std::size_t n = 1) {
    for (; n > 0 && at_ < s_.size(); --n)
      if (s_[at_++] == '\n') ++line_;
  }

  void step() {
    const char c = peek();
    if (c == '\\' && (peek(1) == '\n' || (peek(1) == '\r' && peek(2) == '\n'))) {
      advance(peek(1) == '\n' ? 2 : 3);
    } else if (is_blank(c)) {
      advance();
    } else if (c == '\n') {
      end_command();
      advance();
      skip_heredoc();
    } else if (c == '#') {
      advance(std::min(s_.find('\n', at_), s_.size()) - at_);
    } else if (c == ';' || c == '&' || c == '|' || c == '(' || c == ')') {
      if (c == '&' && peek(1) == '>') return advance();  // "&> log"
      end_command();
      advance();
    } else if (c == '<' || c == '>') {
      redirect();
    } else {
      word();
    }
  }

  void redirect() {
    const bool here = peek() == '<' && peek(1) == '<' && peek(2) != '<';
    while (peek() == '<' || peek() == '>' || peek() == '&' || peek() == '-') advance();
    while (is_blank(peek())) advance();
    ShellWord target = take_word();
    if (here) heredoc_ = target.text;
  }

  void skip_heredoc() {
    if (heredoc_.empty()) return;
    while (at_ < s_.size()) {
      const std::size_t end = std::min(s_.find('\n', at_), s_.size());
      const std::string_view l = trim(s_.substr(at_, end - at_));
      advance(end - at_ + 1);
      if (l == heredoc_) break;
    }
    heredoc_.clear();
  }

  void word() {
    if (words_.empty()) command_line_ = line_;
    // A bare number right before a redirection belongs to it.
    if (std::isdigit(static_cast<unsigned char>(peek())) && (peek(1) == '>' || peek(1) == '<')) {
      advance();
      return redirect();
    }
    if (words_.empty() && take_array()) return;
    splitting_.clear();
    ShellWord w = take_word();
    for (ShellWord& more : splitting_)
      if (words_.size() < kMaxWords) words_.push_back(std::move(more));
    if ((!w.text.empty() || was_quoted_ || !w.known) && words_.size() < kMaxWords)
      words_.push_back(std::move(w));
  }

  /// `OPTIONS=(--a 1 --b 2)`
  bool take_array() {
    std::size_t i = at_;
    while (i < s_.size() && is_name_char(s_[i])) ++i;
    if (i == at_) return false;
    const std::string name(s_.substr(at_, i - at_));
    if (i < s_.size() && s_[i] == '+') ++i;
    const bool appends = i > at_ && s_[i - 1] == '+';
    if (s_.substr(i, 2) != "=(") return false;
    advance(i + 2 - at_);
    std::vector<ShellWord> items;
    while (at_ < s_.size() && peek() != ')' && items.size() < kMaxWords) {
      if (is_blank(peek()) || peek() == '\n' || peek() == '\\')
        advance();
      else if (peek() == '#')
        advance(std::min(s_.find('\n', at_), s_.size()) - at_);
      else
        take_item(items);
    }
    advance();
    auto& into = arrays_[name];
    if (!appends) into.clear();
    into.insert(into.end(), items.begin(), items.end());
    return true;
  }

  void take_item(std::vector<ShellWord>& items) {
    const std::size_t before = at_;
    splitting_.clear();
    ShellWord item = take_word();
    items.insert(items.end(), splitting_.begin(), splitting_.end());
    if (!item.text.empty() || !item.known) items.push_back(std::move(item));
    if (at_ == before) advance();  // an operator has no place here
  }

  ShellWord take_word() {
    ShellWord w;
    was_quoted_ = false;
    while (at_ < s_.size()) {
      const char c = peek();
      if (is_blank(c) || c == '\n' || c == ';' || c == '&' || c == '|' || c == '<' || c == '>' || c == '(' ||
          c == ')')
        break;
      if (c == '\\') {
        if (peek(1) == '\n') {
          advance(2);
          continue;
        }
        add(w, peek(1));
        advance(2);
      } else if (c == '\'') {
        was_quoted_ = true;
        advance();
        while (at_ < s_.size() && peek() != '\'') {
          add(w, peek());
          advance();
        }
        advance();
      } else if (c == '"') {
        was_quoted_ = true;
        advance();
        while (at_ < s_.size() && peek() != '"') {
          if (peek() == '\\' && peek(1) != '\0') {
            if (peek(1) != '\n') add(w, peek(1));
            advance(2);
          } else if (peek() == '$' || peek() == '`') {
            expand(w, true);
          } else {
            add(w, peek());
            advance();
          }
        }
        advance();
      } else if (c == '$' || c == '`') {
        expand(w, false);
      } else {
        add(w, c);
        advance();
      }
    }
    return w;
  }

  static void add(ShellWord& w, char c) {
    if (w.text.size() < kMaxWord && c != '\0') w.text += c;
  }

  void expand(ShellWord& w, bool quoted) {
    if (peek() == '`' || (peek() == '$' && peek(1) == '(')) {
      skip_substitution();
      w.known = false;
      return;
    }
    advance();  // $
    std::string name, fallback;
    bool has_fallback = false;
    if (peek() == '{') {
      advance();
      while (is_name_char(peek())) {
        name += peek();
        advance();
      }
      std::string rest;
      for (int depth = 1; at_ < s_.size(); advance()) {
        if (peek() == '{') ++depth;
        if (peek() == '}' && --depth == 0) break;
        if (rest.size() < kMaxWord) rest += peek();
      }
      advance();
      if (rest == "[@]" || rest == "[*]") return put_array(name);
      const std::string_view r = rest;
      for (const std::string_view mark : {":-", ":=", "-", "="})
        if (!has_fallback && r.starts_with(mark)) {
          fallback = std::string(r.substr(mark.size()));
          has_fallback = true;
        }
      if (!has_fallback && !rest.empty()) {  // ${x##*/} and the like
        w.known = false;
        return;
      }
    } else {
      while (is_name_char(peek())) {
        name += peek();
        advance();
      }
      if (name.empty()) {  // $1 is a name character; $@ and $? are not
        if (peek() != '\0' && peek() != '"' && !is_blank(peek()) && peek() != '\n') advance();
        w.known = false;
        return;
      }
    }
    const auto known = variables_.find(name);
    ShellWord value;
    if (known != variables_.end() && !(has_fallback && known->second.text.empty())) {
      value = known->second;
    } else if (has_fallback) {
      if (fallback.size() >= 2 && (fallback.front() == '"' || fallback.front() == '\''))
        fallback = fallback.substr(1, fallback.size() - 2);
      if (fallback.starts_with('$')) {
        const auto inner = variables_.find(std::string(trim(std::string_view(fallback).substr(1))));
        value = inner != variables_.end() ? inner->second : ShellWord{"", false, true};
      } else {
        value.text = fallback;
      }
    } else {
      value.known = false;
    }
    w.known = w.known && value.known;
    w.by_default = w.by_default || value.known;
    if (quoted || value.text.find(' ') == value.text.npos) {
      for (const char c : value.text) add(w, c);
      return;
    }
    // Unquoted, a value with blanks becomes several words.
    for (const char c : value.text) {
      if (c == ' ' || c == '\t' || c == '\n') {
        if (!w.text.empty() && splitting_.size() < kMaxWords) splitting_.push_back(w);
        w.text.clear();
      } else {
        add(w, c);
      }
    }
  }

  void put_array(const std::string& name) {
    const auto known = arrays_.find(name);
    if (known == arrays_.end()) return;
    for (const ShellWord& item : known->second)
      if (splitting_.size() < kMaxWords) splitting_.push_back(item);
    was_quoted_ = false;
  }

  void skip_substitution() {
    if (peek() == '`') {
      advance();
      while (at_ < s_.size() && peek() != '`') advance();
      return advance();
    }
    advance(2);
    for (int depth = 1; at_ < s_.size(); advance()) {
      if (peek() == '(') ++depth;
      if (peek() == ')' && --depth == 0) break;
    }
    advance();
  }

  static bool is_assignment(const ShellWord& w) {
    const std::size_t eq = w.text.find('=');
    return eq != w.text.npos && eq > 0 && !std::isdigit(static_cast<unsigned char>(w.text[0])) &&
           std::all_of(w.text.begin(), w.text.begin() + static_cast<std::ptrdiff_t>(eq), is_name_char);
  }

  /// Words that belong to the shell; "for x in a b" sets x. True when nothing is left to run.
  bool take_keywords() {
    for (;;) {
      if (words_.empty()) return true;
      const std::string& first = words_[0].text;
      if (first == "for" && words_.size() >= 3 && words_[2].text == "in") {
        const auto values = loop_words();
        variables_[words_[1].text] =
            values.empty() ? ShellWord{"", false, true} : ShellWord{values[0].text, values[0].known, true};
        loops_.push_back(static_cast<int>(std::max<std::size_t>(1, values.size())));
        return true;
      }
      if (first == "while" || first == "until") loops_.push_back(1);
      if (first == "done") {
        if (!loops_.empty()) loops_.pop_back();
        return true;
      }
      if (first == "do" || first == "then" || first == "else" || first == "if" || first == "elif" ||
          first == "{" || first == "!" || first == "while" || first == "until" || first == "time") {
        words_.erase(words_.begin());
        continue;
      }
      return first == "fi" || first == "}" || first == "case" || first == "esac" || first == "[" ||
             first == "[[" || first == "for" || first == "function" || first == "echo" || first == "printf";
    }
  }

  /// Of "for x in 0 1 2" and "{0..4}".
  std::vector<ShellWord> loop_words() const {
    std::vector<ShellWord> values(words_.begin() + 3, words_.end());
    if (values.size() == 1) {
      int from = 0, to = 0;
      if (std::sscanf(values[0].text.c_str(), "{%d..%d}", &from, &to) == 2 && to >= from &&
          to - from < 1'000) {
        values.clear();
        for (int i = from; i <= to; ++i) values.push_back({std::to_string(i), true, true});
      } else if (values[0].text.starts_with('{') && values[0].text.ends_with('}')) {
        const std::string inner = values[0].text.substr(1, values[0].text.size() - 2);
        values.clear();
        for (const std::string& part : split(inner, ',')) values.push_back({part, true, true});
      }
    }
    return values;
  }

  void end_command() {
    if (words_.empty()) return;
    if (!take_keywords()) {
      if (words_[0].text == "export" || words_[0].text == "set" || words_[0].text == "local" ||
          words_[0].text == "declare" || words_[0].text == "readonly") {
        const bool exports = words_[0].text == "export";
        for (std::size_t i = 1; i < words_.size(); ++i)
          if (is_assignment(words_[i])) assign(words_[i], exports);
      } else {
        ShellCommand c;
        c.environment = exported_;
        c.line = command_line_;
        std::size_t i = 0;
        for (; i < words_.size() && is_assignment(words_[i]); ++i) {
          const std::size_t eq = words_[i].text.find('=');
          ShellWord value = words_[i];
          value.text.erase(0, eq + 1);
          c.environment.emplace_back(words_[i].text.substr(0, eq), std::move(value));
        }
        if (i == words_.size()) {
          for (const ShellWord& w : words_) assign(w, false);
        } else {
          c.words.assign(words_.begin() + static_cast<std::ptrdiff_t>(i), words_.end());
          for (const int n : loops_) c.repeats = std::min(10'000, c.repeats * n);
          out_.push_back(std::move(c));
        }
      }
    }
    words_.clear();
  }

  void assign(const ShellWord& w, bool exports) {
    const std::size_t eq = w.text.find('=');
    const std::string name = w.text.substr(0, eq);
    ShellWord value = w;
    value.text.erase(0, eq + 1);
    if (exports && exported_.size() < 50) exported_.emplace_back(name, value);
    if (variables_.size() < 500) variables_[name] = std::move(value);
  }

  std::string_view s_;
  std::size_t at_ = 0;
  int line_ = 1;
  int command_line_ = 1;
  bool was_quoted_ = false;
  std::string heredoc_;
  std::vector<ShellWord> words_, splitting_;
  std::map<std::string, ShellWord> variables_;
  std::map<std::string, std::vector<ShellWord>> arrays_;
  std::vector<std::pair<std::string, ShellWord>> exported_;
  std::vector<int> loops_;
  std::vector<ShellCommand> out_;
};

}  // namespace

std::vector<ShellCommand> shell_commands(std::string_view text) { return ShellReader(text).read(); }

std::string shell_of_makefile(std::string_view text, std::string_view target) {
  std::string out;
  bool wanted = target.empty();
  for (const std::string& raw : split(text, '\n')) {
    std::string line;
    if (raw.starts_with('\t')) {
      std::string_view recipe = trim(raw);
      while (!recipe.empty() && (recipe[0] == '@' || recipe[0] == '-' || recipe[0] == '+'))
        recipe.remove_prefix(1);
      if (wanted) line = recipe;
    } else if (const std::size_t eq = raw.find('='); eq != raw.npos && raw.find('#') > eq) {
      std::size_t end = eq;
      while (end > 0 && (raw[end - 1] == ':' || raw[end - 1] == '?' || raw[end - 1] == ' ')) --end;
      const std::string_view name = trim(std::string_view(raw).substr(0, end));
      if (!name.empty() && std::ranges::all_of(name, is_name_char))
        line = std::string(name) + "=\"" + std::string(trim(std::string_view(raw).substr(eq + 1))) + "\"";
    } else if (const std::size_t colon = raw.find(':'); colon != raw.npos && !raw.starts_with('#')) {
      const auto names = split(raw.substr(0, colon), ' ');
      wanted = target.empty() || std::ranges::find(names, target) != names.end();
    }
    // $(NAME) is a variable here, $$ a dollar for the shell.
    std::string shell;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] != '$' || i + 1 >= line.size()) {
        shell += line[i];
      } else if (line[i + 1] == '$') {
        shell += '$';
        ++i;
      } else if (line[i + 1] == '(') {
        const std::size_t close = line.find(')', i);
        const std::string name = close == line.npos ? "" : line.substr(i + 2, close - i - 2);
        shell += "${" + (std::ranges::all_of(name, is_name_char) ? name : std::string("_")) + "}";
        i = close == line.npos ? line.size() : close;
      } else {
        shell += line[i];
      }
    }
    out += shell + "\n";
  }
  return out;
}

}  // namespace vastgpu
