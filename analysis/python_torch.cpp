// Optimizers, precision, data loaders, checkpoints and wrappers of plain PyTorch, Lightning, Accelerate.

#include <array>

#include "analysis/python_claims.h"
#include "core/text.h"

namespace vastgpu {
namespace {

using enum PyExpr::Kind;

bool one_of(std::string_view s, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (s == word) return true;
  return false;
}

struct OptimizerName {
  std::string_view callee, value;
};
constexpr auto kOptimizers = std::to_array<OptimizerName>({
    {"AdamW", "adamw"},
    {"Adam", "adamw"},
    {"NAdam", "adamw"},
    {"RAdam", "adamw"},
    {"FusedAdam", "adamw"},
    {"DeepSpeedCPUAdam", "adamw"},
    {"LAMB", "adamw"},
    {"AdamW8bit", "adamw8bit"},
    {"Adam8bit", "adamw8bit"},
    {"PagedAdamW8bit", "adamw8bit"},
    {"PagedAdam8bit", "adamw8bit"},
    {"PagedAdamW", "adamw"},
    {"AdamW32bit", "adamw"},
    {"Adafactor", "adafactor"},
    {"Lion", "lion"},
    {"Lion8bit", "lion8bit"},
    {"Muon", "muon"},
    {"RMSprop", "momentum"},
    {"Adagrad", "momentum"},
    {"Prodigy", "prodigy"},
    {"GaLoreAdamW", "galore"},
});

bool take_optimizer(PyCallReader& r, const PyCall& c) {
  const std::string_view last = c.call.last_name();
  if (last == "SGD") {
    const auto momentum = r.keyword(c, "momentum");
    const bool has =
        momentum ? momentum->value != 0 && momentum->value != 0.0 : c.call.argument("momentum") != nullptr;
    r.claim("opt", has ? "momentum" : "sgd", r.at(c.call));
    return true;
  }
  for (const OptimizerName& o : kOptimizers)
    if (last == o.callee) {
      r.claim("opt", std::string(o.value), r.at(c.call));
      return true;
    }
  return false;
}

bool take_precision(PyCallReader& r, const PyCall& c) {
  const std::string_view last = c.call.last_name();
  if (last == "autocast") {
    if (!r.not_off(c, "enabled")) return true;
    const PyExpr* dtype = c.call.argument("dtype");
    if (dtype == nullptr) dtype = c.call.positional(1);
    const std::size_t before = r.out.claims.size();
    r.claim_dtype(c, dtype, false);
    if (r.out.claims.size() == before) {
      const bool given = dtype != nullptr && !r.word(c, dtype).ends_with("float32");
      r.claim("precision", "amp", r.at(c.call),
              given || dtype == nullptr ? strength::kCode : strength::kDefault);
      r.claim("bits", "16mixed", r.at(c.call));
    }
    return true;
  }
  if (last == "GradScaler") {
    if (!r.not_off(c, "enabled")) return true;
    r.claim("precision", "amp", r.at(c.call));
    r.claim("bits", "16mixed", r.at(c.call));
    return true;
  }
  if (one_of(last, {"half", "bfloat16", "to"})) {
    const std::string lower = to_lower(c.call.text);
    bool of_model = false;
    for (const std::string_view word : {"model", "net", "pipe", "transformer", "vae", "encoder"})
      of_model = of_model || lower.find(word) != lower.npos;
    if (!of_model) return last != "to";
    if (last != "to") {
      r.claim("bits", 16, r.at(c.call));
      r.claim("precision", last == "half" ? "fp16" : "bf16", r.at(c.call));
      if (last == "bfloat16") r.need_bf16(r.at(c.call));
      return true;
    }
    const std::size_t before = r.out.claims.size();
    if (const PyExpr* dtype = c.call.argument("dtype")) r.claim_dtype(c, dtype, true);
    for (std::size_t i = 0; i < 3 && r.out.claims.size() == before; ++i)
      if (const PyExpr* e = c.call.positional(i); e != nullptr && e->is(name)) r.claim_dtype(c, e, true);
    return true;
  }
  return false;
}

bool take_loader(PyCallReader& r, const PyCall& c) {
  const std::string_view last = c.call.last_name();
  if (!one_of(last, {"DataLoader", "StatefulDataLoader", "MultiEpochsDataLoader", "create_loader"}))
    return false;
  const PyExpr* size = c.call.argument("batch_size");
  if (size == nullptr && last != "create_loader") size = c.call.positional(1);
  const auto v = r.value(c, size);
  if (!v) return true;
  std::string of = to_lower(c.assigned_to);
  if (const PyExpr* data = c.call.positional(0); data != nullptr) of += " " + to_lower(data->text);
  if (const PyExpr* data = c.call.argument("dataset"); data != nullptr) of += " " + to_lower(data->text);
  for (const std::string_view word : {"val", "test", "eval", "dev_", "valid"})
    if (of.find(word) != of.npos && of.find("train") == of.npos) return true;  // no gradients there
  r.claim("batch", v->value, v->source, v->strength);
  return true;
}

bool take_lightning(PyCallReader& r, const PyCall& c) {
  const std::string_view last = c.call.last_name();
  if (last != "Trainer" && last != "Fabric") return false;
  r.out.trains = true;
  r.out.saves = true;
  r.claim("task", "train", r.at(c.call));
  r.claim_keywords(c, NamePlace::argument);
  if (const auto v = r.keyword(c, "precision"))
    for (Claim& claim :
         claims_of_name("precision", v->value, r.at(*c.call.argument("precision")), v->strength)) {
      if (claim.setting == "precision" && claim.value == "bf16") r.need_bf16(claim.source);
      r.out.claims.push_back(std::move(claim));
    }
  for (const char* key : {"devices", "gpus"})
    if (const auto v = r.keyword(c, key)) {
      const json n = v->value.is_array() ? json(v->value.size()) : v->value;
      if (n.is_number_integer() && n.get<int>() >= 1 && n.get<int>() <= 64)
        r.claim("num_gpus", n, r.at(*c.call.argument(key)), v->strength);
    }
  if (const auto v = r.keyword(c, "num_nodes"); v && v->value.is_number_integer() && v->value.get<int>() > 1)
    r.out.warnings.push_back(r.at(c.call) + " asks for " + dump(v->value) + " machines: one was assumed");
  if (const auto v = r.keyword(c, "strategy"); v && v->value.is_string()) {
    const std::string s = v->value.get<std::string>();
    const std::string shard = s.starts_with("deepspeed") || s.starts_with("fsdp") ? s
                              : s.starts_with("ddp")                              ? "ddp"
                                                                                  : "";
    for (Claim& claim : claims_of_deepspeed_name(s, r.at(c.call), v->strength)) r.out.claims.push_back(claim);
    if (shard == "ddp" || s.starts_with("fsdp"))
      r.claim("shard", s.starts_with("fsdp") ? "fsdp" : "ddp", r.at(c.call), v->strength);
  }
  return true;
}

bool take_distribution(PyCallReader& r, const PyCall& c) {
  const std::string_view last = c.call.last_name();
  if (one_of(last, {"FSDP", "FullyShardedDataParallel", "fully_shard"})) {
    r.claim("shard", "fsdp", r.at(c.call));
  } else if (one_of(last, {"DDP", "DistributedDataParallel", "DataParallel"})) {
    r.claim("shard", "ddp", r.at(c.call), strength::kDefault);
  } else if (last == "spawn") {
    const PyExpr* n = c.call.argument("nprocs");
    if (const auto v = r.value(c, n); v && v->value.is_number_integer() && v->value.get<int>() <= 64)
      r.claim("num_gpus", v->value, r.at(*n), v->strength);
  } else if (last == "Accelerator") {
    for (const char* key : {"mixed_precision", "gradient_accumulation_steps"})
      if (const auto v = r.keyword(c, key))
        for (Claim& claim : claims_of_name(key, v->value, r.at(c.call), v->strength)) {
          if (claim.value == "bf16") r.need_bf16(claim.source);
          r.out.claims.push_back(std::move(claim));
        }
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool take_saving_call(PyCallReader& r, const PyCall& c) {
  const std::string_view last = c.call.last_name();
  if (c.call.text == "torch.save" ||
      one_of(last, {"save_checkpoint", "save_state", "ModelCheckpoint", "save_ckpt", "save_file",
                    "save_pretrained", "save_model"})) {
    r.out.saves = true;
  } else if (one_of(last, {"load_checkpoint", "load_state", "resume", "load_ckpt", "maybe_resume",
                           "auto_resume"})) {
    r.out.resumes = true;
  } else if (last == "load_state_dict" && to_lower(c.call.text).find("optim") != std::string::npos) {
    r.out.resumes = true;
  } else {
    return false;
  }
  return true;
}

bool take_torch_call(PyCallReader& r, const PyCall& c) {
  const std::string_view last = c.call.last_name();
  for (const char* key : {"resume_from_checkpoint", "ckpt_path"})
    if (const PyExpr* e = c.call.argument(key); e != nullptr && !e->is(none)) r.out.resumes = true;
  if (last == "backward" || (last == "fit" && c.call.text.find('.') != std::string::npos)) {
    r.out.trains = true;
    return true;
  }
  if (take_optimizer(r, c)) {
    r.out.trains = true;
    return true;
  }
  if (one_of(last, {"gradient_checkpointing_enable", "enable_gradient_checkpointing",
                    "set_grad_checkpointing", "apply_activation_checkpointing", "checkpoint_sequential"}) ||
      c.call.text.find("utils.checkpoint.checkpoint") != std::string::npos ||
      (last == "checkpoint" &&
       (r.imports("torch.utils.checkpoint", "checkpoint") || c.call.text == "checkpoint.checkpoint"))) {
    r.claim("gc", 1, r.at(c.call));
    return true;
  }
  if (one_of(last,
             {"enable_xformers_memory_efficient_attention", "flash_attn_func", "scaled_dot_product_attention",
              "flash_attn_varlen_func", "memory_efficient_attention"})) {
    r.claim("flash", 1, r.at(c.call));
    return true;
  }
  if (last == "tokenizer" || last == "batch_encode_plus" || last == "encode_plus" || last == "tok") {
    if (const auto v = r.keyword(c, "max_length")) r.claim("seq", v->value, r.at(c.call), v->strength);
    return true;
  }
  if (c.call.text == "deepspeed.initialize") {
    r.out.trains = true;
    return true;
  }
  if (last == "train" && c.call.argument("imgsz") != nullptr) {  // YOLO(...).train(data=..., imgsz=640)
    r.out.trains = true;
    if (const auto v = r.keyword(c, "batch")) r.claim("batch", v->value, r.at(c.call), v->strength);
    r.claim_keywords(c, NamePlace::option);
    return true;
  }
  if (last == "train" && c.call.positional(0) == nullptr && c.call.text.find("trainer") != std::string::npos)
    r.out.trains = true;
  if (one_of(c.call.text, {"gym.make", "gymnasium.make"}) ||
      one_of(last, {"make_vec_env", "SubprocVecEnv", "DummyVecEnv", "SyncVectorEnv", "AsyncVectorEnv"})) {
    if (r.out.scales.size() < 5) r.out.scales.push_back({"environments that step on the CPU", r.at(c.call)});
    return true;
  }
  if (last == "learn") {
    r.out.trains = true;
    if (const auto v = r.keyword(c, "total_timesteps"))
      r.claim("samples", v->value, r.at(c.call), v->strength);
    return true;
  }
  return take_precision(r, c) || take_loader(r, c) || take_lightning(r, c) || take_distribution(r, c) ||
         take_saving_call(r, c);
}

}  // namespace vastgpu
