// What the end of a log tells about speed and progress. The lines are written in the manner of the usual
// trainers.

#include <chrono>

#include "fleet/log_progress.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

std::string bar(int percent) {
  std::string drawn;
  for (int i = 0; i < 10; ++i) drawn += i * 10 < percent ? "█" : " ";
  return drawn;
}

}  // namespace

TEST_CASE("a bar redrawn with carriage returns counts by its last state") {
  const auto p = read_progress("  1%|" + bar(1) + "| 10/1000 [00:10<16:30,  1.00it/s]\r" + "  2%|" + bar(2) +
                               "| 20/1000 [00:16<13:04,  1.25it/s]\r");
  CHECK(p.rate == Approx(1.25));
  CHECK(p.rate_unit == "steps/s");
  CHECK((p.steps_done == 20 && p.steps_total == 1000));
  REQUIRE(time_left(p, {}));
  CHECK(time_left(p, {})->count() == Approx(980 / 1.25 / 3600));
}

TEST_CASE("seconds per step and milliseconds per step are rates too") {
  CHECK(read_progress(" 45%|" + bar(45) + "| 450/1000 [12:00<14:40,  1.60s/it]").rate == Approx(0.625));
  CHECK(read_progress("450/1000 [=====>......] - ETA: 12s - loss: 0.31 - 34ms/step").rate ==
        Approx(1 / 0.034));
  CHECK(read_progress("iter 100: loss 2.3127, time 35.20ms, mfu 12.10%").rate == Approx(1000 / 35.2));
  CHECK(read_progress("iter 100: loss 2.3127, time 35.20ms, mfu 12.10%").steps_done == 100);
  CHECK(read_progress(
            " iteration  100/ 1000 | consumed samples: 800 | elapsed time per iteration (ms): 250.0 |")
            .rate == Approx(4));
  CHECK(read_progress("step:120/1390 train_loss:4.21 train_time:11785ms step_avg:98.21ms").rate ==
        Approx(1000 / 98.21));
  CHECK(read_progress("step    12 | loss: 6.01 | norm: 0.2 | dt: 98.20ms | tok/sec: 5340.25").rate ==
        Approx(1000 / 98.2));
}

TEST_CASE("dictionaries of a trainer: its own summary of the run goes before the newest bar") {
  const auto p = read_progress(
      "{'loss': 0.6931, 'grad_norm': 1.2, 'learning_rate': 5e-05, 'epoch': 0.45}\n"
      "100%|" +
      bar(100) +
      "| 1000/1000 [05:20<00:00,  3.40it/s]\n"
      "{'eval_loss': 0.5, 'eval_runtime': 3.2, 'eval_samples_per_second': 310.0, 'eval_steps_per_second': "
      "19.4, "
      "'epoch': 3.0}\n"
      "{'train_runtime': 322.58, 'train_samples_per_second': 24.8, 'train_steps_per_second': 3.1, "
      "'train_loss': "
      "0.51, 'epoch': 3.0}\n");
  CHECK(p.rate == Approx(3.1));
  CHECK(p.rate_unit == "steps/s");
  CHECK(p.epochs_done == Approx(3));
  CHECK((p.steps_done == 1000 && p.steps_total == 1000));
  CHECK(time_left(p, {})->count() == Approx(0));
}

TEST_CASE("plain lines") {
  const auto p = read_progress("[INFO] step 120/1000 loss 2.31 lr 1e-4 3.1 it/s\n");
  CHECK((p.rate == Approx(3.1) && p.steps_done == 120 && p.steps_total == 1000));
  CHECK(read_progress("[120/1000] loss: 2.31").steps_done == 120);
  CHECK(read_progress("step 7 of 90, 12 samples/s").rate_unit == "samples/s");
  const auto tokens = read_progress("Avg prompt throughput: 5.2k tokens/s, Running: 3 reqs");
  CHECK((tokens.rate == Approx(5200) && tokens.rate_unit == "tokens/s"));
  CHECK(read_progress("| tokens per second: 3 | 812.5 tokens per second |").rate == Approx(812.5));
}

