#pragma once
// What the user said, in English or Chinese: "fine-tune LLaMA-7B with LoRA for about 2 hours on 4 GPUs",
// "需要 40 GB 显存，大约3小时". Only what is said; nothing is inferred here. Pure; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/hardware.h"
#include "analysis/model_rules.h"

namespace vastgpu {

struct SentenceFacts {
  std::optional<double> hours;      ///< wall clock; the upper end of a range
  std::optional<double> gpu_hours;  ///< when the user says GPU-hours
  std::optional<double> vram_gib;   ///< per GPU
  std::optional<int> gpus;
  std::optional<double> disk_gb;  ///< of the machine
  std::optional<double> dataset_gb;
  std::optional<std::string> dataset;
  std::optional<GpuMention> card;  ///< a card the user named
  std::vector<ModelMention> models;
  std::optional<double> params_b;  ///< a size that stands apart from the name: "a 350M GPT-2"
  Method method = Method::unknown;
  Precision precision = Precision::unknown;
  bool training = false;  ///< the words speak of training
  std::vector<std::string> warnings;
};

/// Looks at the first 4,000 bytes.
SentenceFacts read_sentence(std::string_view task);

}  // namespace vastgpu
