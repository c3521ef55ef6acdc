#pragma once
// The model families known by name. Constant; any thread.

#include <span>
#include <string_view>

#include "analysis/model_rules.h"

namespace vastgpu {

struct NameFamily {
  std::string_view key;  ///< the name begins so, without spaces, `_`, `-`, `.`
  ModelKind kind;
  double params_b;  ///< 0: the size stands in the name, or is unknown
};

/// A longer key is tried before a shorter one.
std::span<const NameFamily> model_families();

}  // namespace vastgpu
