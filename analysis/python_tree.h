#pragma once
// The syntax tree of a Python file, owned. A thin layer over tree-sitter. One thread at a time.

#include <tree_sitter/api.h>

#include <memory>
#include <string_view>

namespace vastgpu {

struct FreeTree {
  void operator()(TSTree* t) const noexcept { ts_tree_delete(t); }
};

class PyTree {
 public:
  /// `text` must outlive the tree.
  explicit PyTree(std::string_view text);

  /// False when the parser could not be used or gave up.
  explicit operator bool() const { return tree_ != nullptr; }
  TSNode root() const { return ts_tree_root_node(tree_.get()); }

  std::string_view text(TSNode n) const;
  /// Empty for a null node.
  static std::string_view type(TSNode n) { return ts_node_is_null(n) ? "" : ts_node_type(n); }
  static int line(TSNode n) { return static_cast<int>(ts_node_start_point(n).row) + 1; }
  /// A null node when there is no such field, or `n` is null: broken code has nodes without their parts.
  static TSNode field(TSNode n, std::string_view name) {
    if (ts_node_is_null(n)) return n;
    return ts_node_child_by_field_name(n, name.data(), static_cast<uint32_t>(name.size()));
  }

 private:
  std::string_view text_;
  std::unique_ptr<TSTree, FreeTree> tree_;
};

/// A place in a tree from which children are visited in time linear in their number.
class PyCursor {
 public:
  explicit PyCursor(TSNode at) : cursor_(ts_tree_cursor_new(at)) {}
  ~PyCursor() { ts_tree_cursor_delete(&cursor_); }
  PyCursor(const PyCursor&) = delete;
  PyCursor& operator=(const PyCursor&) = delete;

  TSNode node() const { return ts_tree_cursor_current_node(&cursor_); }
  bool first_child() { return ts_tree_cursor_goto_first_child(&cursor_); }
  bool next_sibling() { return ts_tree_cursor_goto_next_sibling(&cursor_); }

 private:
  TSTreeCursor cursor_;
};

/// Calls `visit` for every child that has a name in the grammar.
template <class Visit>
void each_child(TSNode parent, Visit&& visit) {
  if (ts_node_is_null(parent)) return;
  PyCursor at(parent);
  if (!at.first_child()) return;
  do {
    if (const TSNode n = at.node(); ts_node_is_named(n)) visit(n);
  } while (at.next_sibling());
}

}  // namespace vastgpu
