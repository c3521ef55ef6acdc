// Laws that every estimate of memory obeys, whatever its constants, and figures that follow from arithmetic.

#include "analysis/estimate_memory.h"

#include <chrono>
#include <cmath>

#include "analysis/analyse.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {

constexpr double kGib = 1.073741824;

Workload work(const json& facts) {
  ClaimBook book;
  for (const auto& [name, value] : facts.items()) book.add({name, value, "user", rank::kUser, 0, false});
  REQUIRE(book.warnings.empty());
  auto w = make_workload(book, "");
  REQUIRE(w);
  return *std::move(w);
}
MemoryEstimate memory(const json& facts) { return estimate_memory(work(facts)); }

/// 10^9 bytes of one part; 0 where there is none.
double part(const MemoryEstimate& e, const std::string& name) {
  for (const auto& [known, gb] : e.parts)
    if (known == name) return gb;
  return 0;
}

json with(json facts, const char* name, const json& value) {
  facts[name] = value;
  return facts;
}

/// Settings of every kind of network, all of them stated.
std::vector<json> grid() {
  std::vector<json> all;
  const json stated{{"task", "train"}, {"gc", 0},    {"shard", "none"}, {"te_cached", 0},
                    {"opt", "adamw"},  {"flash", 0}, {"offload", 0}};
  const auto add = [&](const char* arch, double params_b, json more) {
    for (const char* method : {"full", "lora"})
      for (const char* bits : {"16", "16mixed", "32"})
        for (const int batch : {1, 3, 16}) {
          json f = stated;
          f.update(more);
          f.update(
              {{"arch", arch}, {"params_b", params_b}, {"method", method}, {"bits", bits}, {"batch", batch}});
          all.push_back(std::move(f));
        }
  };
  for (const double p : {0.05, 0.4, 2.0, 7.0, 40.0, 180.0})
    for (const int seq : {128, 4096}) add("llm", p, {{"seq", seq}});
  for (const double p : {0.1, 0.33}) add("encoder", p, {{"seq", 384}});
  for (const double p : {0.1, 0.3, 1.0}) add("speech", p, {{"seq", 448}});
  for (const double p : {0.005, 0.03, 0.3}) add("vision", p, {{"res", 224}});
  for (const double p : {0.03, 0.06, 0.6}) add("detection", p, {{"res", "800x1333"}});
  for (const double p : {0.03, 0.3}) add("segmentation", p, {{"res", 512}});
  for (const double p : {0.4, 0.9, 2.6, 12.0}) add("diffusion", p, {{"res", 512}});
  add("diffusion", 5, {{"res", "49x480x720"}});
  return all;
}

}  // namespace

TEST_CASE("low, likely and safe stand in order and are finite, whatever is asked") {
  for (const json& f : grid()) {
    INFO(f.dump());
    const auto e = memory(f);
    CHECK(e.low.value > 0);
    CHECK(e.low < e.likely);
    CHECK(e.likely < e.safe);
    CHECK(e.safe.value < 2 * e.likely.value);
    CHECK_FALSE(e.how.empty());
    double sum = 0;
    for (const auto& [name, gb] : e.parts) sum += gb;
    CHECK(sum / kGib == Approx(e.likely.value).epsilon(0.01));  // the parts tell where it goes
  }
}

TEST_CASE("more of a batch, a sequence or a network never needs less") {
  for (const json& f : grid()) {
    const double before = memory(f).likely.value;
    const auto grows = [&](const char* name, const json& value) {
      INFO(f.dump() << " with " << name << " " << value.dump());
      CHECK(memory(with(f, name, value)).likely.value >= before - 1e-9);
    };
    grows("batch", f["batch"].get<int>() * 2);
    grows("batch", f["batch"].get<int>() + 1);
    if (f.contains("seq")) grows("seq", f["seq"].get<int>() * 2);
    if (f.contains("res") && f["res"] == 512) grows("res", 768);
    if (f.contains("res") && f["res"] == 224) grows("res", 384);
    grows("params_b", f["params_b"].get<double>() * 1.5);
    grows("params_b", f["params_b"].get<double>() * 4);
    if (f["bits"] == "16") grows("bits", "32");
    if (f["bits"] == "16") grows("bits", "16mixed");
  }
}

