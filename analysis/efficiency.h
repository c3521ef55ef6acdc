#pragma once
// What a kind of work usually reaches on a card: a share of its dense fp16 rate. Pure; any thread.
// @source estimation.md section 6: measured training tables of mosaicml/llm-foundry,
// NVIDIA/DeepLearningExamples, QwenLM/Qwen, litgpt, karpathy/llm.c

#include "analysis/workload.h"
#include "core/gpu_table.h"

namespace vastgpu {

struct Rate {
  double tflops = 0;  ///< what the share is of
  double share = 0;
  bool small_work = false;  ///< too little to keep a large card busy
  double flop_per_s() const { return tflops * share * 1e12; }
};
Rate usual_rate(const Workload& w, const GpuModel& card);

/// What talking between GPUs leaves of the speed: 1 for copies, less where weights are gathered.
double sharding_cost(const Workload& w);

/// No step is shorter than this, however fast the card: launching, loading, optimizer.
double least_step_seconds(const Workload& w);

}  // namespace vastgpu
