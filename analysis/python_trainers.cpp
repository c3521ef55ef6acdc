// Trainers of the Hugging Face family, adapters, quantization.

#include <array>

#include "analysis/python_claims.h"
#include "core/text.h"

namespace vastgpu {
namespace {

using enum PyExpr::Kind;

struct TrainerArguments {
  std::string_view name;
  std::string_view rl = {};
};
constexpr auto kArguments = std::to_array<TrainerArguments>({
    {"TrainingArguments"},
    {"Seq2SeqTrainingArguments"},
    {"SentenceTransformerTrainingArguments"},
    {"SFTConfig"},
    {"DPOConfig", "dpo"},
    {"GRPOConfig", "grpo"},
    {"PPOConfig", "ppo"},
    {"RLOOConfig", "grpo"},
    {"ORPOConfig", "orpo"},
    {"CPOConfig", "orpo"},
    {"KTOConfig", "kto"},
    {"RewardConfig", "reward"},
    {"OnlineDPOConfig", "dpo"},
    {"GKDConfig"},
});

struct Trainer {
  std::string_view name;
  std::string_view rl = {};
};
constexpr auto kTrainers = std::to_array<Trainer>({
    {"Trainer"},
    {"Seq2SeqTrainer"},
    {"SFTTrainer"},
    {"SentenceTransformerTrainer"},
    {"DPOTrainer", "dpo"},
    {"GRPOTrainer", "grpo"},
    {"PPOTrainer", "ppo"},
    {"RLOOTrainer", "grpo"},
    {"ORPOTrainer", "orpo"},
    {"CPOTrainer", "orpo"},
    {"KTOTrainer", "kto"},
    {"RewardTrainer", "reward"},
    {"OnlineDPOTrainer", "dpo"},
});

void take_arguments(PyCallReader& r, const PyCall& c, const TrainerArguments& known) {
  r.claim_keywords(c, NamePlace::option);
  r.out.trains = true;
  r.claim("task", "train", r.at(c.call));
  if (!known.rl.empty()) r.claim("rl", std::string(known.rl), r.at(c.call));
  if (const auto v = r.keyword(c, "bf16"); v && v->value == true) r.need_bf16(r.at(*c.call.argument("bf16")));
  // What is not given has a value all the same, and the run relies on it.
  const std::string source = r.at(c.call) + " (" + std::string(known.name) + " default)";
  const auto unless_given = [&](std::initializer_list<const char*> keys, const char* setting, const json& v) {
    for (const char* key : keys)
      if (c.call.argument(key) != nullptr) return;
    r.claim(setting, v, source, strength::kDefault);
  };
  unless_given({"per_device_train_batch_size"}, "batch", 8);
  unless_given({"num_train_epochs"}, "epochs", 3);
  unless_given({"gradient_accumulation_steps"}, "grad_accum", 1);
  unless_given({"optim"}, "opt", "adamw");
  unless_given({"gradient_checkpointing"}, "gc", 0);
  unless_given({"fp16", "bf16"}, "precision", "fp32");
  // bf16=torch.cuda.is_bf16_supported(): mixed, in whichever the card has.
  for (const char* key : {"fp16", "bf16"})
    if (c.call.argument(key) != nullptr && !r.keyword(c, key))
      r.claim("precision", "amp", source, strength::kDefault);
  const auto strategy = r.keyword(c, "save_strategy");
  if (!strategy || strategy->value != "no") r.out.saves = true;
  if (c.call.argument("resume_from_checkpoint") != nullptr) r.out.resumes = true;
}

void take_lora(PyCallReader& r, const PyCall& c) {
  const std::string source = r.at(c.call);
  const PyExpr* rank = c.call.argument("r");
  if (rank == nullptr) rank = c.call.argument("rank");
  if (rank == nullptr) rank = c.call.positional(0);
  if (const auto v = r.value(c, rank))
    r.claim("rank", v->value, r.at(*rank), v->strength);
  else if (rank == nullptr)
    r.claim("rank", 8, source + " (LoraConfig default)", strength::kDefault);
  const auto dora = r.keyword(c, "use_dora");
  r.claim("method", dora && dora->value == true ? "dora" : "lora", source);
}

}  // namespace

bool take_trainer_call(PyCallReader& r, const PyCall& c) {
  const std::string_view last = c.call.last_name();
  for (const TrainerArguments& known : kArguments)
    if (last == known.name) return take_arguments(r, c, known), true;
  for (const Trainer& known : kTrainers) {
    if (last != known.name || c.call.text.starts_with("pl.") || c.call.text.starts_with("L.") ||
        c.call.text.starts_with("lightning") || c.call.text.starts_with("pytorch_lightning") ||
        c.call.argument("max_epochs") != nullptr || c.call.argument("accelerator") != nullptr ||
        c.call.argument("devices") != nullptr)
      continue;
    r.out.trains = true;
    r.claim("task", "train", r.at(c.call));
    if (!known.rl.empty()) r.claim("rl", std::string(known.rl), r.at(c.call));
    for (const char* key : {"model", "ref_model", "reward_model", "teacher_model"})
      if (const auto v = r.keyword(c, key); v && v->value.is_string())
        r.add_model(c, v->value.get<std::string>(), r.at(c.call), v->strength);
    r.claim_keywords(c, NamePlace::argument);
    return true;
  }
  if (last == "LoraConfig" || last == "LoHaConfig" || last == "LoKrConfig" || last == "AdaLoraConfig") {
    take_lora(r, c);
    return true;
  }
  if (last == "PromptTuningConfig" || last == "PrefixTuningConfig" || last == "IA3Config" ||
      last == "PromptEncoderConfig") {
    r.claim("method", "prefix", r.at(c.call));
    return true;
  }
  if (last == "get_peft_model" || last == "add_adapter") {
    r.claim("method", "lora", r.at(c.call), strength::kDefault);
    if (const auto v = r.keyword(c, "r")) {  // unsloth takes the settings here
      r.claim("rank", v->value, r.at(c.call), v->strength);
      r.claim("method", "lora", r.at(c.call));
      if (const auto gc = r.keyword(c, "use_gradient_checkpointing"))
        r.claim("gc", gc->value == false ? 0 : 1, r.at(c.call), gc->strength);
    }
    return true;
  }
  if (last == "BitsAndBytesConfig" || last == "QuantoConfig" || last == "GPTQConfig" || last == "AwqConfig") {
    r.claim_keywords(c, NamePlace::argument);
    for (const auto& [key, bits] : {std::pair{"load_in_4bit", 4}, std::pair{"load_in_8bit", 8}})
      if (const auto v = r.keyword(c, key); v && v->value == true)
        r.claim("bits", bits, r.at(c.call), v->strength);
    return true;
  }
  if (last == "HfArgumentParser" && r.program.mentions("TrainingArguments")) {
    const std::string source = r.at(c.call) + " (TrainingArguments default)";
    r.out.trains = r.out.saves = true;
    for (const auto& [name, value] :
         std::initializer_list<std::pair<const char*, json>>{{"batch", 8},
                                                             {"epochs", 3},
                                                             {"grad_accum", 1},
                                                             {"opt", "adamw"},
                                                             {"gc", 0},
                                                             {"precision", "fp32"}})
      r.claim(name, value, source, strength::kDefault);
    return true;
  }
  return false;
}

}  // namespace vastgpu