TEST_CASE("fewer bits of a frozen or running model never need more") {
  for (const char* task : {"train", "infer"})
    for (const double p : {0.1, 0.5, 3.0, 8.0, 70.0, 400.0}) {
      double before = 0;
      for (const char* bits : {"4", "8", "16", "32"}) {
        const json f{{"task", task}, {"method", "lora"}, {"params_b", p}, {"arch", "llm"},  {"bits", bits},
                     {"batch", 1},   {"seq", 1024},      {"gc", 1},       {"shard", "none"}};
        INFO(f.dump());
        const double now = memory(f).likely.value;
        CHECK(now >= before - 1e-9);
        before = now;
      }
    }
  double before = 0;
  for (const char* bits : {"2", "3", "4", "5", "6", "8", "16"}) {
    const double now =
        memory({{"task", "infer"}, {"model", "llama-2-13b"}, {"bits", bits}, {"engine", "llama.cpp"}})
            .likely.value;
    CHECK(now > before);
    before = now;
  }
}

TEST_CASE("what is meant to save memory never costs any") {
  for (const json& f : grid()) {
    const double before = memory(f).likely.value;
    const auto saves = [&](const char* name, const json& value) {
      INFO(f.dump() << " with " << name << " " << value.dump());
      CHECK(memory(with(f, name, value)).likely.value <= before + 1e-9);
    };
    saves("gc", 1);
    saves("offload", 1);
    saves("te_cached", 1);
    saves("flash", 1);
    saves("liger", 1);
    saves("opt_in_backward", 1);
    for (const char* opt : {"adamw8bit", "adafactor", "momentum", "sgd", "lion", "none"}) saves("opt", opt);
    if (f["method"] == "full") saves("method", "lora");
    if (f["method"] == "full") saves("method", "head");
    if (f["method"] == "lora") saves("blocks_to_swap", 10);
  }
  const json one_layer{{"params_b", 0.05}, {"layers", 1}, {"hidden", 512}, {"bits", "16"},
                       {"arch", "llm"},    {"batch", 64}, {"seq", 512},    {"gc", 0}};
  CHECK(memory(with(one_layer, "gc", 1)).likely <= memory(one_layer).likely);
}

TEST_CASE("sharding over more GPUs never needs more on each, and tends to an equal share") {
  for (const char* shard : {"zero1", "zero2", "zero3", "fsdp", "tp", "pp"})
    for (const char* bits : {"16", "16mixed"})
      for (const double p : {0.2, 1.5, 7.0, 70.0}) {
        double before = 1e300;
        for (const int n : {2, 4, 8, 64, 512}) {
          const json f{{"params_b", p},  {"arch", "llm"},  {"method", "full"}, {"bits", bits},
                       {"shard", shard}, {"num_gpus", n},  {"batch", 1},       {"seq", 512},
                       {"gc", 1},        {"task", "train"}};
          INFO(f.dump());
          const double now = memory(f).likely.value;
          CHECK(now <= before + 1e-9);
          before = now;
        }
      }
  // 18 bytes per parameter with fp32 master weights, over 64 GPUs.
  const auto e = memory({{"params_b", 70},
                         {"arch", "llm"},
                         {"method", "full"},
                         {"bits", "16mixed"},
                         {"shard", "zero3"},
                         {"num_gpus", 64},
                         {"batch", 1},
                         {"seq", 512},
                         {"gc", 1}});
  CHECK(part(e, "weights") + part(e, "gradients") + part(e, "optimizer") ==
        Approx(18 * 70.0 / 64).epsilon(0.01));  // gradients are accumulated in fp32
  // ZeRO-1 leaves weights and gradients whole.
  const auto z1 = memory({{"params_b", 7},
                          {"arch", "llm"},
                          {"method", "full"},
                          {"bits", "16mixed"},
                          {"shard", "zero1"},
                          {"num_gpus", 64},
                          {"batch", 1},
                          {"seq", 512},
                          {"gc", 1}});
  CHECK(part(z1, "weights") == Approx(14));
  CHECK(part(z1, "gradients") == Approx(28));
}

