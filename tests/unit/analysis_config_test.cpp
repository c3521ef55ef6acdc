#include "analysis/config_claims.h"
#include "analysis/config_node.h"
#include "analysis/program_reading.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {

std::string counts(const ProgramReading& r, std::string_view setting) {
  ClaimBook book;
  book.add(r.claims);
  const auto e = book.settle(setting);
  if (!e) return "";
  return (e->value.is_string() ? e->value.get<std::string>() : dump(e->value)) + " " + e->source;
}

ProgramReading read(const TempFolder& project, ProgramRequest request = {}) {
  ProjectFiles files(project.path());
  return read_program(files, request);
}

/// The value alone, for tables of formats.
std::string value(const ProgramReading& r, std::string_view setting) {
  const std::string both = counts(r, setting);
  return both.substr(0, both.find(' '));
}

}  // namespace

TEST_CASE("configurations are one tree with lines, whatever they are written in") {
  std::vector<std::string> warnings;
  const auto yaml =
      parse_config("a: &x\n  b: 1e9\n  c: 'yes'\nd:\n  <<: *x\n  b: 2_048\nb: 1\nb: 3\n", "a.yaml", warnings);
  REQUIRE(yaml);
  CHECK(yaml->at("a.b")->plain() == 1'000'000'000);
  CHECK(yaml->at("a.c")->plain() == "yes");
  CHECK(yaml->at("d.c")->plain() == "yes");
  CHECK(yaml->at("d.b")->plain() == 2048);
  CHECK(yaml->at("d.b")->line == 6);
  CHECK(yaml->at("b")->plain() == 3);
  CHECK(warnings == std::vector<std::string>{"a.yaml: b (line 8) stands twice, the last one counts"});
  const auto toml = parse_config("[train]\nlr = 1e-4\nres = [512, 768]\n", "a.toml", warnings);
  REQUIRE(toml);
  CHECK(toml->at("train.res")->line == 3);
  CHECK(toml->at("train.res")->plain() == json::array({512, 768}));
  const auto tabs = parse_config("{\n\t\"a\": {\"b\": [1, 2]}\n}", "a.json", warnings);
  REQUIRE(tabs);
  CHECK(tabs->at("a.b")->plain() == json::array({1, 2}));
}

TEST_CASE("aliases that multiply, depth and rubbish are refused in words") {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'l'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) bomb += std::string(i > 0 ? ",*" : "*") + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  for (const auto& [name, text, why] :
       {std::tuple<std::string, std::string, std::string>{"b.yaml", bomb, "aliases that multiply"},
        {"d.yaml", std::string(100'000, '['), "nests too deep"},
        {"d.toml", "a = " + std::string(100'000, '['), "line 1"},
        {"k.toml", "[:a]\n", "line 1"},
        {"d.json", std::string(50'000, '['), "not JSON"},
        {"t.yaml", "a: 1\n\tb: 2\n", "line 2"}}) {
    CAPTURE(name);
    std::vector<std::string> warnings;
    CHECK_FALSE(parse_config(text, name, warnings));
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].find(name + " was skipped") == 0);
    CHECK(warnings[0].find(why) != std::string::npos);
  }
  std::vector<std::string> warnings;
  const auto far = parse_config("a: 1e999\nb: .inf\n", "n.yaml", warnings);
  REQUIRE(far);
  CHECK(far->at("a")->plain().is_null());
}

TEST_CASE("each framework's file says what it says there") {
  struct Case {
    std::string file, text, command;
    std::vector<std::pair<std::string, std::string>> expected;
  };
  const auto c = GENERATE(
      Case{"lf.yaml",
           "model_name_or_path: acme/chat-8b\nstage: sft\nfinetuning_type: lora\nquantization_bit: "
           "4\ncutoff_len: 2048\n"
           "per_device_train_batch_size: 2\ngradient_accumulation_steps: 8\nnum_train_epochs: 3.0\nbf16: "
           "true\ndeepspeed: ds_z3_offload_config.json\n",
           "llamafactory-cli train lf.yaml",
           {{"method", "qlora"},
            {"bits", "4"},
            {"seq", "2048"},
            {"batch", "2"},
            {"grad_accum", "8"},
            {"epochs", "3.0"},
            {"shard", "zero3"},
            {"offload", "1"},
            {"gc", "1"},
            {"precision", "bf16"},
            {"model", "acme/chat-8b"}}},
      Case{"tt.yaml",
           "model:\n  _component_: torchtune.models.llama3.lora_llama3_8b\n  lora_rank: 16\ntokenizer:\n  "
           "max_seq_len: 4096\n"
           "batch_size: 2\nepochs: 1\noptimizer:\n  _component_: bitsandbytes.optim.PagedAdamW8bit\ndtype: "
           "bf16\n"
           "enable_activation_checkpointing: True\noptimizer_in_bwd: False\ndataset:\n  packed: True\n",
           "tune run lora_finetune_single_device --config tt.yaml batch_size=4",
           {{"method", "lora"},
            {"bits", "16"},
            {"seq", "4096"},
            {"batch", "4"},
            {"rank", "16"},
            {"opt", "adamw8bit"},
            {"gc", "1"},
            {"packed", "1"},
            {"opt_in_backward", "0"},
            {"model", "llama3_8b"}}},
      Case{"lit.yaml",
           "checkpoint_dir: checkpoints/acme/base-2b\nprecision: bf16-true\nquantize: null\ndevices: "
           "2\nlora_r: 32\ntrain:\n"
           "  micro_batch_size: 1\n  max_seq_length: 512\n  epochs: 4\n",
           "litgpt finetune --config lit.yaml",
           {{"bits", "16"},
            {"num_gpus", "2"},
            {"rank", "32"},
            {"batch", "1"},
            {"seq", "512"},
            {"epochs", "4.0"},
            {"method", "lora"},
            {"model", "acme/base-2b"}}},
      Case{"k.toml",
           "[model]\npretrained_model_name_or_path = \"acme/pictures\"\n[net]\nnetwork_module = "
           "\"networks.lora\"\nnetwork_dim = 16\n"
           "[run]\nresolution = \"1024,1024\"\ntrain_batch_size = 1\nmax_train_steps = 1600\nmixed_precision "
           "= \"bf16\"\n"
           "optimizer_type = \"AdamW8bit\"\ncache_latents = true\nblocks_to_swap = 12\n",
           "accelerate launch train_network.py --config_file k.toml",
           {{"method", "lora"},
            {"rank", "16"},
            {"res", "1024"},
            {"steps", "1600.0"},
            {"bits", "16"},
            {"opt", "adamw8bit"},
            {"te_cached", "1"},
            {"blocks_to_swap", "12"}}},
      Case{"ai.yaml",
           "job: extension\nconfig:\n  process:\n    - network: {type: lora, linear: 8}\n      datasets:\n   "
           "     - resolution: [512, 768]\n"
           "      train: {batch_size: 1, steps: 2000, gradient_checkpointing: true, optimizer: adamw8bit, "
           "dtype: bf16}\n"
           "      model: {name_or_path: acme/flux, quantize: true}\n",
           "",
           {{"method", "qlora"},
            {"rank", "8"},
            {"res", "768"},
            {"steps", "2000.0"},
            {"bits", "8"},
            {"gc", "1"},
            {"model", "acme/flux"}}},
      Case{"li.yaml",
           "trainer:\n  devices: 4\n  precision: 16-mixed\n  max_epochs: 10\n  strategy: "
           "deepspeed_stage_2\ndata:\n  batch_size: 64\n",
           "",
           {{"num_gpus", "4"}, {"bits", "16mixed"}, {"epochs", "10.0"}, {"shard", "zero2"}, {"batch", "64"}}},
      Case{"d2.yaml",
           "_BASE_: base/r50.yaml\nSOLVER:\n  IMS_PER_BATCH: 8\nMODEL:\n  RESNETS: {DEPTH: 101}\n",
           "",
           {{"global_batch", "8"}, {"steps", "90000.0"}, {"res", "800x1333"}, {"arch", "detection"}}});
  CAPTURE(c.file);
  TempFolder project;
  project.write(c.file, c.text);
  project.write("train_network.py", "");
  project.write("base/r50.yaml",
                "SOLVER: {IMS_PER_BATCH: 16, MAX_ITER: 90000}\nINPUT: {MIN_SIZE_TRAIN: '(640, 800)', "
                "MAX_SIZE_TRAIN: 1333}\n");
  if (c.command.empty()) std::filesystem::remove(project.path() / "train_network.py");
  const auto r = read(project, {.command = c.command});
  CHECK(r.config == c.file);
  for (const auto& [setting, expected] : c.expected) {
    CAPTURE(setting, counts(r, setting));
    CHECK(value(r, setting) == expected);
  }
  CHECK(r.checkpoints());
}

TEST_CASE("a launch line beats its configuration, that beats the script's defaults; others are not read") {
  TempFolder project;
  project.write("train.py",
                "import argparse, yaml\np = argparse.ArgumentParser()\np.add_argument('--config')\n"
                "p.add_argument('--batch_size', default=1)\np.add_argument('--epochs', default=1)\n"
                "p.add_argument('--max_length', default=128)\ncfg = "
                "yaml.safe_load(open(p.parse_args().config))\nloss.backward()\n");
  project.write("conf/a.yaml", "train:\n  batch_size: 2\n  epochs: 2\nvalidation:\n  batch_size: 64\n");
  project.write("conf/b.yaml", "train:\n  epochs: 50\n");
  auto r = read(project, {.command = "python train.py --config conf/a.yaml --batch_size 3"});
  CHECK(counts(r, "batch") == "3 the command given");
  CHECK(counts(r, "epochs") == "2.0 conf/a.yaml:3");
  CHECK(counts(r, "seq") == "128 train.py:6 (default)");
  CHECK(r.config_why == "named by the launch line");

  r = read(project);  // which of the two it will be, nobody says
  CHECK(r.config.empty());
  CHECK(counts(r, "epochs") == "1.0 train.py:5 (default)");
  CHECK(join(r.warnings, "\n").find("say the command") != std::string::npos);
}

TEST_CASE("Hydra's defaults are followed, and what the launch line chooses replaces them") {
  TempFolder project;
  project.write("main.py",
                "@hydra.main(config_path='conf', config_name='main')\ndef run(cfg):\n    loss.backward()\n"
                "if __name__ == '__main__':\n    run()\n");
  project.write("conf/main.yaml", "defaults:\n  - model: small\n  - _self_\nbatch_size: 8\n");
  project.write("conf/model/small.yaml", "num_layers: 6\n");
  project.write("conf/model/large.yaml", "num_layers: 48\n");
  auto r = read(project);
  CHECK(r.config == "conf/main.yaml");
  CHECK(r.config_why == "named in main.py:1");
  CHECK(counts(r, "layers") == "6 conf/model/small.yaml:1");
  r = read(project, {.command = "python main.py model=large batch_size=16"});
  CHECK(counts(r, "layers") == "48 conf/model/large.yaml:1");
  CHECK(counts(r, "batch") == "16 the command given");
}

TEST_CASE("accelerate and DeepSpeed add to a run; auto says nothing") {
  TempFolder project;
  project.write("train.py", "args = TrainingArguments(deepspeed='ds.json')\nTrainer(args=args).train()\n");
  project.write("ds.json",
                "{\"zero_optimization\": {\"stage\": 3, \"offload_param\": {\"device\": \"cpu\"}},\n "
                "\"bf16\": {\"enabled\": \"auto\"},\n"
                " \"train_micro_batch_size_per_gpu\": \"auto\"}\n");
  project.write(
      "acc.yaml",
      "compute_environment: LOCAL\nnum_processes: 8\nmixed_precision: bf16\ndistributed_type: DEEPSPEED\n");
  const auto r = read(project, {.command = "accelerate launch --config_file acc.yaml train.py"});
  CHECK(counts(r, "num_gpus") == "8 acc.yaml:2");
  CHECK(counts(r, "shard") == "zero3 ds.json:1");
  CHECK(counts(r, "offload") == "1 ds.json:1");
  CHECK(counts(r, "batch") == "8 train.py:1 (TrainingArguments default)");
  CHECK(counts(r, "precision") == "bf16 acc.yaml:3");
}

TEST_CASE("configurations that follow each other in a circle end") {
  TempFolder project;
  project.write("train.py", "loss.backward()\n");
  project.write("a.yaml", "_BASE_: b.yaml\nbatch_size: 2\n");
  project.write("b.yaml", "_BASE_: a.yaml\nepochs: 5\n");
  const auto r = read(project, {.command = "python train.py --config a.yaml"});
  CHECK(counts(r, "batch") == "2 a.yaml:2");
  CHECK(counts(r, "epochs") == "5.0 b.yaml:2");
  CHECK(join(r.warnings, "\n").find("a.yaml is based on itself") != std::string::npos);
}
