#pragma once
// Public datasets whose size is known. Constant; any thread.

#include <optional>
#include <string_view>

namespace vastgpu {

struct KnownDataset {
  std::string_view name;
  double disk_gb;      ///< raw and unpacked together, as both exist for a while
  double samples = 0;  ///< of its training part, as published; 0 where that depends on how it is cut
};

/// The largest known dataset named in a text that went through `plain`.
std::optional<KnownDataset> find_dataset(std::string_view plain_text);

}  // namespace vastgpu
