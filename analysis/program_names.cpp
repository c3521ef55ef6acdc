#include "analysis/program_names.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "core/text.h"

namespace vastgpu {
namespace {

struct Spelling {
  std::string_view names;  ///< divided by blanks
  std::string_view setting;
  bool in_calls = false;  ///< says the same as an argument of any call
};

// Only names that mean one thing in training code; of "dim" or "rank" alone an option is the better witness.
constexpr auto kSpellings = std::to_array<Spelling>({
    {"per_device_train_batch_size train_micro_batch_size_per_gpu micro_batch_size device_batch_size "
     "per_gpu_train_batch_size per_device_batch_size micro_batch_size_per_gpu batch_size_per_gpu "
     "batch_size_per_device samples_per_gpu",
     "batch", true},
    {"batch_size train_batch_size batchsize bs mbs bsz train_bs train_bsz micro_bsz batch_size_train "
     "training_batch_size",
     "batch"},
    {"ims_per_batch global_batch_size total_batch_size effective_batch_size", "global_batch", true},
    {"gradient_accumulation_steps grad_accumulation_steps gradient_accumulation_iters "
     "accumulate_grad_batches gradient_accumulation grad_accum_steps accumulation_steps",
     "grad_accum", true},
    {"accum_steps grad_accum accum_iter accumulation grad_acc_steps acc_steps", "grad_accum"},
    {"max_seq_length max_seq_len cutoff_len sequence_len model_max_length max_model_len block_size "
     "context_length max_sequence_length",
     "seq", true},
    {"seq_len seq_length sequence_length max_length ctx_len max_len max_source_length max_context_length "
     "n_ctx max_tokens_per_sample",
     "seq"},
    {"num_train_epochs max_epochs num_epochs n_epochs total_epochs", "epochs", true},
    {"epochs epoch train_epochs training_epochs", "epochs"},
    {"max_train_steps max_steps max_iters num_training_steps train_steps", "steps", true},
    {"total_steps num_train_steps num_iterations iterations max_iter total_iters training_steps num_iters "
     "train_iters n_iters max_updates max_update",
     "steps"},
    {"resolution img_size image_size imgsz input_size im_size image_resolution input_resolution train_size",
     "res"},
    {"lora_rank lora_r network_dim lora_dim", "rank", true},
    {"gradient_checkpointing use_gradient_checkpointing activation_checkpointing use_gc grad_checkpoint "
     "enable_activation_checkpointing grad_checkpointing checkpoint_activations "
     "recompute_activations",
     "gc", true},
    {"optim optimizer_type optimizer optimizer_name", "opt"},
    {"finetuning_type tuner_type train_type peft_type adapter", "method"},
    {"packing sample_packing packed", "packed", true},
    {"use_liger_kernel enable_liger_kernel use_liger liger_fused_linear_cross_entropy "
     "liger_kernel cut_cross_entropy",
     "liger", true},
    {"optimizer_in_bwd fused_backward_pass", "opt_in_backward"},
    {"use_flash_attn flash_attention use_flash_attention use_flash_attention_2 flash_attn flash_attn_2 "
     "enable_xformers_memory_efficient_attention xformers sdp_attention sdpa xformers_attention",
     "flash", true},
    {"cache_text_encoder_outputs cache_latents cache_text_embeddings", "te_cached"},
    {"blocks_to_swap", "blocks_to_swap"},
    {"gpu_memory_utilization vllm_gpu_memory_utilization", "gpu_memory_utilization", true},
    {"max_new_tokens", "new_tokens", true},
    {"num_frames n_frames", "frames"},
    {"save_total_limit checkpoints_total_limit", "save_total_limit", true},
    {"cpu_offload offload_optimizer_device offload_param_device fsdp_cpu_offload", "offload"},
    {"n_layer n_layers num_hidden_layers num_layers n_blocks", "layers", true},
    {"depth", "layers"},
    {"n_embd n_embed d_model hidden_size", "hidden", true},
    {"embed_dim embedding_dim model_dim dim emb_dim hidden_dim", "hidden"},
    {"n_head n_heads num_heads nhead num_attention_heads", "heads", true},
    {"heads", "heads"},
    {"n_kv_heads num_key_value_heads n_kv_head", "kv_heads", true},
    {"intermediate_size d_ff dim_feedforward ffn_dim mlp_dim", "ffn", true},
    {"vocab_size n_vocab num_embeddings vocabulary_size", "vocab", true},
    {"num_seeds n_seeds num_runs", "runs"},
    {"num_samples num_train_samples max_train_samples max_samples train_samples num_train_images", "samples"},
    {"train_tokens max_train_tokens total_tokens num_train_tokens", "tokens"},
    {"total_timesteps", "samples"},  // of an environment; not optimizer steps
});

const Spelling* find_spelling(const std::string& key) {
  static const auto kIndex = [] {
    std::unordered_map<std::string_view, const Spelling*> index;
    for (const Spelling& s : kSpellings)
      for (std::string_view rest = s.names; !rest.empty();) {
        const std::size_t end = std::min(rest.find(' '), rest.size());
        if (end > 0) index.emplace(rest.substr(0, end), &s);
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    return index;
  }();
  const auto found = kIndex.find(key);
  return found == kIndex.end() ? nullptr : found->second;
}

std::optional<bool> truth_of(const json& v) {
  if (v.is_boolean()) return v.get<bool>();
  if (v.is_number()) return v.get<double>() != 0;
  if (!v.is_string()) return std::nullopt;
  const std::string s = to_lower(trim(v.get_ref<const std::string&>()));
  if (s == "true" || s == "yes" || s == "on" || s == "1") return true;
  if (s == "false" || s == "no" || s == "off" || s == "0" || s == "none" || s.empty()) return false;
  return std::nullopt;
}

std::string word_of(const json& v) { return to_lower(trim(v.is_string() ? v.get<std::string>() : dump(v))); }

/// Resolutions come as 512, [800, 1333], "512,768" or "(224, 224)".
json resolution_of(const json& v) {
  std::vector<std::string> sides;
  if (v.is_array()) {
    for (const json& side : v)
      if (side.is_number()) sides.push_back(dump(side));
  } else {
    std::string side;
    for (const char c : word_of(v).substr(0, 60) + ",") {
      if (c >= '0' && c <= '9') {
        side += c;
      } else {
        if (!side.empty()) sides.push_back(side);
        side.clear();
      }
    }
  }
  if (sides.empty() || sides.size() > 3) return nullptr;
  if (std::ranges::all_of(sides, [&](const auto& s) { return s == sides.front(); })) return sides.front();
  return join(sides, "x");
}

struct Writer {
  std::vector<Claim>& out;
  const std::string& source;
  int strength;

  void operator()(std::string_view setting, const json& value) const {
    add_claim(out, setting, value, source, strength);
  }
};

/// Names whose value has to be understood first. True when the name was one of them.
bool take_special(const std::string& key, const json& v, const Writer& say) {
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, key) != names.end();
  };
  if (is({"load_in_4bit", "load_in_8bit"})) {
    if (truth_of(v) == true) say("bits", key == "load_in_4bit" ? 4 : 8);
  } else if (is({"quantization_bit", "quant_bits", "quantize", "quantization", "quant_method_bits"})) {
    const std::string word = word_of(v);
    const bool four = word == "4" || word.find("nf4") != word.npos || word.find("fp4") != word.npos ||
                      word == "awq" || word == "gptq" || word == "bitsandbytes";
    if (four)
      say("bits", 4);
    else if (word == "8" || word.find("int8") != word.npos || truth_of(v) == true)
      say("bits", 8);
  } else if (is({"fp16", "bf16", "use_fp16", "use_bf16", "half"})) {
    if (truth_of(v) == true) say("precision", key.find("bf16") != key.npos ? "bf16" : "fp16");
  } else if (is({"amp", "use_amp", "mixed", "fp16_run"})) {
    const auto on = truth_of(v);
    if (on == true) {
      say("precision", "amp");
      say("bits", "16mixed");
    } else if (on == false) {
      say("precision", "fp32");
    }
  } else if (is({"full_fp16", "full_bf16"})) {
    if (truth_of(v) == true) say("bits", 16);
  } else if (is({"fp8_base", "fp8"})) {
    if (truth_of(v) == true) say(key == "fp8" ? "precision" : "bits", key == "fp8" ? json("fp8") : json(8));
  } else if (is({"mixed_precision", "dtype", "torch_dtype", "compute_dtype", "precision"})) {
    std::string word = word_of(v);
    if (word.starts_with("torch.")) word.erase(0, 6);
    if (word == "no" || word == "32" || word == "32-true" || word == "float32" || word == "fp32") {
      say("precision", "fp32");
      say("bits", 32);
    } else {
      if (word == "16" || word == "16-mixed") word = "fp16";  // Lightning: autocast
      say("precision", word.starts_with("bf16") || word == "bfloat16" ? json("bf16") : json(word));
      if (word.ends_with("-mixed") || (key == "precision" && v.is_number()) || word_of(v) == "16-mixed")
        say("bits", "16mixed");
      else if (word.ends_with("-true"))
        say("bits", 16);
    }
  } else if (is({"attn_implementation", "_attn_implementation", "attention", "attn_impl"})) {
    const std::string word = word_of(v);
    if (word.find("flash") != word.npos || word == "sdpa" || word == "fa2") say("flash", 1);
    if (word == "eager") say("flash", 0);
  } else if (is({"use_8bit_adam"})) {
    if (truth_of(v) == true) say("opt", "adamw8bit");
  } else if (is({"use_lora", "use_peft", "lora", "enable_lora"})) {
    if (truth_of(v) == true) say("method", "lora");
  } else if (is({"use_qlora", "qlora"})) {
    if (truth_of(v) == true) say("method", "qlora");
  } else if (is({"deepspeed", "deepspeed_config", "deepspeed_config_file", "ds_config"})) {
    if (v.is_string())
      for (Claim& c : claims_of_deepspeed_name(v.get<std::string>(), say.source, say.strength))
        say.out.push_back(std::move(c));
  } else if (is({"zero_stage"})) {
    say("shard", "zero" + word_of(v));
  } else if (is({"fsdp", "use_fsdp", "enable_fsdp"})) {
    const std::string word = word_of(v);
    if (truth_of(v) == true || word.find("shard") != word.npos || v.is_array()) say("shard", "fsdp");
    if (word.find("offload") != word.npos) say("offload", 1);
  } else if (is({"tensor_parallel_size", "tensor_parallel", "tp_size"})) {
    if (v.is_number() && v.get<double>() > 1) {
      say("num_gpus", v);
      say("shard", "tp");
    } else if (v.is_number()) {
      say("num_gpus", v);
    }
  } else if (is({"resolution", "img_size", "image_size", "imgsz", "input_size", "im_size", "train_size",
                 "image_resolution", "input_resolution"})) {
    say("res", resolution_of(v));
  } else if (is({"rlhf_type", "rl_type"})) {
    say("rl", v);
  } else if (is({"rank"})) {  // also the number of a process, which is 0 or less where it is written down
    if (v.is_number() && v.get<double>() >= 2) say("rank", v);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::string name_key(std::string_view name) {
  while (name.starts_with('-')) name.remove_prefix(1);
  std::string key = to_lower(name.substr(0, 100));
  std::ranges::replace(key, '-', '_');
  return key;
}

void add_claim(std::vector<Claim>& into, std::string_view setting, const json& value,
               const std::string& source, int strength, bool guess) {
  const Setting* known = find_setting(setting);
  if (known == nullptr || value.is_null()) return;
  auto canonical = canonical_value(*known, value);
  if (canonical)
    into.push_back({std::string(known->name), *std::move(canonical), source, rank::kScript, strength, guess});
}

std::vector<Claim> claims_of_name(std::string_view name, const json& value, const std::string& source,
                                  int strength, NamePlace place) {
  std::vector<Claim> claims;
  const std::string key = name_key(name);
  const Writer say{claims, source, strength};
  if (take_special(key, value, say)) return claims;
  const Spelling* known = find_spelling(key);
  if (known == nullptr || (place == NamePlace::argument && !known->in_calls)) return claims;
  // Limits that are off: -1 steps, 0 samples.
  if (value.is_number() && value.get<double>() <= 0 && known->setting != "gc") {
    const Setting* setting = find_setting(known->setting);
    if (setting == nullptr || setting->kind != SettingKind::flag) return claims;
  }
  if (known->setting == "offload" && value.is_string() && to_lower(value.get<std::string>()) == "cpu")
    say("offload", 1);
  else
    say(known->setting, value);
  return claims;
}

std::vector<Claim> claims_of_deepspeed_name(std::string_view value, const std::string& source, int strength) {
  std::vector<Claim> claims;
  const Writer say{claims, source, strength};
  std::string word = to_lower(value.substr(value.rfind('/') + 1));
  std::erase_if(word, [](char c) { return c == '_' || c == '-'; });
  for (const char stage : {'0', '1', '2', '3'})
    for (const char* mark : {"zero", "z", "stage"})
      if (const std::size_t at = word.find(std::string(mark) + stage); at != word.npos) {
        say("shard", std::string("zero") + stage);
        if (word.find("offload", at) != word.npos) say("offload", 1);
        return claims;
      }
  return claims;
}

bool names_a_model(std::string_view name) {
  const std::string key = name_key(name);
  for (const std::string_view known : {"model",
                                       "model_name",
                                       "model_name_or_path",
                                       "model_id",
                                       "base_model",
                                       "model_path",
                                       "checkpoint_dir",
                                       "pretrained_model_name_or_path",
                                       "pretrained_model",
                                       "hf_model",
                                       "arch",
                                       "backbone",
                                       "model_type",
                                       "llm",
                                       "pretrained_model_name",
                                       "base_model_name",
                                       "model_arch",
                                       "teacher",
                                       "student",
                                       "teacher_model",
                                       "student_model",
                                       "reward_model",
                                       "ref_model",
                                       "draft_model",
                                       "vae",
                                       "teacher_model_name_or_path",
                                       "reward_model_name_or_path",
                                       "name_or_path"})
    if (key == known) return true;
  return false;
}
bool is_side_role(std::string_view name) {
  const std::string key = name_key(name);
  for (const std::string_view word :
       {"teacher", "ref_", "reference", "reward", "judge", "draft", "assistant", "vae", "text_encoder",
        "critic", "value_model", "frozen", "clip", "lpips", "perceptual"})
    if (key.find(word) != key.npos) return true;
  return key == "ref";
}
bool names_a_dataset(std::string_view name) {
  const std::string key = name_key(name);
  for (const std::string_view known :
       {"dataset", "dataset_name", "data", "train_dataset", "dataset_name_or_path", "dataset_path",
        "data_name", "dataset_id", "train_data", "datasets"})
    if (key == known) return true;
  return false;
}
bool names_a_config(std::string_view name) {
  const std::string key = name_key(name);
  for (const std::string_view known : {"config", "config_file", "cfg", "config_path", "conf", "c", "cfg_file",
                                       "yaml", "config_name", "train_config", "cn"})
    if (key == known) return true;
  return false;
}

}  // namespace vastgpu
