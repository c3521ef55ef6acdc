#include "analysis/sentence.h"
#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("the user's words are understood in English") {
  const auto s = read_sentence("fine-tune LLaMA-7B with LoRA for about 2 hours on 4 GPUs");
  CHECK(s.hours == 2.0);
  CHECK(s.gpus == 4);
  CHECK(s.method == Method::lora);
  CHECK(s.training);
  REQUIRE(s.models.size() == 1);
  CHECK(s.models[0].name == "LLaMA-7B");
  CHECK(s.models[0].params_b == 7.0);

  CHECK(read_sentence("30 minutes").hours == 0.5);
  CHECK(read_sentence("takes half an hour, needs 24GB").hours == 0.5);
  CHECK(read_sentence("takes half an hour, needs 24GB").vram_gib == 24.0);
  CHECK(read_sentence("for two to three hours").hours == 3.0);
  CHECK(read_sentence("2 days on a 4090").hours == 48.0);
  CHECK(read_sentence("2 days on a 4090").card->name == "RTX 4090");
  CHECK(read_sentence("3 seeds, 2 hours each").hours == 6.0);
  CHECK(read_sentence("QLoRA in bf16").method == Method::qlora);
  CHECK(read_sentence("LoRA with 4-bit weights").method == Method::qlora);
  CHECK(read_sentence("run inference on 20k prompts").method == Method::inference);
  CHECK(read_sentence("train it in bf16").precision == Precision::bf16);
}

TEST_CASE("and in Chinese") {
  const auto s = read_sentence("需要 40 GB 显存，大约3小时");
  CHECK(s.vram_gib == 40.0);
  CHECK(s.hours == 3.0);
  CHECK(read_sentence("两张卡，半小时").gpus == 2);
  CHECK(read_sentence("两张卡，半小时").hours == 0.5);
  CHECK(read_sentence("一个半小时").hours == 1.5);
  CHECK(read_sentence("全参微调 Qwen2.5-7B").method == Method::full);
}

TEST_CASE("numbers about other things are left alone") {
  CHECK_FALSE(read_sentence("train on 960 hours of speech").hours);
  CHECK_FALSE(read_sentence("a 24-hour forecast model").hours);
  const auto disk = read_sentence("needs 200 GB disk for a 100 GB dataset, 64 GB RAM");
  CHECK_FALSE(disk.vram_gib);
  CHECK(disk.disk_gb == 200.0);
  CHECK(disk.dataset_gb == 100.0);
  const auto card = read_sentence("on 2x A100 80GB");
  CHECK(card.gpus == 2);
  CHECK_FALSE(card.vram_gib);
  const auto total = read_sentence("about 20 GPU-hours");
  CHECK(total.gpu_hours == 20.0);
  CHECK_FALSE(total.hours);
  const auto absurd = read_sentence("for 1e999 hours");
  CHECK_FALSE(absurd.hours);
  CHECK(absurd.warnings.size() == 1);
}

TEST_CASE("models are told from words that only begin like one") {
  const auto names = [](std::string_view text) {
    std::vector<std::string> out;
    for (const auto& m : find_models(text)) out.push_back(m.name);
    return out;
  };
  CHECK(names("optimize a sample, clipping at opt-level 2, flux of alberta").size() <= 1);
  CHECK(names("train ResNet-50 on CIFAR-10") == std::vector<std::string>{"ResNet-50"});
  CHECK(names("`meta-llama/Llama-3.2-3B` and ViT-B/16") ==
        std::vector<std::string>{"meta-llama/Llama-3.2-3B", "ViT-B/16"});
  CHECK(names("训练ResNet50模型") == std::vector<std::string>{"ResNet50"});
  CHECK(names("Llama 2 13B chat") == std::vector<std::string>{"Llama 2 13B chat"});
  CHECK(find_models("gpt2-medium").at(0).params_b == 0.355);
  CHECK(find_models("GPT-2").at(0).params_b == 0.124);
  CHECK(find_models("Qwen2.5-1.5B-Instruct").at(0).params_b == 1.5);
  CHECK(find_models("bert-base-uncased").at(0).params_b == 0.11);
  CHECK(find_models("pythia-410m").at(0).params_b == Approx(0.41));
  CHECK_FALSE(find_models("my llama model").at(0).params_b);
  CHECK(model_of_id("acme/thing-3b")->params_b == 3.0);
  CHECK_FALSE(model_of_id("./checkpoints/last"));
}
