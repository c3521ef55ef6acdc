#include "analysis/program_launch.h"

#include <algorithm>

#include "analysis/program_names.h"
#include "core/text.h"

namespace vastgpu {
namespace {

bool is_config_file(std::string_view s) {
  for (const std::string_view end : {".yaml", ".yml", ".toml", ".json"})
    if (s.size() > end.size() && s.size() < 300 && s.ends_with(end)) return true;
  return false;
}

bool holds(std::string_view s, std::string_view word) { return s.find(word) != s.npos; }

class Taker {
 public:
  Taker(const LaunchLine& line, ProgramReading& out) : line_(line), out_(out) {}

  void take() {
    if (line_.gpus) say("num_gpus", *line_.gpus * line_.nodes.value_or(1), line_.gpus_by_default);
    if (line_.mixed_precision) {
      for (Claim& c :
           claims_of_name("mixed_precision", *line_.mixed_precision, line_.source, strength::kCommand))
        out_.claims.push_back(std::move(c));
    }
    for (const LaunchOption& o : line_.options) take_option(o);
    if (line_.repeats > 1) say("runs", line_.repeats);
    take_tool();
  }

 private:
  void say(std::string_view setting, const json& value, bool by_default = false) {
    add_claim(out_.claims, setting, value, line_.source,
              by_default ? strength::kEnvironment : strength::kCommand);
  }

  void model(const std::string& name, bool by_default, const std::string& role = {}) {
    const std::string shown = clean_line(trim(name), 200);
    if (shown.empty() || is_config_file(shown) || (holds(shown, "://") && holds(shown, "@"))) return;
    for (const ProgramModel& m : out_.models)
      if (m.value == shown) return;
    if (out_.models.size() < 20)
      out_.models.push_back(
          {shown, line_.source, role, by_default ? strength::kEnvironment : strength::kCommand, false});
  }

  void take_option(const LaunchOption& o) {
    if (o.value.is_null()) return;
    // Hydra and torchtune: "trainer.batch_size=4" means batch_size.
    const std::string key = name_key(o.name);
    const std::string last = key.substr(key.rfind('.') + 1);
    const int how = o.by_default ? strength::kEnvironment : strength::kCommand;
    if (last == "model_args" && o.value.is_string()) {  // lm_eval: pretrained=NAME,dtype=bfloat16
      for (const std::string& part : split(o.value.get<std::string>(), ',')) {
        const std::size_t eq = part.find('=');
        if (eq == part.npos) continue;
        if (part.substr(0, eq) == "pretrained")
          model(part.substr(eq + 1), o.by_default);
        else
          for (Claim& c : claims_of_name(part.substr(0, eq), part.substr(eq + 1), line_.source, how))
            out_.claims.push_back(std::move(c));
      }
      return;
    }
    const bool is_model = names_a_model(last) && o.value.is_string();
    if (is_model && !(line_.tool == "lm_eval" && last == "model")) {
      const bool usual = last.find("teacher") == last.npos && last.find("student") == last.npos &&
                         last.find("reward") == last.npos && last.find("ref_") == last.npos &&
                         last.find("draft") == last.npos && last != "vae";
      model(o.value.get<std::string>(), o.by_default, usual ? "" : last);
      return;
    }
    if (names_a_dataset(last) && o.value.is_string()) {
      const std::string name = clean_line(o.value.get<std::string>(), 120);
      if (!holds(name, "://") && !is_config_file(name) && out_.datasets.size() < 20)
        out_.datasets.insert(out_.datasets.begin(), {name, line_.source});
    }
    if (last == "seeds" && !o.more.empty()) say("runs", o.more.size() + 1);
    if (last == "resume_from_checkpoint" || last == "resume") out_.resumes = out_.resumes || o.value != false;
    if (line_.tool == "yolo" && last == "batch") return say("batch", o.value, o.by_default);
    if (last == "r" && line_.tool != "kohya") return;
    json value = o.value;
    if (!o.more.empty() && (last == "resolution" || last == "img_size" || last == "image_size")) {
      value = json::array({o.value});
      for (const std::string& more : o.more) value.push_back(std::atoi(more.c_str()));
    }
    for (Claim& c : claims_of_name(last, value, line_.source, how)) out_.claims.push_back(std::move(c));
  }

  bool option_on(const char* key) const {
    const LaunchOption* o = line_.option(key);
    return o != nullptr && o->value != false;
  }

  void trained() {
    out_.trains = out_.saves = out_.resumes = true;
    say("task", "train");
  }

