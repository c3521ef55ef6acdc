#include "analysis/config_claims.h"

#include <algorithm>

#include "analysis/program_names.h"
#include "core/text.h"

namespace vastgpu {
namespace {

bool holds(std::string_view s, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (s.find(word) != s.npos) return true;
  return false;
}

class Taker {
 public:
  Taker(const MergedConfig& config, ProgramReading& out) : config_(config), out_(out) {}

  void take(const std::string& framework) {
    const ConfigNode& root = config_.root;
    if (framework == "torchtune") return torchtune();
    if (framework == "deepspeed") return deepspeed(root);
    if (framework == "accelerate") return accelerate();
    if (framework == "detectron2") return detectron();
    if (framework == "ai-toolkit") return ai_toolkit();
    walk(root, 0);
    if (framework == "llamafactory") llamafactory();
    if (framework == "axolotl") axolotl();
    if (framework == "litgpt") litgpt();
    if (framework == "swift") swift();
    if (framework == "kohya") kohya();
    if (framework == "lightning") lightning();
    if (framework == "openmmlab") openmmlab();
  }

 private:
  const ConfigNode* at(std::string_view path) const { return config_.root.at(path); }
  std::string word(std::string_view path) const {
    const ConfigNode* node = at(path);
    return node == nullptr ? "" : node->is_text() ? to_lower(node->text()) : to_lower(dump(node->plain()));
  }
  bool on(std::string_view path) const { return word(path) == "true" || word(path) == "auto"; }

  void say(std::string_view setting, const json& value, const ConfigNode* where, bool is_default = false) {
    const std::string source = where == nullptr ? config_.paths.front() : config_.at(*where);
    add_claim(out_.claims, setting, value, is_default ? source + " (default)" : source,
              is_default ? strength::kDefault : strength::kConfig);
  }
  void say_name(std::string_view name, const ConfigNode& node) {
    for (Claim& c : claims_of_name(name, node.plain(), config_.at(node), strength::kConfig)) {
      if (c.setting == "precision" && c.value == "bf16") need_bf16(node);
      out_.claims.push_back(std::move(c));
    }
  }
  void move(std::string_view path, std::string_view setting) {
    if (const ConfigNode* node = at(path)) say(setting, node->plain(), node);
  }
  void need_bf16(const ConfigNode& node) {
    if (!out_.needs_bf16) out_.bf16_source = config_.at(node);
    out_.needs_bf16 = true;
  }
  void model(const ConfigNode* node, std::string name = {}) {
    if (node == nullptr) return;
    if (name.empty() && node->is_text()) name = node->text();
    name = clean_line(trim(name), 200);
    if (name.empty() || name.find(' ') != name.npos || (holds(name, {"://"}) && holds(name, {"@"}))) return;
    for (const ProgramModel& m : out_.models)
      if (m.value == name) return;
    if (out_.models.size() < 20)
      out_.models.push_back({name, config_.at(*node), {}, strength::kConfig, false});
  }
  void dataset(const ConfigNode& node) {
    if (!node.is_text() || out_.datasets.size() >= 20) return;
    const std::string name = clean_line(node.text(), 120);
    if (name.find("://") == name.npos && !name.empty()) out_.datasets.push_back({name, config_.at(node)});
  }

  /// Every key by its name; what is said of validation is not about training.
  void walk(const ConfigNode& node, int depth) {
    if (depth > 6) return;
    for (const auto& [key, value] : node.entries) {
      const std::string lower = name_key(key);
      if (value.is_map()) {
        if (holds(lower, {"valid", "test", "eval", "infer"}) || lower == "val" || lower.starts_with("val_"))
          continue;
        if (names_a_model(lower))
          for (const char* inner : {"name_or_path", "model_name", "name", "arch", "type", "pretrained",
                                    "pretrained_model_name_or_path", "_target_", "model_id", "backbone"})
            if (const ConfigNode* name = value.at(inner); name != nullptr && name->is_text()) {
              model(name, inner == std::string_view("_target_")
                              ? name->text().substr(name->text().rfind('.') + 1)
                              : std::string{});
              break;
            }
        if (lower == "optimizer" || lower == "optim")
          for (const char* inner : {"type", "name", "_target_", "class_path"})
            if (const ConfigNode* name = value.at(inner); name != nullptr && name->is_text())
              say("opt", name->text().substr(name->text().rfind('.') + 1), name);
        if (lower == "dataset" || lower == "data")
          for (const char* inner : {"name", "dataset_name", "path"})
            if (const ConfigNode* name = value.at(inner)) dataset(*name);
        walk(value, depth + 1);
      } else if (names_a_model(lower) && value.is_text()) {
        model(&value);
      } else {
        if (names_a_dataset(lower)) dataset(value);
        say_name(lower, value);
      }
    }
  }

