#pragma once
// Lists in pages. A cursor says after which name a page begins, so that it outlives a restart. Pure; any
// thread.

#include <string>
#include <vector>

#include "server/rpc.h"

namespace vastgpu {

struct Page {
  std::size_t begin = 0, end = 0;
  std::string next = {};  ///< the cursor of the page behind this one; empty: it is the last

  bool is_all(std::size_t count) const { return begin == 0 && end == count; }
};

/// The page that `params` asks for. `list` tells cursors of different lists apart; `names` are unique. No
/// cursor, and an empty one, are the beginning.
/// An unreadable cursor, one of another list, or one whose name is gone is -32602.
tl::expected<Page, RpcError> page_of(const json& params, const std::string& list,
                                     const std::vector<std::string>& names, std::size_t size);

}  // namespace vastgpu
