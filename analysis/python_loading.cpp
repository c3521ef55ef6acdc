// Loading of models and data, and engines of inference.

#include "analysis/model_rules.h"
#include "analysis/python_claims.h"
#include "core/text.h"

namespace vastgpu {
namespace {

using enum PyExpr::Kind;

bool holds(std::string_view s, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (s.find(word) != s.npos) return true;
  return false;
}

/// Tokenizers and the like load from the same names and take no memory of the card.
bool is_no_network(std::string_view callee) {
  return holds(callee, {"Tokenizer", "Processor", "FeatureExtractor", "Scheduler", "GenerationConfig",
                        "AutoConfig", "tokenizer", "PeftConfig", "LoraConfig", "transform"});
}

void take_pretrained(PyCallReader& r, const PyCall& c) {
  const PyExpr* name = nullptr;
  for (const char* key :
       {"pretrained_model_name_or_path", "model_name", "model_name_or_path", "model_id", "model"})
    if (name == nullptr) name = c.call.argument(key);
  if (name == nullptr) name = c.call.positional(0);
  if (c.call.text.starts_with("PeftModel")) {
    r.claim("method", "lora", r.at(c.call), strength::kDefault);
    return;
  }
  if (const auto v = r.value(c, name); v && v->value.is_string())
    r.add_model(c, v->value.get<std::string>(), r.at(c.call), v->strength);
  if (is_side_role(c.assigned_to.substr(c.assigned_to.rfind('.') + 1)))
    return;  // says nothing of what is trained
  const PyExpr* dtype = c.call.argument("torch_dtype");
  if (dtype == nullptr) dtype = c.call.argument("dtype");
  r.claim_dtype(c, dtype, true);
  for (const auto& [key, bits] : {std::pair{"load_in_4bit", 4}, std::pair{"load_in_8bit", 8}})
    if (const auto v = r.keyword(c, key); v && v->value == true)
      r.claim("bits", bits, r.at(c.call), v->strength);
  if (c.call.text.starts_with("FastLanguageModel") || c.call.text.starts_with("FastModel")) {
    if (c.call.argument("load_in_4bit") == nullptr)
      r.claim("bits", 4, r.at(c.call) + " (unsloth default)", strength::kDefault);
    r.claim_keywords(c, NamePlace::option);
  }
  for (const char* key : {"attn_implementation", "_attn_implementation"})
    if (const auto v = r.keyword(c, key); v && v->value.is_string()) {
      const std::string kind = v->value.get<std::string>();
      r.claim("flash", kind == "eager" ? 0 : 1, r.at(c.call), v->strength);
      if (kind == "flash_attention_2") r.need_bf16(r.at(c.call));
    }
}

/// torchvision.models.resnet50(, models.vit_b_16(, resnet18( after an import from there.
bool take_torchvision(PyCallReader& r, const PyCall& c) {
  const std::string& callee = c.call.text;
  const std::string last(c.call.last_name());
  const bool by_module = callee.find("models.") != callee.npos && !holds(callee, {"keras"});
  if (last == "get_model" && by_module) {
    if (const auto v = r.value(c, c.call.positional(0)); v && v->value.is_string())
      r.add_model(c, v->value.get<std::string>(), r.at(c.call), v->strength);
    return true;
  }
  if (by_module ? find_models(last).empty() : !r.imports("torchvision.models", last)) return false;
  r.add_model(c, last, r.at(c.call), strength::kCode);
  return true;
}

void take_dataset(PyCallReader& r, const PyCall& c, const std::string& name) {
  const std::string shown = clean_line(name, 120);
  if (shown.empty() || r.out.datasets.size() >= 20 || shown.find("://") != shown.npos) return;
  for (const auto& known : r.out.datasets)
    if (known.value == shown) return;
  r.out.datasets.push_back({shown, r.at(c.call)});
}

bool take_engine(PyCallReader& r, const PyCall& c) {
  const std::string_view last = c.call.last_name();
  if (last == "LLM" || last == "AsyncLLMEngine" || last == "EngineArgs" || last == "AsyncEngineArgs") {
    const PyExpr* name = c.call.argument("model");
    if (name == nullptr) name = c.call.positional(0);
    if (const auto v = r.value(c, name); v && v->value.is_string())
      r.add_model(c, v->value.get<std::string>(), r.at(c.call), v->strength);
    r.claim("engine", "vllm", r.at(c.call));
    for (std::size_t i = 0; i < c.call.parts.size(); ++i)
      if (c.call.keys[i] == "tensor_parallel_size" || c.call.keys[i] == "max_model_len" ||
          c.call.keys[i] == "gpu_memory_utilization" || c.call.keys[i] == "quantization" ||
          c.call.keys[i] == "dtype")
        if (const auto v = r.value(c, &c.call.parts[i]))
          for (Claim& claim : claims_of_name(c.call.keys[i], v->value, r.at(c.call.parts[i]), v->strength))
            r.out.claims.push_back(std::move(claim));
    return true;
  }
  if (last == "SamplingParams") {
    if (const auto v = r.keyword(c, "max_tokens")) r.claim("new_tokens", v->value, r.at(c.call), v->strength);
    return true;
  }
  if (last == "generate") {
    if (const auto v = r.keyword(c, "max_new_tokens"))
      r.claim("new_tokens", v->value, r.at(c.call), v->strength);
    return true;
  }
  return false;
}

}  // namespace

bool take_loading_call(PyCallReader& r, const PyCall& c) {
  const std::string_view last = c.call.last_name();
  const std::string& callee = c.call.text;
  const auto first_text = [&](std::size_t n,
                              std::initializer_list<const char*> keys) -> std::optional<PyValue> {
    for (const char* key : keys)
      if (auto v = r.keyword(c, key); v && v->value.is_string()) return v;
    if (auto v = r.value(c, c.call.positional(n)); v && v->value.is_string()) return v;
    return std::nullopt;
  };
  const auto model = [&](const std::optional<PyValue>& v, const std::string& prefix = {}) {
    if (v) r.add_model(c, prefix + v->value.get<std::string>(), r.at(c.call), v->strength);
    return true;
  };
  if (last == "from_pretrained" || last == "from_single_file") {
    if (!is_no_network(callee)) take_pretrained(r, c);
    return true;
  }
  if (last == "create_model" || last == "create_model_and_transforms") {
    r.claim_keywords(c, NamePlace::argument);
    return model(first_text(0, {"model_name"}));
  }
  if (last == "SentenceTransformer" || last == "CrossEncoder" || last == "YOLO" || last == "WhisperModel" ||
      last == "RTDETR" || last == "SAM")
    return model(first_text(0, {"model_name_or_path", "model"}));
  if (callee == "whisper.load_model") return model(first_text(0, {"name"}), "whisper-");
  if (callee == "clip.load" || last == "load_model") return model(first_text(0, {"name", "model_name"}));
  if (callee == "torch.hub.load" || callee == "hub.load") return model(first_text(1, {"model"}));
  if (last == "pipeline" || last == "AutoPipeline") {
    r.claim_dtype(c, c.call.argument("torch_dtype"), true);
    return model(first_text(1, {"model"}));
  }
  if (last == "load_dataset" || last == "load_from_disk") {
    if (const auto v = first_text(0, {"path"})) take_dataset(r, c, v->value.get<std::string>());
    return true;
  }
  if (callee.find("datasets.") != callee.npos && !last.empty() &&
      std::isupper(static_cast<unsigned char>(last[0]))) {
    if (last != "ImageFolder" && last != "Dataset" && last != "DatasetDict" && last != "Features" &&
        last != "Value")
      take_dataset(r, c, std::string(last));
    return true;
  }
  if (r.imports("torchvision.datasets", last)) {
    take_dataset(r, c, std::string(last));
    return true;
  }
  if (take_engine(r, c)) return true;
  return take_torchvision(r, c);
}

}  // namespace vastgpu