TEST_CASE("states are bytes times parameters") {
  const json full{{"params_b", 6.738}, {"arch", "llm"}, {"method", "full"}, {"bits", "16"},   {"batch", 1},
                  {"seq", 512},        {"gc", 1},       {"opt", "adamw"},   {"task", "train"}};
  CHECK(part(memory(full), "weights") == Approx(13.476));
  CHECK(part(memory(full), "gradients") == Approx(13.476));
  CHECK(part(memory(full), "optimizer") == Approx(4 * 6.738));
  CHECK(part(memory(with(full, "bits", "32")), "optimizer") == Approx(8 * 6.738));
  CHECK(part(memory(with(full, "bits", "32")), "weights") == Approx(4 * 6.738));
  CHECK(part(memory(with(full, "opt", "adamw8bit")), "optimizer") == Approx(2 * 6.738));
  CHECK(part(memory(with(full, "opt", "sgd")), "optimizer") == 0);
  CHECK(part(memory(with(full, "offload", 1)), "optimizer") == 0);
  CHECK(part(memory(with(full, "rl", "dpo")), "weights") == Approx(2 * 13.476));  // the reference
  CHECK(part(memory({{"model", "llama-2-7b"}, {"task", "infer"}, {"bits", "16"}}), "weights") ==
        Approx(13.5).epsilon(0.01));
}

