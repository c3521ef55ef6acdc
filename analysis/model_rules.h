#pragma once
// Models known by name, and rules of thumb for the memory they need. The rules are guesses and are shown as
// such. Pure; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

enum class ModelKind { language, encoder, vision, diffusion, audio };

struct ModelMention {
  std::string name;  ///< as written: "meta-llama/Llama-3.2-3B"
  ModelKind kind = ModelKind::language;
  std::optional<double> params_b;  ///< billions; unknown when the name does not tell
  std::optional<double>
      train_gib;       ///< measured habit for models that activations rule: convolution, diffusion
  std::size_t at = 0;  ///< in the text given
};

/// Known models in a text of any case, in order; at most 20.
std::vector<ModelMention> find_models(std::string_view text);

/// The model that an identifier names: as above, else by the size in it ("acme/thing-7b"); nullopt for paths
/// and the like.
std::optional<ModelMention> model_of_id(std::string_view id);

enum class Method { unknown, full, lora, qlora, inference };
enum class Precision { unknown, fp32, fp16, bf16 };
const char* to_string(Method m);
const char* to_string(Precision p);

/// Words such as "QLoRA", "4-bit", "full fine-tune", "inference only", "推理", "全参". `plain_text` went
/// through `plain`.
Method read_method(std::string_view plain_text);
Precision read_precision(std::string_view plain_text);
/// Whether the words speak of training at all: "train", "fine-tune", "epochs", "训练".
bool speaks_of_training(std::string_view plain_text);

struct MemoryRule {
  double total_gib = 0;  ///< over all GPUs, without headroom
  bool method_assumed = true;
  bool can_split = false;  ///< weights and states can be spread over several GPUs
  std::string how;         ///< "6.7 B parameters x 2 bytes (lora) + activations"
};
/// nullopt when size and habit are both unknown.
std::optional<MemoryRule> memory_of(const ModelMention& model, Method method, Precision precision);

/// One GPU's part of `total_gib`: its share, and what does not split (context, gathered layers, buckets).
double share_of(double total_gib, int gpus);

}  // namespace vastgpu
