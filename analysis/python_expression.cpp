#include "analysis/python_expression.h"

#include <charconv>
#include <cstdlib>

namespace vastgpu {
namespace {

using enum PyExpr::Kind;

constexpr int kMaxDepth = 12;
constexpr std::size_t kMaxParts = 80;
constexpr std::size_t kMaxText = 500;
constexpr int kMaxDots = 8;

/// "1_024", "0x10", "1e-4".
std::optional<double> number_of(std::string_view s) {
  std::string digits;
  for (const char c : s.substr(0, 60))
    if (c != '_') digits += c;
  if (digits.size() > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X')) {
    unsigned long long n = 0;
    const auto [end, bad] = std::from_chars(digits.data() + 2, digits.data() + digits.size(), n, 16);
    if (bad != std::errc{} || *end != '\0') return std::nullopt;
    return static_cast<double>(n);
  }
  char* end = nullptr;
  const double v = std::strtod(digits.c_str(), &end);
  if (end == digits.c_str() || *end != '\0') return std::nullopt;
  return v;
}

void take_arguments(const PyTree& tree, TSNode list, PyExpr& e, int depth) {
  each_child(list, [&](TSNode n) {
    const auto type = PyTree::type(n);
    if (type == "comment" || e.parts.size() >= kMaxParts) return;
    if (type == "keyword_argument") {
      e.keys.emplace_back(tree.text(PyTree::field(n, "name")));
      e.parts.push_back(expression_of(tree, PyTree::field(n, "value"), depth + 1));
    } else if (type == "dictionary_splat") {  // f(**{...}) and f(**config)
      e.keys.emplace_back("**");
      e.parts.push_back(ts_node_named_child_count(n) == 1
                            ? expression_of(tree, ts_node_named_child(n, 0), depth + 1)
                            : PyExpr{});
    } else {
      e.keys.emplace_back();
      e.parts.push_back(expression_of(tree, n, depth + 1));
    }
  });
}

void take_pairs(const PyTree& tree, TSNode dict, PyExpr& e, int depth) {
  each_child(dict, [&](TSNode n) {
    if (PyTree::type(n) != "pair" || e.parts.size() >= kMaxParts) return;
    const auto key = text_of(tree, PyTree::field(n, "key"));
    if (!key || key->size() > 80) return;
    e.keys.push_back(*key);
    e.parts.push_back(expression_of(tree, PyTree::field(n, "value"), depth + 1));
  });
}

PyExpr pair_of(const PyTree& tree, std::string op, TSNode left, TSNode right, int depth) {
  PyExpr e;
  e.kind = binary;
  e.text = std::move(op);
  e.parts.push_back(expression_of(tree, left, depth + 1));
  e.parts.push_back(expression_of(tree, right, depth + 1));
  return e;
}

}  // namespace

std::optional<std::string> text_of(const PyTree& tree, TSNode node) {
  if (ts_node_is_null(node)) return std::nullopt;
  const auto type = PyTree::type(node);
  std::string out;
  bool plain = type == "string" || type == "concatenated_string";
  if (!plain) return std::nullopt;
  each_child(node, [&](TSNode n) {
    const auto part = PyTree::type(n);
    if (part == "string_content") {
      out += tree.text(n).substr(0, kMaxText);
    } else if (part == "string") {
      if (const auto more = text_of(tree, n))
        out += *more;
      else
        plain = false;
    } else if (part == "interpolation") {
      plain = false;
    }
  });
  if (!plain || out.size() > kMaxText) return std::nullopt;
  return out;
}

std::string dotted_name(const PyTree& tree, TSNode node) {
  std::vector<std::string> parts;
  for (int dots = 0; dots < kMaxDots && !ts_node_is_null(node); ++dots) {
    const auto type = PyTree::type(node);
    if (type == "identifier") {
      parts.emplace_back(tree.text(node).substr(0, 100));
      break;
    }
    if (type == "attribute") {
      parts.emplace_back(tree.text(PyTree::field(node, "attribute")).substr(0, 100));
      node = PyTree::field(node, "object");
    } else if (type == "subscript") {
      if (const auto key = text_of(tree, PyTree::field(node, "subscript")); key && key->size() <= 80)
        parts.push_back(*key);
      else if (parts.empty())
        return {};
      node = PyTree::field(node, "value");
    } else if (type == "call") {
      if (parts.empty()) return {};
      node = PyTree::field(node, "function");
    } else if (type == "parenthesized_expression" && ts_node_named_child_count(node) == 1) {
      node = ts_node_named_child(node, 0);
    } else if (!parts.empty()) {
      break;  // "".join, (a or b).to: what is called still counts
    } else {
      return {};
    }
  }
  std::string name;
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) name += (name.empty() ? "" : ".") + *it;
  return name;
}