TEST_CASE("the cache of a known shape is two values per head, layer and token") {
  // 32 layers, 8 heads of 128 after grouping, 2 bytes: 131,072 bytes per token.
  const json f{{"task", "infer"}, {"params_b", 8}, {"layers", 32}, {"hidden", 4096}, {"heads", 32},
               {"kv_heads", 8},   {"bits", "16"},  {"batch", 4},   {"seq", 8192},    {"arch", "llm"}};
  CHECK(part(memory(f), "cache") == Approx(2.0 * 32 * 8 * 128 * 2 * 4 * 8192 / 1e9));
  CHECK(part(memory(with(f, "kv_heads", 32)), "cache") == Approx(4 * part(memory(f), "cache")));
  CHECK(part(memory({{"model", "llama-2-7b"}, {"task", "infer"}, {"seq", 4096}, {"batch", 1}}), "cache") ==
        Approx(524'288.0 * 4096 / 1e9));
}

TEST_CASE("a loss holds its logits, unless it is computed in pieces") {
  const json f{{"params_b", 1}, {"arch", "llm"},    {"method", "lora"}, {"bits", "16"},   {"batch", 2},
               {"seq", 2048},   {"vocab", 152'000}, {"gc", 1},          {"task", "train"}};
  CHECK(part(memory(f), "logits") == Approx(10.0 * 2 * 2048 * 152'000 / 1e9));
  CHECK(part(memory(with(f, "liger", 1)), "logits") == Approx(1.0 * 2 * 2048 * 152'000 / 1e9));
  CHECK(part(memory(with(f, "rl", "dpo")), "logits") == Approx(2 * part(memory(f), "logits")));
}

TEST_CASE("an engine that takes its share of the card needs a card for that share") {
  const json f{{"model", "llama-2-7b"}, {"task", "infer"}, {"bits", "16"}, {"engine", "vllm"}, {"seq", 4096}};
  const double whole = memory(with(f, "gpu_memory_utilization", 0.9)).likely.value;
  CHECK(memory(with(f, "gpu_memory_utilization", 0.5)).likely.value > 1.5 * whole);
  CHECK(whole > (13.5 + 2.1 + 3) / kGib / 0.9);
}

TEST_CASE("rollouts of reinforcement learning need a copy of the weights beside the training") {
  const json f{{"model", "qwen2.5-7b"}, {"task", "train"}, {"method", "lora"}, {"bits", "16"},
               {"rl", "grpo"},          {"batch", 1},      {"seq", 1024},      {"gc", 1}};
  const double alone = memory(f).likely.value;
  CHECK(memory(with(f, "engine", "vllm")).likely.value > alone + 2 * 7.6 / kGib);
  CHECK(memory(with(with(f, "engine", "vllm"), "rl", "dpo")).likely.value ==
        Approx(memory(with(f, "rl", "dpo")).likely.value));  // nothing is generated
}

TEST_CASE("a frozen network under a trained head keeps little") {
  const json f{{"model", "resnet50"}, {"task", "train"}, {"method", "full"},
               {"bits", "32"},        {"batch", 64},     {"res", 224}};
  CHECK(part(memory(with(f, "method", "head")), "activations") < 0.2 * part(memory(f), "activations"));
}

TEST_CASE("weights are taken as their publisher made them") {
  const auto e = memory(
      {{"model", "deepseek-v3"}, {"task", "infer"}, {"engine", "sglang"}, {"shard", "tp"}, {"num_gpus", 8}});
  CHECK(e.safe.value < 141 * 0.97);  // eight cards of 141 GB do hold it
  CHECK(e.likely.value > 671.0 / 8 / kGib);
  CHECK(part(memory({{"model", "gpt-oss-20b"}, {"task", "infer"}}), "weights") < 16);
}

TEST_CASE("what is assumed widens the interval and names the fact that would settle it") {
  const json stated{
      {"model", "llama-2-7b"}, {"task", "train"}, {"method", "lora"}, {"bits", "16"}, {"batch", 1},
      {"seq", 1024},           {"gc", 1}};
  const auto known = memory(stated);
  CHECK(known.assumed.empty());
  CHECK(known.settles.empty());
  json less = stated;
  less.erase("seq");
  const auto guessed = memory(less);
  CHECK(guessed.assumed == std::vector<std::string>{"seq"});
  CHECK(guessed.settles == "seq");
  CHECK(guessed.safe.value / guessed.likely.value > known.safe.value / known.likely.value);
  CHECK(guessed.low.value / guessed.likely.value < known.low.value / known.likely.value);
  less = stated;
  less.erase("gc");
  CHECK(memory(less).safe.value >= known.safe.value);  // perhaps nobody recomputes
}

TEST_CASE("absurd but legal settings give finite numbers and a short answer") {
  const TempFolder empty;
  for (const char* arch :
       {"llm", "encoder", "speech", "vision", "detection", "segmentation", "diffusion", "rl"})
    for (const char* task : {"train", "infer"})
      for (const json& more : std::initializer_list<json>{
               {{"batch", 1'000'000}, {"seq", 20'000'000}, {"params_b", 5000}, {"num_gpus", 4096}},
               {{"params_b", 1e-6}, {"batch", 1}, {"seq", 1}, {"res", 1}},
               {{"params_b", 5000},
                {"layers", 1000},
                {"hidden", 100'000},
                {"ffn", 500'000},
                {"vocab", 5'000'000},
                {"rank", 4096},
                {"views", 1000},
                {"frames", 100'000},
                {"res", "999999x999999"}},
               {{"params_b", 1}, {"layers", 1}, {"hidden", 8}, {"heads", 1000}, {"blocks_to_swap", 200}},
               {{"layers", 1000}, {"hidden", 16'384}}}) {
        json f = more;
        f["arch"] = arch;
        f["task"] = task;
        INFO(f.dump());
        const auto e = memory(f);
        CHECK(std::isfinite(e.likely.value));
        CHECK(std::isfinite(e.safe.value));
        CHECK(e.low.value > 0);
        CHECK(e.low <= e.likely);
        CHECK(e.likely <= e.safe);
        TaskRequest request;
        request.facts = f;
        const auto p = analyse(empty.path(), request);
        CHECK(std::isfinite(p.vram.value));
        CHECK(p.vram_low <= p.vram_likely);
        CHECK(p.vram_likely <= p.vram);
        CHECK(dump(json(p)).size() < 20'000);
      }
}

TEST_CASE("a checkpoint of adapters is small, one of everything holds its states") {
  const json full{{"params_b", 7}, {"arch", "llm"}, {"method", "full"}, {"task", "train"}};
  CHECK(checkpoint_size(work(full)).value == Approx(98));
  CHECK(checkpoint_size(work(with(full, "method", "lora"))).value < 0.6);
  CHECK(checkpoint_size(work(with(full, "task", "infer"))).value == 0);
}