  /// Weights are loaded in 16 bits, unless they are quantized.
  void stored_16(const ConfigNode* where) {
    for (const Claim& c : out_.claims)
      if (c.setting == "bits" && (c.value == "4" || c.value == "8") && c.strength == strength::kConfig)
        return;
    say("bits", 16, where);
  }
  bool quantized(std::string_view path) const {
    return word(path) == "true" || word(path) == "4" || word(path) == "8";
  }

  void llamafactory() {
    const std::string kind = word("finetuning_type");
    const std::string stage = word("stage");
    if (kind.empty()) say("method", "lora", at("stage"), true);
    for (const char* rl : {"dpo", "ppo", "kto"})
      if (stage == rl) say("rl", rl, at("stage"));
    if (stage == "rm") say("rl", "reward", at("stage"));
    say("task", word("do_train") == "false" ? "infer" : "train", at("stage"));
    const bool low = on("bf16") || on("fp16") || on("pure_bf16");
    if (kind == "full" && low && !on("pure_bf16"))
      say("bits", "16mixed", at(at("bf16") != nullptr ? "bf16" : "fp16"));
    else if (low && !quantized("quantization_bit"))
      stored_16(at(at("bf16") != nullptr ? "bf16" : at("fp16") != nullptr ? "fp16" : "pure_bf16"));
    if (on("pure_bf16")) need_bf16(*at("pure_bf16"));
    if (word("disable_gradient_checkpointing") == "true")
      say("gc", 0, at("disable_gradient_checkpointing"));
    else
      say("gc", 1, nullptr, true);
    if (word("flash_attn") == "fa2") need_bf16(*at("flash_attn"));
    if (kind != "full" && kind != "freeze") say("rank", 8, nullptr, true);
    trained();
  }

  void axolotl() {
    const std::string adapter = word("adapter");
    if (adapter.empty() || adapter == "null") say("method", "full", at("base_model"));
    if (on("bf16") || on("fp16") || on("bfloat16")) {
      const ConfigNode* where = at(on("bf16") ? "bf16" : on("fp16") ? "fp16" : "bfloat16");
      stored_16(where);
      say("precision", on("fp16") && !on("bf16") ? "fp16" : "bf16", where);
      if (on("bf16")) need_bf16(*where);
    }
    if (const ConfigNode* fsdp = at("fsdp_config"); fsdp != nullptr && fsdp->is_map())
      say("shard", "fsdp", fsdp);
    if (const ConfigNode* fsdp = at("fsdp_version")) say("shard", "fsdp", fsdp);
    if (const ConfigNode* list = at("datasets"); list != nullptr)
      for (const ConfigNode& item : list->items)
        if (const ConfigNode* path = item.at("path")) dataset(*path);
    if (const ConfigNode* rl = at("rl")) say("rl", rl->plain(), rl);
    say("task", "train", at("base_model"));
    trained();
  }

  void torchtune() {
    const ConfigNode* component = at("model._component_");
    std::string name = component == nullptr ? "" : component->text();
    name = name.substr(name.rfind('.') + 1);
    std::string method = "full";
    for (const char* kind : {"qlora", "lora", "dora"})
      if (name.starts_with(std::string(kind) + "_")) {
        method = kind;
        name.erase(0, method.size() + 1);
        break;
      }
    say("method", method, component);
    model(component, name);
    if (method == "qlora") say("bits", 4, component);
    for (const char* key : {"batch_size", "gradient_accumulation_steps", "epochs",
                            "enable_activation_checkpointing", "optimizer_in_bwd", "dtype"})
      if (const ConfigNode* node = at(key)) say_name(key, *node);
    if (const ConfigNode* dtype = at("dtype"); dtype != nullptr && method != "qlora")
      say("bits", word("dtype") == "fp32" ? 32 : 16, dtype);
    move("tokenizer.max_seq_len", "seq");
    move("model.lora_rank", "rank");
    move("dataset.packed", "packed");
    if (const ConfigNode* opt = at("optimizer._component_"); opt != nullptr && opt->is_text())
      say("opt", opt->text().substr(opt->text().rfind('.') + 1), opt);
    if (const ConfigNode* data = at("dataset._component_"); data != nullptr && data->is_text())
      out_.datasets.push_back(
          {clean_line(data->text().substr(data->text().rfind('.') + 1), 120), config_.at(*data)});
    if (const ConfigNode* source = at("dataset.source")) dataset(*source);
    if (on("fsdp_cpu_offload")) say("offload", 1, at("fsdp_cpu_offload"));
    if (const ConfigNode* steps = at("max_steps_per_epoch"); steps != nullptr && at("epochs") != nullptr &&
                                                             steps->plain().is_number() &&
                                                             at("epochs")->plain().is_number())
      say("steps", steps->plain().get<double>() * at("epochs")->plain().get<double>(), steps);
    say("task", "train", component);
    trained();
  }