PyExpr expression_of(const PyTree& tree, TSNode node, int depth) {
  PyExpr e;
  if (ts_node_is_null(node)) return e;
  e.line = PyTree::line(node);
  if (depth > kMaxDepth) return e;
  const auto type = PyTree::type(node);
  const auto child = [&](std::string_view name) { return PyTree::field(node, name); };
  if (type == "integer" || type == "float") {
    if (const auto v = number_of(tree.text(node))) {
      e.kind = number;
      e.number = *v;
    }
  } else if (type == "string" || type == "concatenated_string") {
    if (auto s = text_of(tree, node)) {
      e.kind = text;
      e.text = std::move(*s);
    }
  } else if (type == "true" || type == "false") {
    e.kind = boolean;
    e.number = type == "true" ? 1 : 0;
  } else if (type == "none") {
    e.kind = none;
  } else if (type == "identifier" || type == "attribute" || type == "subscript") {
    e.text = dotted_name(tree, node);
    if (!e.text.empty()) e.kind = name;
  } else if (type == "call") {
    e.kind = call;
    e.text = dotted_name(tree, child("function"));
    const TSNode list = child("arguments");
    if (!ts_node_is_null(list) && PyTree::type(list) == "argument_list") take_arguments(tree, list, e, depth);
  } else if (type == "binary_operator") {
    const int line = e.line;
    e = pair_of(tree, std::string(tree.text(child("operator"))), child("left"), child("right"), depth);
    e.line = line;
  } else if (type == "not_operator") {
    e.kind = call;
    e.text = "not";
    e.keys.emplace_back();
    e.parts.push_back(expression_of(tree, child("argument"), depth + 1));
  } else if (type == "comparison_operator" && ts_node_named_child_count(node) == 2 &&
             ts_node_child_count(node) == 3) {
    const int line = e.line;
    e = pair_of(tree, std::string(tree.text(ts_node_child(node, 1))), ts_node_named_child(node, 0),
                ts_node_named_child(node, 1), depth);
    e.line = line;
  } else if (type == "unary_operator") {
    PyExpr inner = expression_of(tree, child("argument"), depth + 1);
    if (inner.kind == number && tree.text(child("operator")) == "-") {
      inner.number = -inner.number;
      return inner;
    }
  } else if (type == "boolean_operator") {
    e.kind = conditional;
    e.parts = {expression_of(tree, child("left"), depth + 1), PyExpr{},
               expression_of(tree, child("right"), depth + 1)};
  } else if (type == "conditional_expression" && ts_node_named_child_count(node) == 3) {
    e.kind = conditional;
    for (uint32_t i = 0; i < 3; ++i)
      e.parts.push_back(expression_of(tree, ts_node_named_child(node, i), depth + 1));
  } else if (type == "parenthesized_expression" && ts_node_named_child_count(node) == 1) {
    return expression_of(tree, ts_node_named_child(node, 0), depth + 1);
  } else if (type == "list" || type == "tuple" || type == "set" || type == "expression_list") {
    e.kind = list;
    each_child(node, [&](TSNode n) {
      if (PyTree::type(n) != "comment" && e.parts.size() < kMaxParts)
        e.parts.push_back(expression_of(tree, n, depth + 1));
    });
  } else if (type == "dictionary") {
    e.kind = dict;
    take_pairs(tree, node, e, depth);
  }
  return e;
}

}  // namespace vastgpu
