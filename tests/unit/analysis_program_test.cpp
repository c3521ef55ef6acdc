#include <sys/stat.h>

#include <fstream>

#include "analysis/program_reading.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

/// The claim of a setting that counts: "8 train.py:3"; empty when nobody speaks of it.
std::string counts(const ProgramReading& r, std::string_view setting) {
  ClaimBook book;
  book.add(r.claims);
  const auto e = book.settle(setting);
  if (!e) return "";
  return (e->value.is_string() ? e->value.get<std::string>() : dump(e->value)) + " " + e->source;
}

ProgramReading read(const TempFolder& project, ProgramRequest request = {}) {
  ProjectFiles files(project.path());
  ProgramReading r = read_program(files, request);
  r.warnings.insert(r.warnings.end(), files.warnings.begin(), files.warnings.end());
  return r;
}

bool mentions(const ProgramReading& r, std::string_view word) {
  return join(r.warnings, "\n").find(word) != std::string::npos;
}

void age(const fs::path& file, int hours) {
  fs::last_write_time(file, fs::last_write_time(file) - std::chrono::hours(hours));
}

}  // namespace

TEST_CASE("constants, arithmetic, dataclasses and parsers give the values that arrive in the calls") {
  TempFolder project;
  project.write("train.py", R"(import argparse
from dataclasses import dataclass
from settings import SEQ
BATCH = 4
if False:
    BATCH = 99

@dataclass
class TrainConfig:
    epochs: int = 7

parser = argparse.ArgumentParser()
parser.add_argument("--accumulation_steps", type=int, default=2 ** 3)
args = parser.parse_args()
cfg = TrainConfig(epochs=5)
net = Transformer(d_model=512, num_layers=6, nhead=8, max_seq_len=SEQ)
loader = DataLoader(train_data, batch_size=BATCH * 2)
val_loader = DataLoader(val_data, batch_size=512)
optimizer = bnb.optim.AdamW8bit(net.parameters())
for _ in range(cfg.epochs):
    loss.backward()
)");
  project.write("settings.py", "SEQ = 8 * 128\n");
  const auto r = read(project);
  CHECK(counts(r, "batch") == "8 train.py:17");
  CHECK(counts(r, "epochs") == "5.0 train.py:15");
  CHECK(counts(r, "grad_accum") == "8 train.py:13 (default)");
  CHECK(counts(r, "seq") == "1024 settings.py:1");
  CHECK(counts(r, "hidden") == "512 train.py:16");
  CHECK(counts(r, "layers") == "6 train.py:16");
  CHECK(counts(r, "heads") == "8 train.py:16");
  CHECK(counts(r, "opt") == "adamw8bit train.py:19");
  CHECK(counts(r, "task") == "train train.py");
  REQUIRE(r.models.size() == 1);
  CHECK(r.models[0].value == "Transformer");
  CHECK(r.trains);
}

TEST_CASE("functions that nothing calls are not read, alternatives and teachers are told apart") {
  TempFolder project;
  project.write("train.py", R"(from zoo import build
def main(kind):
    if kind == "a":
        model = AutoModel.from_pretrained("acme/a-1b")
    else:
        model = AutoModel.from_pretrained("acme/b-2b")
    teacher = AutoModel.from_pretrained("acme/big-70b", torch_dtype=torch.float16)
    tokenizer = AutoTokenizer.from_pretrained("acme/words-9b")
    loss.backward()
def never():
    return AutoModel.from_pretrained("acme/unused-9b")
if __name__ == "__main__":
    main("a")
)");
  project.write("zoo.py", "def build():\n    pass\ndef old():\n    return YOLO('yolov8x.pt')\n");
  const auto r = read(project);
  REQUIRE(r.models.size() == 3);
  CHECK(r.models[0].value == "acme/a-1b");
  CHECK_FALSE(r.models[0].alternative);
  CHECK(r.models[1].value == "acme/b-2b");
  CHECK(r.models[1].alternative);
  CHECK(r.models[2].role == "teacher");
  CHECK(counts(r, "model") == "acme/a-1b train.py:4");
  CHECK(counts(r, "bits") == "");  // the teacher's precision says nothing of what is trained
}