  void litgpt() {
    const ConfigNode* folder = at("checkpoint_dir");
    if (folder != nullptr && folder->is_text()) {
      const std::string path = folder->text();
      for (ProgramModel& m : out_.models)  // checkpoints/meta-llama/Llama-2-7b-hf
        if (m.value == path && path.starts_with("checkpoints/")) m.value = path.substr(12);
    }
    for (const char* key : {"precision", "quantize"})
      if (at(key) != nullptr && word(key).find("nf4") != std::string::npos) say("bits", 4, at(key));
    if (at("lora_r") != nullptr)
      say("method", at("quantize") != nullptr && word("quantize") != "null" ? "qlora" : "lora", at("lora_r"));
    move("devices", "num_gpus");
    move("train.micro_batch_size", "batch");
    if (at("optimizer") != nullptr && at("optimizer.class_path") != nullptr) {
      const std::string path = at("optimizer.class_path")->text();
      say("opt", path.substr(path.rfind('.') + 1), at("optimizer.class_path"));
    }
    if (const ConfigNode* data = at("data.class_path"); data != nullptr && data->is_text())
      out_.datasets.push_back(
          {clean_line(data->text().substr(data->text().rfind('.') + 1), 120), config_.at(*data)});
    say("task", at("model_name") != nullptr && folder == nullptr ? "pretrain" : "train", folder);
    trained();
  }

  void swift() {
    if (at("torch_dtype") != nullptr && word("torch_dtype").find("16") != std::string::npos)
      stored_16(at("torch_dtype"));
    if (at("quant_bits") != nullptr) say("bits", at("quant_bits")->plain(), at("quant_bits"));
    if (at("tuner_type") == nullptr && at("train_type") == nullptr && at("sft_type") == nullptr)
      say("method", "lora", nullptr, true);
    say("gc", 1, nullptr, true);
    trained();
  }

  void kohya() {
    // Sections are there for people: every key stands for itself.
    if (find_anywhere(config_.root, "network_dim") != nullptr ||
        find_anywhere(config_.root, "network_module") != nullptr)
      say("method", "lora", find_anywhere(config_.root, "network_module"));
    const ConfigNode* mixed = find_anywhere(config_.root, "mixed_precision");
    if (mixed != nullptr && mixed->is_text() && mixed->text() != "no") {
      const bool lora = find_anywhere(config_.root, "network_module") != nullptr;
      say("bits", lora ? json(16) : json("16mixed"), mixed);
    }
    say("task", "train", nullptr);
    trained();
  }

  void ai_toolkit() {
    const ConfigNode* list = at("config.process");
    if (list == nullptr || list->items.empty()) return;
    const ConfigNode& job = list->items.front();
    const auto move_in = [&](std::string_view path, std::string_view setting) {
      if (const ConfigNode* node = job.at(path)) say(setting, node->plain(), node);
    };
    model(job.at("model.name_or_path"));
    move_in("train.batch_size", "batch");
    move_in("train.steps", "steps");
    move_in("train.gradient_checkpointing", "gc");
    move_in("train.gradient_accumulation_steps", "grad_accum");
    move_in("train.optimizer", "opt");
    move_in("network.linear", "rank");
    move_in("save.max_step_saves_to_keep", "save_total_limit");
    if (const ConfigNode* type = job.at("network.type"))
      say("method", "lora", type);
    else
      say("method", "full", list);
    if (const ConfigNode* dtype = job.at("train.dtype")) say_name("dtype", *dtype);
    const ConfigNode* quantize = job.at("model.quantize");
    if (quantize != nullptr && quantize->plain() == true)
      say("bits", 8, quantize);
    else
      say("bits", 16, job.at("train.dtype"));
    if (const ConfigNode* cached = job.at("train.cache_text_embeddings"))
      say("te_cached", cached->plain(), cached);
    if (const ConfigNode* data = job.at("datasets"); data != nullptr && !data->items.empty())
      if (const ConfigNode* res = data->items.front().at("resolution")) {
        double largest = 0;
        if (res->is_list())
          for (const ConfigNode& side : res->items)
            if (side.value.is_number()) largest = std::max(largest, side.value.get<double>());
        say("res", largest > 0 ? json(fixed(largest, 0)) : res->plain(), res);
      }
    say("task", "train", list);
    trained();
  }

