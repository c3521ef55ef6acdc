#pragma once
// All rows of a paged list. For VastMarket only.

#include <optional>
#include <vector>

#include "core/json.h"
#include "market/vast_market.h"

namespace vastgpu {

struct VastMarket::Pages {
  std::vector<json> rows;
  std::optional<std::int64_t> total;  ///< as the last page announced it
};

}  // namespace vastgpu
