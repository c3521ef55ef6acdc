// Memory of inference: weights, cache, and what the forward pass works with.

#include <algorithm>
#include <cmath>

#include "analysis/estimate_parts.h"

namespace vastgpu {

Inference inference_of(const Workload& w) {
  Inference i;
  const double n =
      w.shard == "none" || w.shard == "ddp" ? (w.params_b * bytes_of(w.bits) > 70 ? w.gpus : 1) : w.gpus;
  Workload frozen = w;
  frozen.method = "lora";
  frozen.rank = 0;
  frozen.gpus = 1;
  frozen.rl.clear();
  frozen.offload = false;
  i.weights = states_of(frozen).weights / n;
  switch (w.family) {
    case Family::diffusion: {
      const double pipeline =
          w.card != nullptr ? std::max(w.card->pipeline_params_b, w.params_b) : w.params_b * 1.4;
      const double width = w.bits == "32" ? 4 : 2;
      i.weights = w.offload ? i.weights : i.weights + (pipeline - w.params_b) * width;
      i.working = w.res.frames > 1 ? 20 * std::sqrt(std::clamp(w.params_b / 11, 0.05, 2.0))
                                   : 1.2 * std::max(1.0, w.res.pixels() / (512 * 512)) * w.batch * 0.6 + 0.6;
      return i;
    }
    case Family::speech:
      i.working = 0.3 * i.weights + 0.3 * w.batch;
      if (w.model.find("whisper") != std::string::npos) {  // beam search, 30 s windows
        i.weights *= 1.3;
        i.working = i.weights * w.batch;
      }
      return i;
    case Family::vision:
    case Family::detection:
    case Family::segmentation:
    case Family::other:
      i.working = 0.3 + 0.1 * image_activations(w).saved;
      return i;
    case Family::language:
    case Family::vision_language:
    case Family::encoder:
    case Family::seq2seq:
      break;
  }
  const double tokens = w.batch * w.seq;
  if (w.family != Family::encoder)
    i.cache = 2 * w.shape.layers * w.shape.kv_heads * w.shape.head_dim * 2 * tokens / 1e9 / n;
  if (w.engine.find("vllm") != std::string::npos || w.engine.find("sglang") != std::string::npos ||
      w.engine.find("tgi") != std::string::npos) {
    i.working = 3;  // the profile run; what is left goes to the cache
    const double share = std::clamp(w.memory_utilization, 0.3, 1.0);
    i.working += (i.weights + i.cache + i.working) * (1 / share - 1);
    return i;
  }
  // transformers' generate() holds the logits of the whole prompt.
  const bool gguf = w.engine.find("llama.cpp") != std::string::npos ||
                    w.engine.find("gguf") != std::string::npos ||
                    w.engine.find("ollama") != std::string::npos;
  i.working = gguf ? 0.5 : 2 * tokens * w.shape.vocab / 1e9;
  if (w.family == Family::vision_language) i.working += 1;
  return i;
}

}  // namespace vastgpu
