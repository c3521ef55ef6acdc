#include "analysis/python_module.h"

#include <algorithm>

#include "analysis/python_expression.h"
#include "analysis/python_tree.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr int kMaxDepth = 250;     // of the tree: people stay below forty
constexpr int kMaxBrackets = 200;  // CPython itself refuses more
constexpr std::size_t kMaxCalls = 20'000;
constexpr std::size_t kMaxBindings = 20'000;
constexpr std::size_t kMaxMentions = 5'000;  // of one scope
constexpr std::size_t kMaxComments = 500;

/// How deep brackets nest, strings and comments left out.
int bracket_depth(std::string_view s) {
  int depth = 0, deepest = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const char c = s[i];
    if (c == '#') {
      i = std::min(s.find('\n', i), s.size());
    } else if (c == '"' || c == '\'') {
      const std::string triple(3, c);
      if (s.substr(i, 3) == triple) {
        for (i += 3; i < s.size() && s.substr(i, 3) != triple; ++i)
          if (s[i] == '\\') ++i;
        i += 2;
      } else {
        for (++i; i < s.size() && s[i] != c && s[i] != '\n'; ++i)
          if (s[i] == '\\') ++i;
      }
    } else if (c == '(' || c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ')' || c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

bool speaks_of_memory(std::string_view comment) {
  if (comment.find_first_of("0123456789") == comment.npos) return false;
  const std::string lower = to_lower(comment.substr(0, 300));
  for (const std::string_view word : {"gib", "gb", "mib", "peak", "vram"})
    if (lower.find(word) != lower.npos) return true;
  return false;
}

class Reader {
 public:
  Reader(const PyTree& tree, PyModule& out) : tree_(tree), out_(out) { out_.scopes.emplace_back(); }

  void read(TSNode node, int depth = 0) {
    if (depth > kMaxDepth) return;
    const auto type = PyTree::type(node);
    if (type == "comment") return take_comment(node);
    if (type == "string" || type == "concatenated_string") return take_text(node, depth);
    if (type == "identifier") return mention(tree_.text(node));
    if (type == "import_statement" || type == "import_from_statement") return take_import(node);
    if (type == "class_definition" || type == "function_definition") return take_definition(node, depth);
    if (type == "decorated_definition") {
      decorated_ = true;
    } else if (type == "expression_statement" && is_docstring(node)) {
      return;
    } else if (type == "if_statement") {
      return take_if(node, depth);
    } else if (type == "while_statement" && truth(PyTree::field(node, "condition")) == false) {
      return;
    } else if (type == "assignment") {
      take_assignment(node);
    } else if (type == "augmented_assignment") {
      bind(dotted_name(tree_, PyTree::field(node, "left")), {}, PyTree::line(node));
    } else if (type == "call") {
      take_call(node);
    }
    const bool branches = type == "for_statement" || type == "while_statement" || type == "try_statement" ||
                          type == "match_statement";
    in_branch_ += branches;
    each_child(node, [&](TSNode n) { read(n, depth + 1); });
    in_branch_ -= branches;
  }

 private:
  void mention(std::string_view word) {
    auto& mentions = out_.scopes[static_cast<std::size_t>(scope_)].mentions;
    if (word.size() <= 80 && mentions.size() < kMaxMentions && !mentions.contains(word))
      mentions.emplace(word);
  }

  void take_comment(TSNode node) {
    const std::string_view s = tree_.text(node);
    if (out_.comments.size() < kMaxComments && speaks_of_memory(s))
      out_.comments.push_back({std::string(s.substr(0, 300)), PyTree::line(node)});
  }

  /// A text may name a function: `getattr(models, "vit_small")`.
  void take_text(TSNode node, int depth) {
    if (const auto s = text_of(tree_, node); s && s->size() <= 60 && !s->empty()) mention(*s);
    each_child(node, [&](TSNode n) {
      if (PyTree::type(n) == "interpolation") each_child(n, [&](TSNode inner) { read(inner, depth + 2); });
    });
  }

  bool is_docstring(TSNode statement) const {
    if (ts_node_named_child_count(statement) != 1) return false;
    const auto type = PyTree::type(ts_node_named_child(statement, 0));
    return type == "string" || type == "concatenated_string";
  }

  /// What a condition is worth, where it is a constant.
  std::optional<bool> truth(TSNode condition) const {
    if (ts_node_is_null(condition)) return std::nullopt;
    const auto type = PyTree::type(condition);
    if (type == "not_operator") {
      const auto inner = truth(PyTree::field(condition, "argument"));
      return inner ? std::optional(!*inner) : std::nullopt;
    }
    const PyExpr e = expression_of(tree_, condition);
    if (e.is(PyExpr::Kind::boolean) || e.is(PyExpr::Kind::number)) return e.number != 0;
    if (e.is(PyExpr::Kind::none)) return false;
    return std::nullopt;
  }

  PyExpr condition_of(TSNode test, bool negated) const {
    if (test.tree == nullptr) return {};
    PyExpr e = expression_of(tree_, test);
    if (!negated || e.is(PyExpr::Kind::unknown)) return e;
    return {PyExpr::Kind::call, 0, "not", {std::move(e)}, {""}, PyTree::line(test)};
  }

  void take_if(TSNode node, int depth) {
    const int branch = ++branches_;
    int arm = 0;
    bool decided = false;
    const auto take = [&](TSNode body, std::optional<bool> runs, TSNode test, bool negated) {
      if (!decided && runs != false && !ts_node_is_null(body)) {
        const bool sure = runs == true && arm == 0;
        if (!sure) {
          arms_.push_back({branch, arm});
          ++in_branch_;
          conditions_.push_back(condition_of(test, negated));
        }
        read(body, depth + 1);
        if (!sure) {
          arms_.pop_back();
          conditions_.pop_back();
          --in_branch_;
        }
        ++arm;
      }
      decided = decided || runs == true;
    };
    const TSNode condition = PyTree::field(node, "condition");
    if (const std::string_view s = tree_.text(condition);
        s.find("__name__") != s.npos && s.find("__main__") != s.npos) {
      out_.has_main = true;
      if (const TSNode body = PyTree::field(node, "consequence"); !ts_node_is_null(body))
        read(body, depth + 1);
      return;
    }
    read(condition, depth + 1);
    take(PyTree::field(node, "consequence"), truth(condition), condition, false);
    bool only_else = true;
    each_child(node, [&](TSNode n) {
      const auto type = PyTree::type(n);
      if (type == "elif_clause") {
        const TSNode test = PyTree::field(n, "condition");
        if (!decided) read(test, depth + 1);
        take(PyTree::field(n, "consequence"), truth(test), test, false);
        only_else = false;
      } else if (type == "else_clause") {
        take(PyTree::field(n, "body"), std::nullopt, only_else ? condition : TSNode{}, true);
      }
    });
  }

  void take_import(TSNode node) {
    if (out_.imports.size() >= 500) return;
    const TSNode from = PyTree::field(node, "module_name");
    PyImport import;
    if (!ts_node_is_null(from)) import.module = std::string(tree_.text(from).substr(0, 200));
    const uint32_t count = std::min<uint32_t>(ts_node_named_child_count(node), 60);
    for (uint32_t i = 0; i < count; ++i) {
      TSNode n = ts_node_named_child(node, i);
      if (!ts_node_is_null(from) && ts_node_eq(n, from)) continue;
      if (PyTree::type(n) == "aliased_import") {
        mention(tree_.text(PyTree::field(n, "alias")));
        n = PyTree::field(n, "name");
      }
      if (PyTree::type(n) != "dotted_name") continue;
      const std::string_view name = tree_.text(n).substr(0, 200);
      if (ts_node_is_null(from))
        out_.imports.push_back({std::string(name), {}});
      else
        import.names.emplace_back(name);
    }
    if (!import.module.empty()) out_.imports.push_back(std::move(import));
  }

  void take_definition(TSNode node, int depth) {
    PyScope scope;
    scope.name = std::string(tree_.text(PyTree::field(node, "name")).substr(0, 100));
    scope.parent = scope_;
    scope.is_class = PyTree::type(node) == "class_definition";
    scope.decorated = std::exchange(decorated_, false);
    const int outer = std::exchange(scope_, static_cast<int>(out_.scopes.size()));
    const int outer_branch = std::exchange(in_branch_, 0);
    const auto outer_arms = std::exchange(arms_, {});
    const auto outer_conditions = std::exchange(conditions_, {});
    out_.scopes.push_back(std::move(scope));
    if (const TSNode bases = PyTree::field(node, "superclasses"); !ts_node_is_null(bases))
      each_child(bases, [&](TSNode n) { read(n, depth + 1); });
    if (const TSNode list = PyTree::field(node, "parameters"); !ts_node_is_null(list))
      each_child(list, [&](TSNode n) {
        const auto type = PyTree::type(n);
        if (type != "default_parameter" && type != "typed_default_parameter") return;
        const TSNode value = PyTree::field(n, "value");
        bind(std::string(tree_.text(PyTree::field(n, "name")).substr(0, 100)), expression_of(tree_, value),
             PyTree::line(n), PyBinding::Kind::parameter);
        read(value, depth + 1);
      });
    if (const TSNode body = PyTree::field(node, "body"); !ts_node_is_null(body)) read(body, depth + 1);
    scope_ = outer;
    in_branch_ = outer_branch;
    arms_ = outer_arms;
    conditions_ = outer_conditions;
  }

  void bind(std::string name, PyExpr value, int line, PyBinding::Kind kind = PyBinding::Kind::assignment) {
    if (name.empty() || out_.bindings.size() >= kMaxBindings) return;
    const PyScope& here = out_.scopes[static_cast<std::size_t>(scope_)];
    if (kind == PyBinding::Kind::assignment && here.is_class && name.find('.') == name.npos) {
      kind = PyBinding::Kind::field;
      name = here.name + "." + name;
    }
    // The entries of a dictionary are reached by their keys.
    const bool is_dict =
        value.is(PyExpr::Kind::dict) || (value.is(PyExpr::Kind::call) && value.text == "dict");
    if (is_dict && std::ranges::count(name, '.') < 4)
      for (std::size_t i = 0; i < value.parts.size(); ++i)
        if (!value.keys[i].empty() && value.keys[i] != "**")
          bind(name + "." + value.keys[i], value.parts[i], value.parts[i].line, PyBinding::Kind::assignment);
    out_.bindings.push_back({std::move(name), std::move(value), line, scope_, kind, in_branch_ > 0});
  }

  void take_assignment(TSNode node) {
    const TSNode left = PyTree::field(node, "left");
    TSNode right = PyTree::field(node, "right");
    if (ts_node_is_null(left) || ts_node_is_null(right)) return;
    for (int i = 0; i < 8 && PyTree::type(right) == "assignment"; ++i) right = PyTree::field(right, "right");
    if (ts_node_is_null(right)) return;
    PyExpr value = expression_of(tree_, right);
    const int line = PyTree::line(node);
    const auto type = PyTree::type(left);
    if (type == "pattern_list" || type == "tuple_pattern") {
      std::size_t i = 0;
      each_child(left, [&](TSNode n) {
        const bool paired = value.is(PyExpr::Kind::list) && i < value.parts.size();
        bind(dotted_name(tree_, n), paired ? value.parts[i] : PyExpr{}, line);
        ++i;
      });
      return;
    }
    std::string name = dotted_name(tree_, left);
    if (PyTree::type(right) == "call") assigned_[ts_node_start_byte(right)] = name;
    bind(std::move(name), std::move(value), line);
  }

  void take_call(TSNode node) {
    if (out_.calls.size() >= kMaxCalls) return;
    PyCall c{expression_of(tree_, node), scope_, {}, arms_, conditions_};
    if (c.call.text.empty()) return;
    if (const auto found = assigned_.find(ts_node_start_byte(node)); found != assigned_.end())
      c.assigned_to = found->second;
    out_.calls.push_back(std::move(c));
  }

  const PyTree& tree_;
  PyModule& out_;
  int scope_ = 0;
  int branches_ = 0;
  int in_branch_ = 0;
  bool decorated_ = false;
  std::vector<PyArm> arms_;
  std::vector<PyExpr> conditions_;
  std::map<uint32_t, std::string> assigned_;  ///< where a call begins -> what its result is called
};

}  // namespace

const PyExpr* PyExpr::argument(std::string_view keyword) const {
  for (std::size_t i = 0; i < keys.size() && i < parts.size(); ++i)
    if (keys[i] == keyword) return &parts[i];
  return nullptr;
}

const PyExpr* PyExpr::positional(std::size_t n) const {
  for (std::size_t i = 0; i < keys.size() && i < parts.size(); ++i)
    if (keys[i].empty() && n-- == 0) return &parts[i];
  return nullptr;
}

std::string_view PyExpr::last_name() const {
  const std::size_t dot = text.rfind('.');
  return std::string_view(text).substr(dot == std::string::npos ? 0 : dot + 1);
}

std::optional<PyModule> parse_python(std::string_view text, std::string path, std::string& why_not) {
  if (bracket_depth(text) > kMaxBrackets) {
    why_not = "its brackets nest deeper than Python allows";
    return std::nullopt;
  }
  const PyTree tree(text);
  if (!tree) {
    why_not = "it cannot be parsed";
    return std::nullopt;
  }
  PyModule module;
  module.path = std::move(path);
  Reader(tree, module).read(tree.root());
  return module;
}

}  // namespace vastgpu
