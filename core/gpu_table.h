#pragma once
// What is known about GPU models: memory, architecture, measured speed. Constant; any thread.

#include <span>
#include <string_view>

namespace vastgpu {

/// One model. Speed is measured fp16 training throughput with an RTX 3090 as 1.0, interpolated within the
/// family where nobody measured it.
/// @source vendor data sheets (dense fp16 tensor rate with fp32 accumulation); lambdal/deeplearning-benchmark
/// (speed)
struct GpuModel {
  std::string_view name;  ///< as the marketplace spells it
  double vram_gib;        ///< nominal, of one GPU
  std::string_view arch;  ///< "ampere", "ada", "hopper", "blackwell"...
  int compute_cap;        ///< 890 = 8.9; 0 for AMD
  double tflops_fp16;
  double mem_gb_per_s;
  double relative_speed;  ///< 0 when nobody knows
  double min_cuda;        ///< the first CUDA that runs on it; 0 for AMD
  bool bf16;
};

std::span<const GpuModel> all_gpu_models();

/// Compares without case, spaces, `_` and `-`; nullptr for a model that is not in the table.
const GpuModel* find_gpu(std::string_view name);

}  // namespace vastgpu