TEST_CASE("what a trainer is not told has a value all the same") {
  TempFolder project;
  project.write("sft.py", R"(model = AutoModelForCausalLM.from_pretrained("acme/base-7b",
    quantization_config=BitsAndBytesConfig(load_in_4bit=True), attn_implementation="flash_attention_2")
lora = LoraConfig(r=64)
args = TrainingArguments(output_dir="o", per_device_train_batch_size=2, bf16=True, gradient_checkpointing=True,
                         optim="paged_adamw_8bit", save_total_limit=3)
DPOTrainer(model, args=args).train(resume_from_checkpoint=True)
)");
  const auto r = read(project);
  CHECK(counts(r, "batch") == "2 sft.py:4");
  CHECK(counts(r, "epochs") == "3.0 sft.py:4 (TrainingArguments default)");
  CHECK(counts(r, "gc") == "1 sft.py:4");
  CHECK(counts(r, "opt") == "adamw8bit sft.py:5");
  CHECK(counts(r, "method") == "qlora sft.py:3");
  CHECK(counts(r, "bits") == "4 sft.py:2");
  CHECK(counts(r, "rank") == "64 sft.py:3");
  CHECK(counts(r, "flash") == "1 sft.py:1");
  CHECK(counts(r, "rl") == "dpo sft.py:6");
  CHECK(counts(r, "save_total_limit") == "3 sft.py:5");
  CHECK(r.needs_bf16);
  CHECK(r.checkpoints());
}

TEST_CASE("the number of GPUs needs a number; wrappers alone say none") {
  TempFolder plain, told;
  plain.write(
      "train.py",
      "net = DistributedDataParallel(net)\nmp.spawn(f, nprocs=torch.cuda.device_count())\nloss.backward()\n");
  CHECK(counts(read(plain), "num_gpus") == "");
  told.write("train.py",
             "trainer = pl.Trainer(devices=4, precision='bf16-mixed', max_epochs=3, "
             "strategy='fsdp')\ntrainer.fit(net)\n");
  const auto r = read(told);
  CHECK(counts(r, "num_gpus") == "4 train.py:1");
  CHECK(counts(r, "bits") == "16mixed train.py:1");
  CHECK(counts(r, "shard") == "fsdp train.py:1");
}

TEST_CASE("what stands behind an option happens when the option is on") {
  TempFolder project;
  project.write("train.py", R"(import argparse
p = argparse.ArgumentParser()
p.add_argument("--checkpointing", action="store_true")
p.add_argument("--kind", default="small")
p.add_argument("--dtype", default=None)
args = p.parse_args()
if args.kind == "small":
    model = M.from_pretrained("acme/small-1b", torch_dtype=getattr(torch, args.dtype))
else:
    model = M.from_pretrained("acme/large-9b")
if args.checkpointing:
    model.gradient_checkpointing_enable()
if not args.checkpointing:
    optimizer = torch.optim.SGD(model.parameters())
loss.backward()
)");
  auto r = read(project);
  CHECK(counts(r, "gc") == "");
  CHECK(counts(r, "opt") == "sgd train.py:14");
  REQUIRE(r.models.size() == 1);
  CHECK(r.models[0].value == "acme/small-1b");
  r = read(project, {.command = "python train.py --checkpointing --dtype bfloat16"});
  CHECK(counts(r, "gc") == "1 train.py:12");
  CHECK(counts(r, "opt") == "");
  CHECK(counts(r, "bits") == "16 train.py:8");
  r = read(project, {.command = "python train.py --kind=large"});
  REQUIRE(r.models.size() == 1);
  CHECK(r.models[0].value == "acme/large-9b");
}

TEST_CASE("engines of inference say what they serve") {
  TempFolder project;
  project.write(
      "serve.py",
      "llm = LLM(model='acme/chat-8b', tensor_parallel_size=2, max_model_len=4096)\n"
      "p = SamplingParams(max_tokens=256)\nif __name__ == '__main__':\n    llm.generate(['x'], p)\n");
  const auto r = read(project);
  CHECK(counts(r, "task") == "infer serve.py");
  CHECK(counts(r, "engine") == "vllm serve.py:1");
  CHECK(counts(r, "num_gpus") == "2 serve.py:1");
  CHECK(counts(r, "seq") == "4096 serve.py:1");
  CHECK(counts(r, "new_tokens") == "256 serve.py:2");
  CHECK_FALSE(r.trains);
}

