#pragma once
// Settings that the user's sentence states: "LoRA, micro batch 4, 512 tokens, 2 epochs on 8 GPUs", "批大小
// 8". Pure; any thread.

#include <string_view>
#include <vector>

#include "analysis/claim.h"

namespace vastgpu {

/// Every claim has `source` and `rank`. Looks at the first 4,000 bytes. Model, hours, cards and memory are
/// not looked for here: see `read_sentence`.
std::vector<Claim> sentence_claims(std::string_view task, const std::string& source, int rank);

}  // namespace vastgpu
