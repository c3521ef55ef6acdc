#pragma once
// Models that people name in text, and the words for how they run. Pure; any thread.

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
  std::size_t at = 0;              ///< in the text given
};

/// Known models in a text of any case, in order; at most 20.
std::vector<ModelMention> find_models(std::string_view text);

/// The model that an identifier names: as above, else by the size in it ("acme/thing-7b"); nullopt for paths
/// and the like.
std::optional<ModelMention> model_of_id(std::string_view id);

enum class Method { unknown, full, lora, qlora, inference };
enum class Precision { unknown, fp32, fp16, bf16 };
const char* to_string(Precision p);

/// Words such as "QLoRA", "4-bit", "full fine-tune", "inference only", "推理", "全参". `plain_text` went
/// through `plain`.
Method read_method(std::string_view plain_text);
Precision read_precision(std::string_view plain_text);
/// Whether the words speak of training at all: "train", "fine-tune", "epochs", "训练".
bool speaks_of_training(std::string_view plain_text);

}  // namespace vastgpu
