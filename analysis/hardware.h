#pragma once
// GPU models named in text: "4x A100 80GB", "two RTX 3090s", "8×A800-80GB". Pure; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

struct GpuMention {
  std::string name = {};          ///< marketplace spelling, of core/gpu_table
  std::string written = {};       ///< what the writer called it: "A800 80GB", "RTX 3090"
  std::optional<int> count = {};  ///< 1 to 64, when a number stands beside it
  double vram_gib = 0;            ///< of one GPU: as written beside the name, else nominal
  bool size_written = false;
  std::size_t at = 0;  ///< in the text given
  std::size_t end = 0;
};

/// In order; at most 20; "not on a V100" mentions none. `plain_text` went through `plain`. Short names such
/// as "L4" or "A10" count only where something beside them says that a GPU is meant.
std::vector<GpuMention> find_gpu_mentions(std::string_view plain_text);

/// "8x A800 (本项目可用 2 张)", "use 2 of them", "2 of 8 usable": how many of the named cards may be used.
std::optional<int> usable_gpus(std::string_view plain_text);

}  // namespace vastgpu
