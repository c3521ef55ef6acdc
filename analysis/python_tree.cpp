#include "analysis/python_tree.h"

extern "C" const TSLanguage* tree_sitter_python(void);

namespace vastgpu {
namespace {
struct FreeParser {
  void operator()(TSParser* p) const noexcept { ts_parser_delete(p); }
};
}  // namespace

PyTree::PyTree(std::string_view text) : text_(text) {
  const std::unique_ptr<TSParser, FreeParser> parser(ts_parser_new());
  if (parser == nullptr || !ts_parser_set_language(parser.get(), tree_sitter_python())) return;
  tree_.reset(ts_parser_parse_string(parser.get(), nullptr, text.data(), static_cast<uint32_t>(text.size())));
}

std::string_view PyTree::text(TSNode n) const {
  if (ts_node_is_null(n)) return {};
  const uint32_t from = ts_node_start_byte(n);
  const uint32_t to = ts_node_end_byte(n);
  return from <= to && to <= text_.size() ? text_.substr(from, to - from) : std::string_view{};
}

}  // namespace vastgpu
