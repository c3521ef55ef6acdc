#include <algorithm>

#include "analysis/analyse.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {
const Evidence& evidence(const TaskProfile& p, const std::string& quantity) {
  const auto at = std::ranges::find(p.evidence, quantity, &Evidence::quantity);
  REQUIRE(at != p.evidence.end());
  return *at;
}
bool mentions(const std::vector<std::string>& lines, std::string_view word) {
  return join(lines, "\n").find(word) != std::string::npos;
}
const char* const kPlanPath = "refine-logs/EXPERIMENT_PLAN.md";
}  // namespace

TEST_CASE("with nothing to go by, every number is a default that says so") {
  TempFolder project;
  const auto p = analyse(project.path(), {});
  CHECK(p.vram.value == 8);
  CHECK(p.gpus == 1);
  CHECK(p.disk.value == 50);
  CHECK(p.min_cuda == 12.1);
  CHECK(p.image_is_default);
  CHECK(p.max_compute_cap == 900);
  CHECK_FALSE(p.hours);
  CHECK_FALSE(p.gpu_hours);
  for (const char* q : {"vram_gib", "gpus", "disk_gb", "hours", "image"}) {
    CAPTURE(q);
    CHECK(evidence(p, q).source == "default");
    CHECK(evidence(p, q).rank == 8);
    CHECK(evidence(p, q).guess);
  }
  CHECK(mentions(p.unknown, "hours: say how long one run takes, or give the plan a total"));
  CHECK(p.newer_image);  // newer cards are not left out: they get another image

  const json j = p;
  for (const char* key :
       {"task", "model", "params_b", "vram_gib", "gpus", "gpu_hours", "hours", "reference_gpu", "disk_gb",
        "cuda", "image", "checkpoints", "evidence", "unknown", "warnings"}) {
    CAPTURE(key);
    CHECK(j.contains(key));
  }
  CHECK(j["hours"].is_null());
  CHECK(j["model"].is_null());
}

TEST_CASE("the user's words come first") {
  TempFolder project;
  project.write(kPlanPath, "## Compute Budget\n- Total GPU-hours: 90\n- Hardware: 2x RTX 3090\n");
  const auto p =
      analyse(project.path(), {.task = "fine-tune LLaMA-7B with LoRA for about 2 hours on 4 GPUs"});
  CHECK(p.gpus == 4);
  CHECK(evidence(p, "gpus").source == "user");
  CHECK(evidence(p, "gpus").overruled ==
        std::vector<std::string>{"refine-logs/EXPERIMENT_PLAN.md line 3: 2 GPUs"});
  CHECK(p.hours->count() == Approx(2.6));
  CHECK(p.gpu_hours->count() == Approx(8));
  CHECK(evidence(p, "hours").value == 2.0);
  CHECK(evidence(p, "hours").headroom == 1.3);
  CHECK(mentions(evidence(p, "hours").overruled, "90 GPU-hours"));
  CHECK(p.model == "LLaMA-7B");
  CHECK(p.vram_likely.value == Approx(18).margin(3));  // weights alone are 12.5 GiB
  CHECK(p.vram_low < p.vram_likely);
  CHECK(p.vram.value > 1.2 * p.vram_likely.value);
  CHECK(evidence(p, "vram_gib").guess);
  CHECK(evidence(p, "vram_gib").rank == 7);

  const auto told = analyse(project.path(), {.task = "2 hours, 40 GB",
                                             .hours = 5,
                                             .vram_gib = 24,
                                             .gpus = 1,
                                             .disk_gb = 80,
                                             .image = "a/b:1",
                                             .cuda = 12.4});
  CHECK(told.hours->count() == Approx(6.5));
  CHECK(told.vram.value == 24);
  CHECK(evidence(told, "vram_gib").overruled == std::vector<std::string>{"user: 40 GiB"});
  CHECK(told.gpus == 1);
  CHECK(told.disk.value == 80);
  CHECK(told.image == "a/b:1");
  CHECK(told.min_cuda == 12.4);
}

TEST_CASE("a plan's GPU-hours are divided by its GPUs and belong to its card") {
  TempFolder project;
  project.write(kPlanPath,
                "### Block 1: x\n- **Setup details**: ViT-B/16, AdamW\n## Compute Budget\n- **Total "
                "estimated GPU-hours**: 20-24h\n"
                "- **Hardware**: 2x RTX 4090\n");
  const auto p = analyse(project.path(), {});
  CHECK(p.gpus == 2);
  CHECK(p.reference_gpu == "RTX 4090");
  CHECK(p.gpu_hours->count() == Approx(24));
  CHECK(p.hours->count() == Approx(12 * 1.3));
  CHECK(evidence(p, "gpu_hours").source.find("refine-logs/EXPERIMENT_PLAN.md line 4") == 0);
  CHECK(evidence(p, "gpu_hours").source.find("20.0 to 24.0") != std::string::npos);
  CHECK(p.vram.value < 12);  // the card is what the author had, not what the work needs
}

TEST_CASE("a total that contradicts its costs gives way to the larger, and both are named") {
  TempFolder project;
  project.write(kPlanPath,
                "| M | GPU-hours |\n|--|--|\n| M0 | 10 |\n| M1 | 30 |\n\n## Budget\n- Total GPU-hours: 20\n");
  const auto p = analyse(project.path(), {});
  CHECK(p.gpu_hours->count() == 40);
  CHECK(mentions(p.warnings, "20 GPU-hours"));
  CHECK(mentions(p.warnings, "40 GPU-hours"));
}

