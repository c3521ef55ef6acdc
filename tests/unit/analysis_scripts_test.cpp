#include <algorithm>

#include "analysis/launch_line.h"
#include "analysis/program_reading.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {
/// The strongest claim about a setting; null when there is none.
json claimed(const ProgramReading& r, std::string_view setting) {
  const Claim* best = nullptr;
  for (const Claim& c : r.claims)
    if (c.setting == setting && (best == nullptr || c.strength > best->strength)) best = &c;
  return best == nullptr ? json(nullptr) : best->value;
}
std::string source_of(const ProgramReading& r, std::string_view setting) {
  const auto at = std::ranges::find(r.claims, setting, &Claim::setting);
  return at == r.claims.end() ? "" : at->source;
}
}  // namespace

TEST_CASE("comments and docstrings do not count, strings in calls do") {
  TempFolder project;
  project.write("train.py",
                "\"\"\"Uses load.from_pretrained('acme/llama-70b') # not\"\"\"\n"
                "x = M.from_pretrained('acme/a-7b#b')  # from_pretrained('acme/llama-70b')\n"
                "def f():\n"
                "    r'''doc with M.from_pretrained('acme/llama-7b')\n    more'''\n"
                "    return M.from_pretrained(\n        'acme/kept-1b'), M.from_pretrained(\n"
                "        \"\"\"acme/kept-2b\"\"\")\n"
                "f()\n");
  ProjectFiles files(project.path());
  const auto r = read_program(files, {});
  std::vector<std::string> models;
  for (const auto& m : r.models) models.push_back(m.value);
  CHECK(models == std::vector<std::string>{"acme/a-7b#b", "acme/kept-1b", "acme/kept-2b"});

  const auto lines = launches_of(
      "python run.py \\\n  --n 4 # four\n#SBATCH --gres=gpu:2\n# python no.py\npython b.py 'a # b'\n",
      "x.sh");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].option("n")->value == 4);
  CHECK(lines[0].source == "x.sh:1");
  CHECK(lines[1].words == std::vector<std::string>{"a # b"});
  CHECK(lines[1].source == "x.sh:5");
}

TEST_CASE("the entry script and its imports give model, method, precision and saving") {
  TempFolder project;
  project.write(
      "train.py",
      "# from_pretrained('llama-70b')\n"
      "import argparse\nfrom nets.body import build\n"
      "p = argparse.ArgumentParser()\n"
      "p.add_argument('--base', type=str, default='mistralai/Mistral-7B-v0.3')\n"
      "p.add_argument('--batch_size', default=12)\n"
      "args = p.parse_args()\n"
      "model = AutoModel.from_pretrained(args.base, torch_dtype=torch.bfloat16, load_in_4bit=False)\n"
      "config = LoraConfig(r=8)\n"
      "loss.backward()\n");
  project.write("nets/body.py", "net = timm.create_model(\"resnet50\")\ntorch.save(net, 'x')\n");
  project.write("unrelated.py", "m = f.from_pretrained('gpt2')\n");
  project.write("requirements.txt", "numpy\ntorch == 2.4.0+cu124 # pinned\n");
  ProjectFiles files(project.path());
  const auto h = read_program(files, {});
  CHECK(h.script == "train.py");
  REQUIRE(h.models.size() == 2);
  CHECK(h.models[0].value == "mistralai/Mistral-7B-v0.3");
  CHECK(h.models[0].source == "train.py:8");
  CHECK(h.models[1].source == "nets/body.py:1");
  CHECK(claimed(h, "method") == "lora");
  CHECK(claimed(h, "precision") == "bf16");
  CHECK(h.needs_bf16);
  CHECK(claimed(h, "batch") == 12);
  CHECK(h.trains);
  CHECK(h.saves);
  CHECK(h.torch_pin->value == "2.4.0+cu124");
  CHECK(h.torch_pin->source == "requirements.txt:2");
}

TEST_CASE("a launch line beats the script, a script named in the plan beats the others") {
  TempFolder project;
  project.write("train.py", "m = AutoModel.from_pretrained('gpt2')\n");
  project.write("tools/sweep.py", "m = torchvision.models.resnet18(weights=None)\nopt = SGD()\n");
  project.write("go.sh",
                "# torchrun --nproc_per_node=8 train.py\ntorchrun --nproc_per_node=4 train.py \\\n  "
                "--model_name_or_path Qwen/Qwen2.5-7B --bf16\n");
  ProjectFiles files(project.path());
  const auto h = read_program(files, {.planned = {"train.py"}});
  CHECK(h.script_why == "named in the plan");
  CHECK(claimed(h, "num_gpus") == 4);
  CHECK(source_of(h, "num_gpus") == "go.sh:2");
  REQUIRE(h.models.size() == 1);
  CHECK(h.models[0].value == "Qwen/Qwen2.5-7B");
  CHECK(h.needs_bf16);

  const auto sweep = read_program(files, {.planned = {"tools/sweep.py"}});
  CHECK(sweep.script == "tools/sweep.py");
  CHECK(claimed(sweep, "num_gpus").is_null());
  REQUIRE(sweep.models.size() == 1);
  CHECK(sweep.models[0].value == "resnet18");
  CHECK_FALSE(sweep.saves);
}

TEST_CASE("the newest of several entry scripts runs") {
  TempFolder project;
  namespace fs = std::filesystem;
  const auto older = project.write("train_old.py", "a = 1\n");
  project.write("train_new.py", "a = 1\n");
  fs::last_write_time(older, fs::last_write_time(older) - std::chrono::hours(5));
  ProjectFiles files(project.path());
  CHECK(read_program(files, {}).script == "train_new.py");
}

TEST_CASE("launch lines tell the number of GPUs only when they hold one") {
  CHECK(gpus_of_launch("torchrun --nproc-per-node 2 a.py") == 2);
  CHECK(gpus_of_launch("accelerate launch --num_processes=3 a.py") == 3);
  CHECK(gpus_of_launch("CUDA_VISIBLE_DEVICES=0,1,2,3 python a.py") == 4);
  CHECK(gpus_of_launch("#SBATCH --gres=gpu:2") == 2);
  CHECK_FALSE(gpus_of_launch("CUDA_VISIBLE_DEVICES=0 python a.py"));
  CHECK_FALSE(gpus_of_launch("torchrun --nproc_per_node=$N a.py"));
  CHECK_FALSE(gpus_of_launch("torchrun --nproc_per_node=gpu a.py"));
  CHECK_FALSE(gpus_of_launch("torchrun --nproc_per_node=4096 a.py"));
}

TEST_CASE("bf16 that asks the card first needs no new card") {
  TempFolder project;
  project.write(
      "main.py",
      "dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16\nloss.backward()\n");
  ProjectFiles files(project.path());
  CHECK_FALSE(read_program(files, {}).needs_bf16);
}