TEST_CASE("steps of one epoch are steps of the run only where the number of epochs is told") {
  SECTION("a bar that names its epoch and nothing else") {
    const auto p =
        read_progress("Epoch 3:  45%|" + bar(45) + "| 450/1000 [00:12<00:15, 36.1it/s, v_num=0, loss=0.3]");
    CHECK(p.rate == Approx(36.1));
    CHECK_FALSE((p.steps_done || p.steps_total));
    CHECK_FALSE(time_left(p, Hours(1)));
  }
  SECTION("a heading with the epochs, then a bar each") {
    const auto p = read_progress("Epoch 3/10\n450/1000 [=====>......] - ETA: 19s - loss: 0.31 - 34ms/step");
    CHECK((p.steps_done == 2450 && p.steps_total == 10000));
    CHECK(p.epochs_done == Approx(2.45));
  }
  SECTION("a detector's line that begins with its epoch") {
    const auto p = read_progress("      3/100      2.51G      1.231      0.87         42        640:  45%|" +
                                 bar(45) + "| 50/110 [00:12<00:15,  4.1it/s]");
    CHECK((p.steps_done == 270 && p.steps_total == 11000));
    CHECK(p.rate == Approx(4.1));
  }
  SECTION("another style of drawing") {
    const auto p = read_progress("Epoch 3/9  ━━━━━━━━━━━━━━━━ 450/1000 0:00:12 • 0:00:15 36.10it/s v_num: 0");
    CHECK((p.steps_done == 2450 && p.steps_total == 9000));
    CHECK(p.rate == Approx(36.1));
  }
  SECTION("counters in brackets") {
    const auto p =
        read_progress("Epoch: [3][450/1000]  Time 0.250 (0.260)  Data 0.010 (0.012)  Loss 2.1 (2.4)");
    CHECK(p.rate == Approx(4));
    CHECK_FALSE(p.steps_total);
  }
  SECTION("a bar that counts epochs") {
    const auto p = read_progress("Epochs:  30%|" + bar(30) + "| 3/10 [05:00<11:40, 100.00s/it]");
    CHECK((p.epochs_done == Approx(3) && p.epochs_total == Approx(10)));
    CHECK_FALSE((p.rate || p.steps_total));
    CHECK(time_left(p, Hours(3))->count() == Approx(7));
  }
  SECTION("one line per epoch that is over") {
    const auto p = read_progress("Epoch 3/12 train loss 0.41 acc 0.88\n");
    CHECK((p.epochs_done == Approx(3) && p.epochs_total == Approx(12)));
    CHECK(time_left(p, Hours(1))->count() == Approx(3));
  }
}

TEST_CASE("bars of other work do not count") {
  const std::string train = " 45%|" + bar(45) + "| 450/1000 [12:00<14:40,  1.60s/it]\n";
  for (const std::string& other : std::vector<std::string>{
           "Evaluating: 100%|" + bar(100) + "| 5000/5000 [00:03<00:00, 150.0it/s]",
           "Map: 100%|" + bar(100) + "| 52002/52002 [00:03<00:00, 3000.0 examples/s]",
           "100%|" + bar(100) + "| 52002/52002 [00:03<00:00, 3000.0 examples/s]",
           "Loading checkpoint shards: 100%|" + bar(100) + "| 4000/4000 [00:03<00:00, 12.5it/s]",
           "100%|" + bar(100) + "| 50/50 [00:03<00:00, 15.0it/s]",
           "weights.bin: 100%|" + bar(100) + "| 1.2G/1.2G [00:09<00:00, 150MB/s]"}) {
    CAPTURE(other);
    const auto p = read_progress(train + other + "\n");
    CHECK((p.steps_done == 450 && p.steps_total == 1000));
    CHECK(p.rate == Approx(0.625));
  }
}

TEST_CASE("what is no progress says nothing") {
  for (const char* line : {"",
                           "\n\n\r\r",
                           "2026/10/02 11:22:33 started",
                           "using 12/24 GB of memory",
                           "saved to out/100/200",
                           "loss 0.3 in epoch one",
                           "it took 12:34 min",
                           "version 1.2.3 of 4",
                           "step by step",
                           "-3.1 it/s",
                           "0 it/s",
                           "1e999 it/s",
                           "nan it/s",
                           "?it/s",
                           "5 / 3 steps, loss",
                           "0/0 loss",
                           "1e5/3 loss",
                           "99999999999999999999999/99999999999999999999999999 [loss]",
                           "s/it it/s",
                           "%|",
                           "time 35.2s"}) {
    CAPTURE(line);
    const auto p = read_progress(line);
    CHECK_FALSE((p.rate || p.steps_total || p.steps_done || p.epochs_total));
    CHECK_FALSE(time_left(p, Hours(1)));
  }
}

TEST_CASE("hostile logs are read in a moment and invent nothing that overflows") {
  const auto start = std::chrono::steady_clock::now();
  std::string digits(5 << 20, '9'), bars, brackets(1 << 20, '['), zero(100'000, '\0'),
      broken(100'000, '\xff');
  for (int i = 0; i < 200'000; ++i) bars += "1/2 ";
  std::string returns;
  for (int i = 0; i < 100'000; ++i) returns += "3/4\r";
  for (const std::string& text : {digits, bars, brackets, zero, broken, returns,
                                  std::string("\x1b]0;title") + std::string(70'000, 'x')})
    (void)read_progress(text);
  const auto p = read_progress(
      "Epoch 999999999999/1000000000000\n 1%|x| 999999999999/1000000000000 [00:10<16:30, 0.0000001it/s]");
  CHECK_FALSE(p.steps_total);
  CHECK_FALSE(time_left(p, Hours(1e300)));
  LogProgress far;
  far.steps_done = 0, far.steps_total = 1'000'000'000'000, far.rate = 1e-7, far.rate_unit = "steps/s";
  CHECK_FALSE(time_left(far, {}));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
}

TEST_CASE("only the end of a long log is looked at") {
  std::string log = "step 1/10 loss 1\n";
  log += std::string(80'000, '\n');
  CHECK_FALSE(read_progress(log).steps_total);
}

TEST_CASE("a death for lack of GPU memory is recognised, a lack of other memory is not") {
  CHECK(shows_out_of_memory(
      "Traceback\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."));
  CHECK(shows_out_of_memory("RuntimeError: CUDA error: out of memory\n"));
  CHECK(shows_out_of_memory("XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate"));
  CHECK_FALSE(shows_out_of_memory("MemoryError: host out of memory"));
  CHECK_FALSE(shows_out_of_memory("No space left on device"));
}
