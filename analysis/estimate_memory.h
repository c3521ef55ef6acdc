#pragma once
// GPU memory of one run, from its settings. Formulas, no table of results. Pure; any thread.
// @source estimation.md sections 3 and 4; ZeRO (arXiv 1910.02054), activations (arXiv 2205.05198)

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/workload.h"
#include "core/units.h"

namespace vastgpu {

/// Peak per GPU. `safe` is what to rent for: the tier that holds it must not fail.
struct MemoryEstimate {
  Gibibytes low, likely, safe;
  std::vector<std::pair<std::string, double>> parts;  ///< "weights", 13.5 (10^9 bytes)
  std::string how;                   ///< "6.7 B parameters, lora, 16-bit, batch 2 x 512 tokens"
  std::vector<std::string> assumed;  ///< settings that nobody stated and that matter here
  std::string settles;  ///< the setting whose statement would narrow it most; empty when all are known
};

MemoryEstimate estimate_memory(const Workload& w);

/// Bytes of all weights and states that a checkpoint of this run holds, in GB; the adapter alone for LoRA.
Gigabytes checkpoint_size(const Workload& w);

}  // namespace vastgpu