TEST_CASE("a plan of words has no hours and says why") {
  TempFolder project;
  project.write(kPlanPath, "| M | Cost |\n|--|--|\n| M0 | Low |\n| M1 | High |\n");
  const auto p = analyse(project.path(), {});
  CHECK_FALSE(p.hours);
  CHECK(mentions(p.warnings, "words"));
  CHECK(mentions(p.unknown, "hours"));
}

TEST_CASE("what does not fit one card is spread over the fewest that hold it") {
  TempFolder project;
  const auto p = analyse(project.path(), {.task = "full fine-tune Qwen2.5-14B in bf16"});
  CHECK(p.gpus == 4);  // 118 GB of weights and states, and nobody said how long the samples are
  CHECK(p.vram.value <= 80);
  CHECK(evidence(p, "gpus").guess);
  CHECK(p.min_compute_cap == 800);
  const auto larger = analyse(project.path(), {.task = "inference with Llama-3-70B"});
  CHECK(larger.gpus == 4);
  CHECK(analyse(project.path(), {.task = "full fine-tune Qwen2.5-14B in bf16 on 8 GPUs"}).gpus == 8);
}

TEST_CASE("measured memory beats the rule, and a guessed method yields to the author's card") {
  TempFolder measured;
  measured.write(kPlanPath,
                 "- Setup details: Llama-3-8B\n- measured 30 GiB of GPU memory in the smoke run\n");
  CHECK(analyse(measured.path(), {}).vram.value == Approx(36));

  TempFolder guessed;
  guessed.write(kPlanPath, "- Setup details: Llama-3-8B, 3 epochs\n- Hardware: 1x RTX 3090\n");
  const auto p = analyse(guessed.path(), {});
  CHECK(p.vram.value == 24);
  CHECK(evidence(p, "vram_gib").rank == 6);

  TempFolder stated;
  stated.write(kPlanPath, "- Setup details: Llama-3-8B, full fine-tuning in bf16\n- Hardware: 1x RTX 3090\n");
  const auto q = analyse(stated.path(), {});
  CHECK(q.vram.value > 60);
  CHECK(mentions(q.warnings, "the larger number was kept"));
}

TEST_CASE("image, torch pin and bf16 decide which cards may serve") {
  TempFolder project;
  project.write("CLAUDE.md", "## Vast.ai\n- image: pytorch/pytorch:2.8.0-cuda12.8-cudnn9-devel\n");
  auto p = analyse(project.path(), {});
  CHECK_FALSE(p.image_is_default);
  CHECK(p.min_cuda == 12.8);
  CHECK(p.max_compute_cap == 0);
  CHECK_FALSE(mentions(p.warnings, "Blackwell"));

  project.write("requirements.txt", "torch==2.5.1\n");
  p = analyse(project.path(), {});
  CHECK(p.max_compute_cap == 900);
  CHECK(p.min_cuda == 12.8);

  TempFolder pinned;
  pinned.write("requirements.txt", "torch==2.6.0\n");
  CHECK(analyse(pinned.path(), {}).min_cuda == 12.4);
}

TEST_CASE("data decide the disk, and nonsense is refused") {
  TempFolder project;
  CHECK(analyse(project.path(), {.task = "train ResNet-50 on ImageNet"}).disk.value == 320);
  CHECK(analyse(project.path(), {.task = "train ResNet-50 on CIFAR-10"}).disk.value == 50);
  project.write(kPlanPath, "- Data: about 220 GB unpacked\n");
  CHECK(analyse(project.path(), {}).disk.value == 240);

  const auto p =
      analyse(project.path(), {.hours = -3, .vram_gib = 1e12, .gpus = 0, .image = "x y", .cuda = 0});
  CHECK_FALSE(p.hours);
  CHECK(p.vram.value == 8);
  CHECK(p.gpus == 1);
  CHECK(p.image_is_default);
  CHECK(mentions(p.warnings, "hours makes no sense"));
}

TEST_CASE("scripts speak where the user is silent") {
  TempFolder project;
  project.write("train.py",
                "model = AutoModel.from_pretrained('Qwen/Qwen2.5-7B', torch_dtype=torch.bfloat16)\nmodel = "
                "get_peft_model(model, LoraConfig())\n"
                "args = TrainingArguments(per_device_train_batch_size=4, save_steps=100)\n");
  project.write("run.sh", "torchrun --nproc_per_node=2 train.py\n");
  const auto p = analyse(project.path(), {});
  CHECK(p.model == "Qwen/Qwen2.5-7B");
  CHECK(p.gpus == 2);
  CHECK(evidence(p, "gpus").source == "run.sh:1");
  CHECK(p.vram_likely.value > 16);  // weights are 14.2 GiB; nobody said how long the samples are
  CHECK(p.vram_likely.value < 48);
  CHECK_FALSE(p.checkpoints);  // it saves, but nothing shows that it resumes
  CHECK(mentions(p.unknown, "nothing shows that it resumes"));
  CHECK(p.min_compute_cap == 800);
  CHECK(evidence(p, "batch").value == 4);
  CHECK(evidence(p, "script").source == "run.sh:1");
}