  void lightning() {
    for (const char* key : {"devices", "gpus"}) {
      const ConfigNode* node = at(std::string("trainer.") + key);
      if (node == nullptr) continue;
      say("num_gpus", node->is_list() ? json(node->items.size()) : node->plain(), node);
    }
    if (const ConfigNode* strategy = at("trainer.strategy"); strategy != nullptr && strategy->is_text()) {
      const std::string s = strategy->text();
      for (Claim& c : claims_of_deepspeed_name(s, config_.at(*strategy), strength::kConfig))
        out_.claims.push_back(c);
      if (s.starts_with("ddp") || s.starts_with("fsdp"))
        say("shard", s.starts_with("ddp") ? "ddp" : "fsdp", strategy);
    }
    for (const char* key : {"data.batch_size", "data.init_args.batch_size"}) move(key, "batch");
    if (const ConfigNode* path = at("model.class_path");
        path != nullptr && path->is_text() && out_.models.empty())
      model(path, path->text().substr(path->text().rfind('.') + 1));
    say("task", "train", at("trainer"));
    trained();
  }

  void accelerate() {
    move("num_processes", "num_gpus");
    if (const ConfigNode* mixed = at("mixed_precision")) say_name("mixed_precision", *mixed);
    const std::string kind = word("distributed_type");
    if (kind == "fsdp") say("shard", "fsdp", at("distributed_type"));
    if (kind == "multi_gpu") say("shard", "ddp", at("distributed_type"));
    if (const ConfigNode* stage = at("deepspeed_config.zero_stage"))
      say("shard", "zero" + dump(stage->plain()), stage);
    for (const char* key :
         {"deepspeed_config.offload_optimizer_device", "deepspeed_config.offload_param_device"})
      if (word(key) == "cpu") say("offload", 1, at(key));
    for (const char* key : {"fsdp_config.fsdp_offload_params"})
      if (word(key) == "true") say("offload", 1, at(key));
    if (const ConfigNode* steps = at("deepspeed_config.gradient_accumulation_steps"))
      say("grad_accum", steps->plain(), steps);
  }

  void deepspeed(const ConfigNode& root) {
    if (const ConfigNode* stage = root.at("zero_optimization.stage");
        stage != nullptr && stage->plain().is_number())
      say("shard", "zero" + dump(stage->plain()), stage);
    for (const char* key :
         {"zero_optimization.offload_optimizer.device", "zero_optimization.offload_param.device"})
      if (word(key) == "cpu" || word(key) == "nvme") say("offload", 1, at(key));
    for (const char* key : {"bf16", "fp16"})
      if (const ConfigNode* node = root.at(std::string(key) + ".enabled");
          node != nullptr && node->plain() == true) {
        say("precision", key, node);
        say("bits", "16mixed", node);
        if (key == std::string_view("bf16")) need_bf16(*node);
      }
    move("train_micro_batch_size_per_gpu", "batch");
    move("train_batch_size", "global_batch");
    move("gradient_accumulation_steps", "grad_accum");
    move("optimizer.type", "opt");
  }

