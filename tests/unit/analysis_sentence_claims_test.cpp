// What sentences say of the settings, and what they must not be made to say.

#include "analysis/sentence_claims.h"

#include <chrono>

#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

/// Everything that was read, brought into the table's form.
json said(std::string_view sentence) {
  json all = json::object();
  ClaimBook book;
  book.add(sentence_claims(sentence, "user", rank::kUser));
  CHECK(book.warnings.empty());  // a sentence never states what the table refuses
  for (const std::string& name : book.spoken_of()) all[name] = book.settle(name)->value;
  return all;
}

struct Row {
  const char* sentence;
  json read;  ///< nothing else may be read
};

void check(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    INFO(row.sentence);
    CHECK(said(row.sentence).dump() == row.read.dump());
  }
}

const json kNothing = json::object();

}  // namespace

TEST_CASE("batches") {
  check({{"micro batch 4", {{"batch", 4}}},
         {"batch size of 32", {{"batch", 32}}},
         {"batch_size=16", {{"batch", 16}}},
         {"batch size: 1,024", {{"batch", 1024}}},
         {"batch size per GPU 6", {{"batch", 6}}},
         {"bs 8", {{"batch", 8}}},
         {"bs=1", {{"batch", 1}}},
         {"2 images per GPU", {{"batch", 2}}},
         {"in batches of 64 images", {{"batch", 64}}},
         {"batch of 16 samples", {{"batch", 16}}},
         {"global batch size 512", {{"global_batch", 512}}},
         {"total batch 2k", {{"global_batch", 2000}}},
         {"effective batch size of 256, micro batch 2", {{"batch", 2}, {"global_batch", 256}}},
         {"batch 2 with gradient accumulation 8", {{"batch", 2}, {"grad_accum", 8}}},
         {"批大小为 8,梯度累积 4", {{"batch", 8}, {"grad_accum", 4}}}});
}

