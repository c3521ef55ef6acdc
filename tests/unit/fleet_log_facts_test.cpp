// What the end of a log shows, on logs in the manner of the usual trainers, and on logs that only sound bad.

#include <chrono>

#include "fleet/log_facts.h"
#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("a loss that is no number is seen however it is written") {
  struct Case {
    const char* log;
    const char* name;
    bool infinite;
  };
  for (const Case& c : std::vector<Case>{
           {"{'loss': nan, 'grad_norm': nan, 'learning_rate': 5e-05, 'epoch': 0.45}\n", "loss", false},
           {"{'loss': 0.0, 'eval_loss': nan, 'epoch': 1.0}\n", "eval_loss", false},
           {"Epoch 3:  45%|####      | 450/1000 [00:12<00:15, 36.1it/s, v_num=0, train_loss=nan.0]\n",
            "train_loss", false},
           {"step 120/1000 | loss: inf | lr 1e-4\n", "loss", true},
           {"iter 100: loss nan, time 35.20ms\n", "loss", false},
           {"[2026-10-02 11:22:33] train/loss=-Infinity\n", "train/loss", true},
           {"INFO step=3 loss=tensor(nan, device='cuda:0', grad_fn=<NllLossBackward0>)\n", "loss", false},
           {"第 3 轮，损失：nan，准确率：0.1\n", "损失", false},
           {"train_loss：NaN\n", "train_loss", false},
           {"step 1 loss 2.1\nstep 2 loss nan\nstep 3 loss nan\n", "loss", false}}) {
    CAPTURE(c.log);
    const auto bad = bad_loss(c.log);
    REQUIRE(bad);
    CHECK(bad->name == c.name);
    CHECK(bad->infinite == c.infinite);
    CHECK(bad->in_a_row >= 1);
  }
  CHECK(bad_loss("step 1 loss 2.1\nstep 2 loss nan\nstep 3 loss nan\n")->in_a_row == 2);
}

TEST_CASE("words that only sound like it are no bad loss") {
  for (const char* log :
       {"", "no nan found in loss", "checking loss for nan: ok\n", "{'loss': 0.31, 'grad_norm': nan}\n",
        "reducing loss scale to 32768\n", "loss scale: inf\n", "loss_scale=inf\n", "using nanGPT, loss 0.3\n",
        "skip the batch if loss nan or inf\n", "loss: nan_to_num is on\n", "loss = nanmean(losses)\n",
        "tests/test_nan_loss.py ... ok\n", "lossless: nan\n", "loss: 0.31 (nan count: 0)\n", "loss\nnan\n",
        "step 2 loss nan\nstep 3 loss 0.7\n",  // it recovered
        "loss: nano model\n", "infinite loss functions are supported\n",
        "损失函数使用交叉熵，nan 检查已开启\n"}) {
    CAPTURE(log);
    CHECK_FALSE(bad_loss(log));
  }
}

TEST_CASE("the last error is the one that caused the others") {
  const std::string root =
      "Traceback (most recent call last):\n"
      "  File \"/workspace/project/train.py\", line 12, in <module>\n"
      "    main()\n"
      "  File \"/workspace/project/train.py\", line 8, in main\n"
      "    batch['labels']\n"
      "KeyError: 'labels'\n";
  CHECK(error_block("step 1 loss 2.0\n" + root).ends_with("KeyError: 'labels'"));
  CHECK(error_block("step 1 loss 2.0\n" + root).starts_with("Traceback"));
  const std::string launcher =
      root +
      "Traceback (most recent call last):\n"
      "  File \"/venv/main/bin/accelerate\", line 8, in <module>\n"
      "    sys.exit(main())\n"
      "subprocess.CalledProcessError: Command '['python', 'train.py']' returned non-zero exit status 1.\n";
  CHECK(error_block(launcher).find("KeyError") != std::string::npos);
  CHECK(error_block(launcher).find("CalledProcessError") == std::string::npos);
  const std::string ranks =
      "[rank1]: Traceback (most recent call last):\n[rank1]:   File \"a.py\", line 1, in <module>\n"
      "[rank1]: RuntimeError: NCCL error: unhandled cuda error\n";
  CHECK(error_block(ranks).ends_with("RuntimeError: NCCL error: unhandled cuda error"));
  const std::string chained =
      "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 1\n\nDuring handling of "
      "the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  "
      "File \"a.py\", line 3, in f\nValueError: 坏数据\n";
  CHECK(error_block(chained).ends_with("ValueError: 坏数据"));
  CHECK(error_block("loading\nbash: line 1: pyhton: command not found\n").find("command not found") !=
        std::string::npos);
  CHECK(error_block("train.py: line 3: 4711 Segmentation fault      (core dumped) python x.py\n")
            .find("Segmentation") != std::string::npos);
  CHECK(error_block("step 1 loss 2.0\nall is well\n").empty());
  std::string deep = "Traceback (most recent call last):\n";
  for (int i = 0; i < 500; ++i) deep += "  File \"a.py\", line 1, in f\n    f()\n";
  deep += "RecursionError: maximum recursion depth exceeded\n";
  CHECK(error_block(deep).size() <= 3100);
}

TEST_CASE("which allocation failed") {
  CHECK(out_of_memory_line(
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 23.6 GiB\n")
            .find("2.00 GiB") != std::string::npos);
  CHECK(out_of_memory_line("RuntimeError: CUDA error: out of memory\n") != "");
  CHECK(out_of_memory_line("handling of CUDA out of memory is on\n").empty());
  CHECK(out_of_memory_line("MemoryError: host\n").empty());
}

TEST_CASE("a question at the very end waits, one that was answered does not") {
  for (const char* log : {"wandb: (1) Create a W&B account\nwandb: Enter your choice: ",
                          "Do you wish to run the custom code? [y/N] ", "Username for 'https://github.com': ",
                          "Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
                          "> /workspace/project/train.py(3)<module>()\n-> x = 1\n(Pdb) ", "Proceed ([y]/n)? ",
                          "Password: ", "Enter API key: "}) {
    CAPTURE(log);
    CHECK_FALSE(open_question(log).empty());
  }
  for (const char* log :
       {"wandb: Enter your choice: 3\n", "Proceed ([y]/n)? y\n", "45%|###  | 450/1000 [00:12<00:15]",
        "loss: ", "what is the answer?", "", "\n", "epoch 3 (y/n) done"}) {
    CAPTURE(log);
    CHECK(open_question(log).empty());
  }
}

TEST_CASE("hostile logs are read in a moment") {
  const auto start = std::chrono::steady_clock::now();
  std::string losses, heads;
  for (int i = 0; i < 20'000; ++i) losses += "loss-", heads += "Traceback (most recent call last):\n";
  for (const std::string& log :
       {losses, heads, std::string(5 << 20, 'l'), std::string(1 << 20, '\0'), std::string(1 << 20, '\n'),
        std::string(200'000, '\r'), "\x1b]0;title\x07" + std::string(70'000, '\xff')}) {
    (void)bad_loss(log);
    CHECK(error_block(log).size() <= 3100);
    (void)open_question(log);
    (void)out_of_memory_line(log);
  }
  CHECK(error_block("\x1b[31mValueError: \x1b]52;c;aaaa\x07 no\n").find('\x1b') == std::string::npos);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(3));
}