TEST_CASE("which script runs: the command, the plan, a launch script, README, the newest") {
  TempFolder project;
  project.write("train.py", "BATCH_SIZE = 1\nloss.backward()\n");
  age(project.write("other.py", "BATCH_SIZE = 2\nloss.backward()\n"), 5);
  CHECK(read(project).script_why == "the newest of train*.py, run*.py, main.py");

  project.write(
      "README.md",
      "Run it:\n```bash\n$ python train.py --batch_size 16\n```\nnot: python train.py --batch_size 99\n");
  auto r = read(project);
  CHECK(counts(r, "batch") == "16 README.md:3");
  CHECK(r.script_why == "the newest of train*.py, run*.py, main.py; README.md:3 shows its command");

  project.write("go.sh",
                "python plot.py\nDEPTH=3 torchrun --nproc_per_node 2 other.py --batch_size=${BS:-8}\n");
  project.write("plot.py", "x = 1\n");
  r = read(project);
  CHECK(r.script == "other.py");
  CHECK(r.script_why == "go.sh:2");
  CHECK(counts(r, "batch") == "8 go.sh:2");
  CHECK(counts(r, "num_gpus") == "2 go.sh:2");

  r = read(project, {.planned = {"train.py"}});
  CHECK(r.script == "train.py");
  CHECK(r.script_why == "named in the plan");
  r = read(project, {.planned = {"python train.py --batch_size 32"}});
  CHECK(counts(r, "batch") == "32 the plan's run line");
  r = read(project, {.command = "bash go.sh", .planned = {"train.py"}});
  CHECK(r.script == "other.py");
  CHECK(r.script_why == "the command given");
  r = read(project, {.command = "CUDA_VISIBLE_DEVICES=0,1,2 python train.py -b 4"});
  CHECK(counts(r, "num_gpus") == "3 the command given");
}

TEST_CASE("a Slurm header limits, a loop repeats, keys stay hidden") {
  TempFolder project;
  project.write("train.py", "loss.backward()\n");
  project.write("job.slurm",
                "#!/bin/bash\n#SBATCH --gres=gpu:a100:4\n#SBATCH --time=12:00:00\nexport "
                "HF_TOKEN=hf_aaaaaaaaaaaaaaaaaaaa\n"
                "for s in 0 1 2; do\n  python train.py --seed $s --api_key=abc123 --wandb_token zzz "
                "hf_bbbbbbbbbbbbbbbbbbbb\ndone\n");
  const auto r = read(project);
  CHECK(counts(r, "num_gpus") == "4 job.slurm:2");
  REQUIRE(r.time_limit);
  CHECK(r.time_limit->value == "12:00:00");
  CHECK(counts(r, "hours") == "");
  CHECK(counts(r, "runs") == "3 job.slurm:6");
  CHECK(r.command == "python train.py --seed 0 --api_key=*** --wandb_token *** ***");
}

TEST_CASE("pins come from every usual place, the image from a Dockerfile") {
  TempFolder project;
  project.write("Dockerfile",
                "FROM --platform=linux/amd64 nvidia/cuda:12.4.1-devel-ubuntu22.04 AS base\nFROM "
                "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-devel\n"
                "RUN pip install --no-cache-dir \\\n    torch==2.5.1 \\\n    'vllm==0.6.3'\n");
  project.write("pyproject.toml",
                "[project]\ndependencies = [\n  \"transformers==4.46.0\",\n  \"flash_attn==2.6.3 ; "
                "sys_platform == 'linux'\",\n]\n");
  auto r = read(project);
  REQUIRE(r.torch_pin);
  CHECK(r.torch_pin->value == "2.5.1");
  CHECK(r.torch_pin->source == "Dockerfile:3");
  REQUIRE(r.image);
  CHECK(r.image->value == "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-devel");
  std::vector<std::string> pins;
  for (const auto& p : r.pins) pins.push_back(p.value + " " + p.source);
  CHECK(pins == std::vector<std::string>{"torch==2.5.1 Dockerfile:3", "vllm==0.6.3 Dockerfile:3",
                                         "transformers==4.46.0 pyproject.toml:3",
                                         "flash-attn==2.6.3 pyproject.toml:4"});

  TempFolder conda, locked, wheels;
  conda.write("environment.yml",
              "dependencies:\n  - pytorch::pytorch=2.1.2\n  - pip:\n      - vllm==0.5.0\n");
  CHECK(read(conda).torch_pin->value == "2.1.2");
  locked.write("uv.lock", "version = 1\n[[package]]\nname = \"torch\"\nversion = \"2.6.0+cu124\"\n");
  CHECK(read(locked).torch_pin->source == "uv.lock:4");
  wheels.write("requirements.txt", "--index-url https://example.org/whl/cu118\ntorch==2.3.0\n# torch==1.0\n");
  CHECK(read(wheels).torch_pin->value == "2.3.0+cu118");
}