  void detectron() {
    move("SOLVER.IMS_PER_BATCH", "global_batch");  // over all GPUs
    move("SOLVER.MAX_ITER", "steps");
    move("MODEL.NUM_GPUS", "num_gpus");
    if (const ConfigNode* side = at("INPUT.MIN_SIZE_TRAIN")) {
      double shortest = 0;
      const json v = side->plain();
      std::string digits = v.is_string() ? v.get<std::string>() : dump(v);
      for (std::size_t i = 0; i < digits.size();) {  // [640, 800] or "(640, 800)"
        std::size_t end = i;
        while (end < digits.size() && std::isdigit(static_cast<unsigned char>(digits[end]))) ++end;
        if (end > i && end - i < 6) shortest = std::max(shortest, std::stod(digits.substr(i, end - i)));
        i = end + 1;
      }
      const ConfigNode* longest = at("INPUT.MAX_SIZE_TRAIN");
      if (shortest > 0)
        say("res",
            fixed(shortest, 0) + (longest != nullptr && longest->plain().is_number()
                                      ? "x" + fixed(longest->plain().get<double>(), 0)
                                      : ""),
            side);
    }
    if (word("SOLVER.AMP.ENABLED") == "true") {
      say("precision", "amp", at("SOLVER.AMP.ENABLED"));
      say("bits", "16mixed", at("SOLVER.AMP.ENABLED"));
    }
    say("arch", "detection", at("MODEL"));
    std::string name = at("MODEL.META_ARCHITECTURE") != nullptr ? at("MODEL.META_ARCHITECTURE")->text() : "";
    if (const ConfigNode* depth = at("MODEL.RESNETS.DEPTH"))
      model(depth, (name.empty() ? "" : name + "-") + "resnet" + dump(depth->plain()));
    else if (const ConfigNode* backbone = at("MODEL.BACKBONE.NAME"))
      model(backbone);
    else if (const ConfigNode* arch = at("MODEL.META_ARCHITECTURE"))
      model(arch);
    say("opt", "momentum", at("SOLVER"), true);
    say("task", "train", at("SOLVER"));
    trained();
  }

  void openmmlab() {
    move("train_dataloader.batch_size", "batch");
    move("data.samples_per_gpu", "batch");
    move("train_cfg.max_epochs", "epochs");
    move("runner.max_epochs", "epochs");
    move("train_cfg.max_iters", "steps");
    move("optim_wrapper.optimizer.type", "opt");
    model(at("model.backbone.type"));
    say("task", "train", at("model"));
    trained();
  }

  const ConfigNode* find_anywhere(const ConfigNode& node, std::string_view key, int depth = 0) const {
    if (const ConfigNode* found = node.at(key)) return found;
    if (depth < 3)
      for (const auto& [name, value] : node.entries)
        if (const ConfigNode* found = find_anywhere(value, key, depth + 1)) return found;
    return nullptr;
  }

  void trained() {
    out_.trains = true;
    out_.saves = true;
    out_.resumes = true;  // each of these frameworks can go on from what it saved
  }

  const MergedConfig& config_;
  ProgramReading& out_;
};

}  // namespace

std::string framework_of(const ConfigNode& root) {
  const auto has = [&](std::string_view path) { return root.has(path); };
  if (!root.is_map()) return {};
  if (has("model._component_")) return "torchtune";
  if (has("model_name_or_path") &&
      (has("finetuning_type") || has("stage") || has("cutoff_len") || has("template")))
    return "llamafactory";
  if (has("base_model") &&
      (has("datasets") || has("adapter") || has("micro_batch_size") || has("sequence_len")))
    return "axolotl";
  if (has("checkpoint_dir") && (has("train") || has("precision") || has("lora_r"))) return "litgpt";
  if (has("model_name") && has("train.max_tokens")) return "litgpt";
  if ((has("model") || has("model_id")) &&
      (has("tuner_type") || has("train_type") || has("sft_type") || has("rlhf_type")))
    return "swift";
  if (has("config.process")) return "ai-toolkit";
  if (has("zero_optimization") || has("train_micro_batch_size_per_gpu")) return "deepspeed";
  if (has("compute_environment") || (has("distributed_type") && has("num_processes"))) return "accelerate";
  if (has("SOLVER") && has("MODEL")) return "detectron2";
  if (has("optim_wrapper") || has("train_dataloader.dataset") || has("data.samples_per_gpu"))
    return "openmmlab";
  if (has("trainer") && root.at("trainer")->is_map() &&
      (has("trainer.max_epochs") || has("trainer.devices") || has("trainer.precision") ||
       has("trainer.max_steps") || has("trainer.accelerator")))
    return "lightning";
  for (const char* key : {"network_module", "network_dim", "network_alpha", "blocks_to_swap"}) {
    if (has(key)) return "kohya";
    for (const auto& [name, section] : root.entries)
      if (section.has(key)) return "kohya";
  }
  return {};
}

bool runs_by_itself(std::string_view framework) {
  return !framework.empty() && framework != "accelerate" && framework != "deepspeed";
}

void take_config(const MergedConfig& config, const std::string& framework, ProgramReading& into) {
  Taker(config, into).take(framework);
}

}  // namespace vastgpu