  void take_tool() {
    const std::string& tool = line_.tool;
    const std::string& verb = line_.verb;
    if (tool == "vllm" || tool == "sglang" || tool == "tensorrt-llm" || tool == "lm_eval") {
      say("task", "infer");
      say("engine", tool == "lm_eval" ? "hf" : tool);
    } else if (tool == "torchtune") {
      trained();
      if (holds(verb, "lora"))
        say("method", "lora");
      else if (holds(verb, "full"))
        say("method", "full");
      if (holds(verb, "distributed")) say("shard", "fsdp");
      if (const LaunchOption* o = line_.option("config"); o != nullptr && o->value.is_string())
        builtin_recipe(o->value.get<std::string>());
    } else if (tool == "litgpt") {
      if (verb.starts_with("finetune") || verb == "pretrain") trained();
      if (verb == "finetune_lora" || verb == "finetune")
        say("method", option_on("quantize") ? "qlora" : "lora");
      else if (verb == "finetune_full")
        say("method", "full");
      if (verb == "pretrain") say("task", "pretrain");
    } else if (tool == "swift") {
      if (verb == "infer" || verb == "deploy" || verb == "eval") return say("task", "infer");
      trained();
      const bool named = line_.option("train_type") || line_.option("tuner_type") || line_.option("sft_type");
      if (!named)
        add_claim(out_.claims, "method", "lora", line_.source + " (swift default)", strength::kDefault);
      add_claim(out_.claims, "gc", 1, line_.source + " (swift default)", strength::kDefault);
      const LaunchOption* dtype = line_.option("torch_dtype");
      if (dtype == nullptr || (dtype->value.is_string() && holds(dtype->value.get<std::string>(), "16")))
        if (!line_.option("quant_bits") && !line_.option("load_in_4bit"))
          add_claim(out_.claims, "bits", 16, line_.source,
                    dtype == nullptr ? strength::kDefault : strength::kCommand);
    } else if (tool == "kohya") {
      trained();
      say("method", verb == "lora" ? "lora" : "full");
      const LaunchOption* mixed = line_.option("mixed_precision");
      const bool half =
          line_.mixed_precision.value_or("no") != "no" || (mixed != nullptr && mixed->value != "no");
      if (half && !option_on("fp8_base"))
        say("bits",
            verb == "lora" || option_on("full_bf16") || option_on("full_fp16") ? json(16) : json("16mixed"));
    } else if (tool == "yolo") {
      if (verb == "train") {
        trained();
        for (const auto& [name, value] :
             std::initializer_list<std::pair<const char*, json>>{{"batch", 16},
                                                                 {"res", "640"},
                                                                 {"epochs", 100},
                                                                 {"precision", "amp"},
                                                                 {"bits", "16mixed"},
                                                                 {"arch", "detection"}})
          add_claim(out_.claims, name, value, line_.source + " (yolo default)", strength::kDefault);
      } else {
        say("task", "infer");
      }
    } else if (tool == "trl") {
      trained();
      for (const char* rl : {"dpo", "ppo", "grpo", "kto", "orpo", "reward"})
        if (verb == rl) say("rl", rl);
    } else if (tool == "axolotl" || tool == "llamafactory" || tool == "autotrain") {
      if (verb.empty() || holds(verb, "train") || verb == "llm") trained();
    }
  }

  /// "llama3_1/8B_lora_single_device": the recipe that comes with torchtune, where no file of the project is
  /// meant.
  void builtin_recipe(const std::string& name) {
    const std::size_t slash = name.find('/');
    if (slash == name.npos || is_config_file(name)) return;
    const std::string size = name.substr(slash + 1, name.find('_', slash) - slash - 1);
    model(name.substr(0, slash) + "_" + size, false);
    if (holds(name, "qlora")) {
      say("method", "qlora");
      say("bits", 4);
    }
  }

  const LaunchLine& line_;
  ProgramReading& out_;
};

}  // namespace

void take_launch(const LaunchLine& line, ProgramReading& into) { Taker(line, into).take(); }

std::vector<Found<std::string>> configs_of_launch(const LaunchLine& line) {
  std::vector<Found<std::string>> found;
  std::vector<std::string> later;
  std::string folder;
  for (const LaunchOption& o : line.options)
    if (const std::string key = name_key(o.name);
        (key == "config_path" || key == "config_dir" || key == "cp") && o.value.is_string())
      folder = o.value.get<std::string>() + "/";
  for (const LaunchOption& o : line.options) {
    const std::string key = name_key(o.name);
    std::vector<std::string> values = o.more;  // an option without a value may swallow the words behind it
    if (o.value.is_string()) values.insert(values.begin(), o.value.get<std::string>());
    for (std::string& v : values) {
      if ((key == "config_name" || key == "cn") && !is_config_file(v)) v = folder + v + ".yaml";
      if (!is_config_file(v)) continue;
      if (key.find("deepspeed") != key.npos || key == "ds_config")
        later.push_back(v);
      else if (names_a_config(key) || key == "hparams" || o.value != v || !o.name.starts_with("--"))
        found.push_back({v, line.source});
    }
  }
  for (const std::string& w : line.words)
    if (is_config_file(w)) found.push_back({w, line.source});
  for (const auto& more : {line.accelerate_config, line.deepspeed_config})
    if (more) later.push_back(*more);
  for (const std::string& path : later) found.push_back({path, line.source});
  return found;
}

}  // namespace vastgpu