TEST_CASE("measured memory counts, sizes of other things do not") {
  TempFolder project;
  project.write("train.py",
                "x = 1  # 22GiB\ny = 2  # needs a 24GB card\nz = 3  # downloads 80 GB\nloss.backward()  # "
                "peak 31.5 GiB\n");
  project.write("logs/a.log", "step 1\n| 30%  55C |  21034MiB / 24564MiB |\npeak memory 3.5 GB on disk\n");
  project.write("logs/b.log", "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB\n");
  const auto r = read(project);
  std::vector<std::string> found;
  for (const auto& m : r.measured_gib) found.push_back(fixed(m.value, 1) + " " + m.source);
  CHECK(found == std::vector<std::string>{"22.0 train.py:1", "31.5 train.py:4", "20.5 logs/a.log:2"});
  CHECK(mentions(r, "logs/b.log:1 shows a run that was out of GPU memory"));
  CHECK(r.claims.back().rank == rank::kMeasured);
}

TEST_CASE("environments on the CPU and data in the project are noticed") {
  TempFolder project;
  project.write(
      "train.py",
      "env = gym.make('Walker')\nmodel = PPO('MlpPolicy', env)\nmodel.learn(total_timesteps=1_000_000)\n");
  fs::create_directory(project.path() / "data");
  std::ofstream(project.path() / "data/big.bin").close();
  fs::resize_file(project.path() / "data/big.bin", 3'000'000'000);
  const auto r = read(project);
  REQUIRE(r.scales.size() == 1);
  CHECK(r.scales[0].source == "train.py:1");
  CHECK(counts(r, "samples") == "1000000.0 train.py:3");
  REQUIRE(r.data_gb);
  CHECK(r.data_gb->value == Approx(3.0));
}

TEST_CASE("programs that nobody would write are bounded and named") {
  TempFolder project;
  project.write("run.sh", "python train.py \"unclosed ${A:-$(\n");
  SECTION("brackets") {
    project.write("train.py", "x = " + std::string(100'000, '(') + std::string(100'000, ')') + "\n");
    CHECK(mentions(read(project), "train.py was skipped: its brackets"));
  }
  SECTION("a chain of operators and an open string") {
    std::string chain = "BATCH_SIZE = 1";
    for (int i = 0; i < 20'000; ++i) chain += "+1";
    project.write("train.py", chain + "\nloss.backward()\nx = \"\"\"open\n");
    CHECK(read(project).script == "train.py");
  }
  SECTION("statements cut off anywhere") {
    const std::string whole =
        "a = b = c = load(x)[1]['k'].y\nclass C(B, k=1):\n    x: int = field(default=4)\n    def f(self, "
        "a=1, *b, c: int = 2):\n"
        "        if not a == 1 and b or c:\n            return f'{a}' 'b'\n        elif a: pass\n        "
        "else: x += 1\n"
        "from . import (a as b)\nwith autocast(dtype=d) as e: (lambda: M.from_pretrained(*a, **{'b': "
        "1}))()\n";
    for (std::size_t n = 0; n < whole.size(); n += 3) {
      project.write("train.py", whole.substr(0, n) + "\nb = (a =\n" + whole.substr(n));
      CHECK(read(project).script == "train.py");
    }
  }
  SECTION("names that stand for each other") {
    std::string code;
    for (int i = 0; i < 3'000; ++i)
      code += "n" + std::to_string(i) + " = n" + std::to_string((i + 1) % 3'000) + "\n";
    project.write("train.py", code + "DataLoader(d, batch_size=n7)\n");
    CHECK(counts(read(project), "batch") == "");
  }
  SECTION("numbers beyond everything") {
    project.write("train.py",
                  "DataLoader(d, batch_size=1e999)\nEPOCHS = -3\nargs = TrainingArguments(max_steps=-1)\n");
    const auto r = read(project);
    CHECK(counts(r, "batch") == "8 train.py:3 (TrainingArguments default)");
    CHECK(counts(r, "steps") == "");
  }
  SECTION("a pipe, a folder, a loop of links, bytes that are no text") {
    REQUIRE(::mkfifo((project.path() / "train.py").c_str(), 0600) == 0);
    fs::create_directory(project.path() / "run_all.py");
    fs::create_symlink("loop.py", project.path() / "main.py");
    fs::create_symlink("main.py", project.path() / "loop.py");
    project.write("requirements.txt", std::string("torch\0==2", 9));
    const auto r = read(project);
    CHECK_FALSE(r.trains);
    CHECK(mentions(r, "requirements.txt was skipped: it is binary"));
  }
}
