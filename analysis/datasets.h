#pragma once
// Public datasets whose size is known. Constant; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

struct KnownDataset {
  std::string_view name;
  double disk_gb;        ///< raw and unpacked together, as both exist for a while; 0 when it varies
  bool is_word = false;  ///< "race", "drive": counts only with capitals
};

struct DatasetMention {
  std::string name;  ///< as written: "CIFAR-100"
  const KnownDataset* known = nullptr;
  std::size_t at = 0;
};
/// Known datasets in a text of any case, in order of mention; at most 20.
std::vector<DatasetMention> find_datasets(std::string_view text);

/// The largest known dataset named in a text that went through `plain`.
std::optional<KnownDataset> find_dataset(std::string_view plain_text);

}  // namespace vastgpu