TEST_CASE("lengths") {
  check({{"seq 2048", {{"seq", 2048}}},
         {"sequence length of 4,096", {{"seq", 4096}}},
         {"max_length 2048", {{"seq", 2048}}},
         {"max_seq_length=1024", {{"seq", 1024}}},
         {"1304-token samples", {{"seq", 1304}}},
         {"512 tokens", {{"seq", 512}}},
         {"a 4k context", {{"seq", 4096}}},
         {"128k context window", {{"seq", 131'072}}},
         {"10k tokens each", {{"seq", 10'000}}},
         {"context length 32k", {{"seq", 32'768}}},
         {"1M context", {{"seq", 1'048'576}}},
         {"block size 256", {{"seq", 256}}},
         {"序列长度 4096", {{"seq", 4096}}},
         {"上下文 32k", {{"seq", 32'768}}}});
}

TEST_CASE("how much work") {
  check({{"30B tokens", {{"tokens", 30e9}}},
         {"1.5 trillion training tokens", {{"task", "train"}, {"tokens", 1.5e12}}},
         {"500M tokens of code", {{"tokens", 500e6}}},
         {"206k images", {{"samples", 206'000.0}}},
         {"1.28 million images", {{"samples", 1.28e6}}},
         {"20 photos of my dog", {{"samples", 20.0}}},
         {"my 10k chat logs", {{"samples", 10'000.0}}},
         {"118,000 COCO images", {{"samples", 118'000.0}}},
         {"2000 条", {{"samples", 2000.0}}},
         {"3 万条数据", {{"samples", 30'000.0}}},
         {"500张图片", {{"samples", 500.0}}},
         {"3-epoch schedule", {{"epochs", 3.0}, {"task", "train"}}},
         {"epochs=90", {{"epochs", 90.0}, {"task", "train"}}},
         {"0.5 epochs", {{"epochs", 0.5}, {"task", "train"}}},
         {"3 轮", {{"epochs", 3.0}}},
         {"1500 steps", {{"steps", 1500.0}}},
         {"300k iterations", {{"steps", 300'000.0}}},
         {"max_steps=2000", {{"steps", 2000.0}}},
         {"10M environment steps", {{"steps", 10e6}}},
         {"1000 步", {{"steps", 1000.0}}},
         {"with 5 random seeds", {{"runs", 5}}},
         {"3 个随机种子", {{"runs", 3}}},
         {"12k Q&A pairs (avg 350 tokens)", {{"avg_tokens", 350.0}, {"samples", 12'000.0}}},
         {"5,000 screenshots", {{"samples", 5000.0}}},
         {"answers of 512 tokens", {{"new_tokens", 512}}},
         {"generate 100k answers", {{"samples", 100'000.0}, {"task", "infer"}}},
         {"10 亿 token", {{"tokens", 1e9}}}});
}

TEST_CASE("pictures and films") {
  check({{"at 1024px", {{"res", "1024"}}},
         {"800x1333", {{"res", "800x1333"}}},
         {"512 x 512 images", {{"res", "512 x 512"}}},
         {"49x480x720", {{"res", "49x480x720"}}},
         {"inputs of 3x224x224", {{"res", "224x224"}}},
         {"resolution 768", {{"res", "768"}}},
         {"imgsz=640", {{"res", "640"}}},
         {"720p", {{"res", "720"}}},
         {"分辨率 512", {{"res", "512"}}},
         {"16 frames", {{"frames", 16}}},
         {"on 2x24GB", {{"num_gpus", 2}}}});
}

TEST_CASE("precision, and optimizers that share its words") {
  check({{"4-bit", {{"bits", "4"}}},
         {"int8 weights", {{"bits", "8"}}},
         {"fp8", {{"bits", "8"}}},
         {"8-bit Adam", {{"opt", "adamw8bit"}}},
         {"AdamW 8bit", {{"opt", "adamw8bit"}}},
         {"8-bit optimizer", {{"opt", "adamw8bit"}}},
         {"paged AdamW 32bit", kNothing},
         {"8-bit weights and 8-bit AdamW", {{"bits", "8"}, {"opt", "adamw8bit"}}},
         {"GPTQ 8-bit", {{"bits", "8"}}},
         {"an AWQ model", {{"bits", "4"}}},
         {"bf16", {{"precision", "bf16"}}},
         {"mixed precision", {{"bits", "16mixed"}, {"precision", "amp"}}},
         {"pure bf16", {{"bits", "16"}, {"precision", "bf16"}}},
         {"bf16 with fp32 master weights", {{"bits", "16mixed"}, {"precision", "bf16"}}},
         {"fp32", {{"bits", "32"}, {"precision", "fp32"}}},
         {"混合精度", {{"bits", "16mixed"}, {"precision", "amp"}}},
         {"SGD with momentum", {{"opt", "momentum"}}},
         {"Adafactor", {{"opt", "adafactor"}}}});
}

TEST_CASE("how memory is saved, and how it is not") {
  check({{"gradient checkpointing", {{"gc", 1}}},
         {"without gradient checkpointing", {{"gc", 0}}},
         {"no checkpointing", {{"gc", 0}}},
         {"DeepSpeed ZeRO-3", {{"shard", "zero3"}}},
         {"zero stage 2 with CPU offload", {{"offload", 1}, {"shard", "zero2"}}},
         {"FSDP2", {{"shard", "fsdp"}}},
         {"no offloading", kNothing},
         {"without packing", kNothing},
         {"packed, flash attention 2", {{"flash", 1}, {"packed", 1}}},
         {"cached latents", {{"te_cached", 1}}},
         {"zero-shot on 3 sets", kNothing},
         {"zero 1 shot tricks", kNothing}});
}

TEST_CASE("ranks of adapters, and what only looks like one") {
  check({{"LoRA r=8", {{"method", "lora"}, {"rank", 8}, {"task", "train"}}},
         {"LoRA rank 64", {{"method", "lora"}, {"rank", 64}, {"task", "train"}}},
         {"rank-16 LoRA", {{"method", "lora"}, {"rank", 16}, {"task", "train"}}},
         {"DoRA", {{"method", "dora"}, {"task", "train"}}},
         {"QLoRA", {{"bits", "4"}, {"method", "qlora"}, {"task", "train"}}},
         {"R50", kNothing},
         {"mask rcnn R101", kNothing},
         {"resnet50", kNothing},
         {"full fine-tuning instead of LoRA", {{"method", "full"}, {"task", "train"}}},
         {"full parameter, bf16", {{"method", "full"}, {"precision", "bf16"}}},
         {"全量微调", {{"method", "full"}, {"task", "train"}}},
         {"全参微调", {{"method", "full"}, {"task", "train"}}},
         {"linear probing", {{"method", "head"}}}});
}

TEST_CASE("what will be done, and what was done before") {
  const auto task = [](const char* sentence) { return said(sentence).value("task", "unsaid"); };
  CHECK(task("train a ViT from scratch") == "train");
  CHECK(task("pretrain a 1B model") == "pretrain");
  CHECK(task("fine-tune a pretrained model") == "train");
  CHECK(task("run inference with a pre-trained ResNet") == "infer");
  CHECK(task("serve my fine-tuned Llama with vLLM") == "infer");
  CHECK(task("serve a LoRA adapter") == "infer");
  CHECK(task("a ResNet trained on CIFAR") == "train");
  CHECK(task("evaluate the trained model") == "infer");
  CHECK(task("fine-tune it, then GPT-4 evaluates the answers") == "train");
  CHECK(task("text-to-image LoRA") == "train");
  CHECK(task("用 vLLM 部署") == "infer");
  CHECK(task("训练一个分类器") == "train");
  CHECK(task("预训练 1B 模型") == "pretrain");
  CHECK(task("加载预训练模型做推理") == "infer");
  CHECK(task("微调 Qwen") == "train");
  CHECK(task("distillation into a small student") == "train");
  CHECK(task("distilbert sentiment") == "unsaid");
  CHECK(task("embed my documents") == "infer");
  CHECK(task("hello") == "unsaid");
}

TEST_CASE("numbers of other things are not read") {
  check({{"960 hours of speech", kNothing},
         {"24-hour forecast", kNothing},
         {"GPT-4 judges", kNothing},
         {"batch normalisation", kNothing},
         {"batch norm 2d", kNothing},
         {"10 classes", kNothing},
         {"10-class problem", kNothing},
         {"RTX 4090", kNothing},
         {"A100 80GB", kNothing},
         {"on a B200", kNothing},
         {"10x 3090", kNothing},
         {"16 x 4090", kNothing},
         {"on 2024-05-17", kNothing},
         {"since 12/03/2024", kNothing},
         {"efficientnet-b4", kNothing},
         {"ViT-B/16", kNothing},
         {"16x16 patches", kNothing},
         {"seq2seq", kNothing},
         {"a vocabulary of 32k tokens", kNothing},
         {"2000 tokens per second", kNothing},
         {"50 denoising steps", kNothing},
         {"30 frames per second", kNothing},
         {"3 steps per second", kNothing},
         {"top-5 accuracy of 76.1", kNothing},
         {"learning rate 2e-4, seed 42", kNothing},
         {"4 张卡", kNothing},
         {"8 张 A100", kNothing},
         {"24 GB images", kNothing},
         {"", kNothing}});
}

TEST_CASE("a whole sentence gives all that it says") {
  check({{"LoRA SFT of Qwen2.5-7B, bf16, micro batch 2, grad accum 8, seq 4096, 3 epochs on 52k examples, "
          "rank 16",
          {{"batch", 2},
           {"epochs", 3.0},
           {"grad_accum", 8},
           {"method", "lora"},
           {"precision", "bf16"},
           {"rank", 16},
           {"samples", 52'000.0},
           {"seq", 4096},
           {"task", "train"}}},
         {"pretrain a 1.3B GPT on 30B tokens, context 2k, ZeRO-2 on 8 GPUs",
          {{"seq", 2048}, {"shard", "zero2"}, {"task", "pretrain"}, {"tokens", 30e9}}},
         {"用 LoRA 微调 Qwen2.5-7B, 2000 条数据, 3 轮, 批大小 4, 序列长度 1024",
          {{"batch", 4},
           {"epochs", 3.0},
           {"method", "lora"},
           {"samples", 2000.0},
           {"seq", 1024},
           {"task", "train"}}},
         {"训练 ResNet50 在 CIFAR-100 上 200 轮", {{"epochs", 200.0}, {"task", "train"}}}});
}

TEST_CASE("hostile sentences cost little and state nothing that the table refuses") {
  const auto started = std::chrono::steady_clock::now();
  std::string numbers, words;
  for (int i = 0; i < 2'000; ++i) {
    numbers += "9999999999,";
    words += "images of images ";
  }
  for (const std::string& text : {numbers, words, std::string(1'000'000, '1'), std::string(100'000, '\xff'),
                                  "batch " + std::string(400, '9'),
                                  std::string("batch 0, rank 0, 0 epochs, 0 images, 1e999 steps, frames 0")})
    sentence_claims(text, "user", rank::kUser);
  ClaimBook book;
  book.add(sentence_claims("batch 0, rank 0, 0 epochs and 0 images", "user", rank::kUser));
  CHECK(book.spoken_of() == std::vector<std::string>{"task"});
  CHECK(book.warnings.size() == 4);  // each is named
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(3));
}
