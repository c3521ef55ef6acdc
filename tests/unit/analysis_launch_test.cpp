#include "analysis/launch_line.h"
#include "core/text.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {
LaunchLine one(const std::string& text) {
  const auto lines = launches_of(text, "a line");
  REQUIRE(lines.size() == 1);
  return lines[0];
}
json option(const LaunchLine& l, std::string_view name) {
  const LaunchOption* o = l.option(name);
  return o == nullptr ? json("absent") : o->value;
}
}  // namespace

TEST_CASE("words of a shell are split as a shell splits them") {
  const auto l =
      one("A='x y' B=2 python -u \"train.py\" --name=\"$A\" --n ${C:-8} --m $B --home $HOME/x --t `date` "
          "\\\n  --last a\\ b # no\n");
  CHECK(l.script == "train.py");
  CHECK(option(l, "n") == 8);
  CHECK(l.option("n")->by_default);
  CHECK(option(l, "home").is_null());  // only known where it runs
  CHECK(option(l, "t").is_null());
  CHECK(option(l, "last") == "a b");
  const auto v = one("A='x y'\nB=2\npython train.py --name=\"$A\" --m $B\n");
  CHECK(option(v, "name") == "x y");
  CHECK(option(v, "m") == 2);
  const auto array =
      one("OPTS=(\n  --lr 1e-4  # slow\n  --bs 4\n)\nOPTS+=(--bf16)\npython train.py \"${OPTS[@]}\" > "
          "log.txt 2>&1 &\n");
  CHECK(option(array, "bs") == 4);
  CHECK(option(array, "bf16") == true);
  CHECK(array.words.empty());
  const auto text = one("EXTRA=\"--bs 4 --gc\"\npython train.py $EXTRA\n");
  CHECK(option(text, "bs") == 4);
  CHECK(option(text, "gc") == true);
}

TEST_CASE("chains, conditions and here-documents hold what they hold") {
  const auto lines = launches_of(
      "cd x && pip install torch; if [ -f a ]; then python a.py; else python b.py; fi\ncat > c.py "
      "<<EOF\npython no.py\nEOF\necho python no.py\n"
      "nohup bash -c 'python c.py --x 1' &\n",
      "r.sh");
  std::vector<std::string> scripts;
  for (const auto& l : lines)
    if (!l.script.empty()) scripts.push_back(l.script + " " + l.source);
  CHECK(scripts == std::vector<std::string>{"a.py r.sh:1", "b.py r.sh:1", "c.py r.sh:6"});
}

TEST_CASE("launchers are looked through to the program behind them") {
  CHECK(one("uv run --with x python -m pkg.train --a 1").script == "pkg/train.py");
  CHECK(one("python -m torch.distributed.run --nproc_per_node 8 --nnodes=2 train.py --bs 4").gpus == 8);
  CHECK(one("torchrun --standalone --nproc_per_node 2 -m pkg.run").script == "pkg/run.py");
  CHECK(one("accelerate launch --multi_gpu --num_processes 4 --mixed_precision bf16 train.py")
            .mixed_precision == "bf16");
  CHECK(one("deepspeed --include localhost:0,1,2 train.py --deepspeed ds.json").gpus == 3);
  CHECK(one("mpirun -np 4 -x CUDA_VISIBLE_DEVICES=0,1,2,3 python train.py").gpus == 4);
  CHECK(one("srun --gres=gpu:2 python train.py").gpus == 2);
  CHECK(one("timeout -k 5 3600 conda run -n env python train.py").script == "train.py");
  CHECK(one("NPROC_PER_NODE=4 swift sft --model acme/x").gpus == 4);
  const auto mm = one("bash tools/dist_train.sh configs/a.py 8");
  CHECK(mm.gpus == 8);
  CHECK(mm.words == std::vector<std::string>{"configs/a.py"});
  CHECK(one("make -j2 train N=4").target == "train");
  CHECK(launches_of("python -c 'print(1)'\nls train.py\npip install x", "a").empty());
  const auto tune =
      one("tune run --nproc_per_node 4 full_finetune_distributed --config a/8B_full batch_size=2");
  CHECK(tune.verb == "full_finetune_distributed");
  CHECK(tune.gpus == 4);
  CHECK(option(tune, "batch_size") == 2);
}

TEST_CASE("loops repeat, Makefile variables are shell variables") {
  CHECK(one("for s in {0..4}; do for lr in 1 2; do python train.py $s $lr; done; done").repeats == 10);
  const auto make = launches_of(
      shell_of_makefile(
          "N ?= 2\nall: train\ntrain:\n\t@torchrun --nproc_per_node=$(N) train.py\nother:\n\tpython x.py\n",
          "train"),
      "Makefile");
  REQUIRE(make.size() == 1);
  CHECK(make[0].gpus == 2);
  CHECK(make[0].gpus_by_default);
  CHECK(make[0].source == "Makefile:4");
}

TEST_CASE("what may be a secret is not repeated") {
  CHECK(without_secrets(
            "python a.py --hf_token abc --tokenizer x --max_tokens 5 WANDB_API_KEY=q https://u:p@h/x") ==
        "python a.py --hf_token *** --tokenizer x --max_tokens 5 WANDB_API_KEY=*** ***");
}

TEST_CASE("rubbish on a command line ends") {
  std::string doubling = "A=\"x x x x\"\n";
  for (int i = 0; i < 40; ++i) doubling += "A=\"$A $A $A\"\n";
  for (const std::string& text :
       {doubling + "python train.py $A", std::string(50'000, '('), std::string(50'000, '$'),
        "python train.py " + std::string(50'000, '"'), "${" + std::string(50'000, '{'),
        std::string("<<EOF\nnever closed"), std::string(50'000, '\\')})
    CHECK(launches_of(text, "a").size() <= 500);
}
