// Loss curves of logs in the manner of the usual trainers, honest about what is missing.

#include "fleet/log_losses.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {
const LossCurve& named(const std::vector<LossCurve>& curves, const std::string& name) {
  for (const LossCurve& c : curves)
    if (c.name == name) return c;
  FAIL("no curve " << name);
  return curves.front();
}
}  // namespace

TEST_CASE("losses of a line come with their values") {
  const auto two = losses_of("epoch  3/12  train loss 0.5312  val loss 0.4990    2.1 s");
  REQUIRE(two.size() == 2);
  CHECK(two[0].value == 0.5312);
  CHECK(two[1].value == 0.4990);
  const auto dictionary = losses_of("{'loss': 2.3e-1, 'grad_norm': 4.1, 'eval_loss': -1.5, 'epoch': 0.4}");
  REQUIRE(dictionary.size() == 2);
  CHECK(dictionary[0].value == 0.23);
  CHECK(dictionary[1].value == -1.5);
  CHECK(losses_of("loss_scale: 65536, lossless: 3").empty());
  const auto infinite = losses_of("train_loss=inf");
  REQUIRE(infinite.size() == 1);
  CHECK_FALSE(infinite[0].value);
  CHECK(infinite[0].infinite);
}

TEST_CASE("a curve stands over epochs, over steps, or over readings where the log counts nothing") {
  const auto epochs = loss_curves(
      "epoch  1/3  train loss 0.9  val loss 0.8\nepoch  2/3  train loss 0.7  val loss 0.75\nepoch  3/3  "
      "train loss 0.6 "
      " val loss 0.74\n",
      true);
  REQUIRE(epochs.size() == 2);
  const LossCurve& train = named(epochs, "train loss");
  CHECK(train.counts == "epoch");
  REQUIRE(train.points.size() == 3);
  CHECK(train.points[2].at == 3);
  CHECK(train.points[2].value == 0.6);
  CHECK(named(epochs, "val loss").points[0].value == 0.8);

  const auto steps = loss_curves("step 10 loss 3.0\nstep 20 loss 2.5\nstep 30 loss 2.0\n", true);
  REQUIRE(steps.size() == 1);
  CHECK(steps[0].counts == "step");
  CHECK(steps[0].points[1].at == 20);

  const auto trainer = loss_curves("{'loss': 2.0, 'epoch': 0.1}\n{'loss': 1.5, 'epoch': 0.2}\n", true);
  REQUIRE(trainer.size() == 1);
  CHECK(trainer[0].counts == "epoch");
  CHECK(trainer[0].points[1].at == 0.2);

  const auto bars = loss_curves(
      "Epoch 1: 50%|##  | 50/100 [00:01<00:01, 9it/s, loss=2.0]\rEpoch 1: 100%|####| 100/100 "
      "[00:02<00:00, 9it/s, loss=1.8]\n",
      true);
  REQUIRE(bars.size() == 1);
  CHECK(bars[0].counts == "step");
  CHECK(bars[0].points[1].at == 100);

  // Steps that begin again, and no word of the epoch: only the order is known.
  const auto again = loss_curves("step 1 loss 3\nstep 2 loss 2\nstep 1 loss 1.5\nstep 2 loss 1\n", true);
  REQUIRE(again.size() == 1);
  CHECK(again[0].counts == "reading");
  CHECK(again[0].points[3].at == 4);
}

TEST_CASE("what is no number stays a gap, also in a curve that was thinned out") {
  std::string log;
  for (int i = 1; i <= 1000; ++i) log += text("step ", i, " loss ", i == 501 ? "nan" : "1.5", "\n");
  const auto curves = loss_curves(log, true);
  REQUIRE(curves.size() == 1);
  const LossCurve& c = curves[0];
  CHECK(c.readings == 1000);
  CHECK(c.no_numbers == 1);
  CHECK(c.points.size() <= kMostLossPoints + 1);
  CHECK(c.points.front().at == 1);
  CHECK(c.points.back().at == 1000);
  CHECK(std::ranges::count_if(c.points, [](const LossPoint& p) { return !p.value; }) == 1);
}

TEST_CASE("the first line of a cut log is left out: a part of a number is another number") {
  const std::string log = "500 loss 9\nstep 4501 loss 2\nstep 4502 loss 1.9\n";
  REQUIRE(loss_curves(log, false).size() == 1);
  CHECK(loss_curves(log, false)[0].readings == 2);
  CHECK(loss_curves(log, true)[0].readings == 3);
  CHECK(loss_curves("one line without an end loss 2", false).empty());
}

TEST_CASE("a log cannot make the curves large, slow or false") {
  CHECK(loss_curves("", true).empty());
  CHECK(loss_curves("loss 1.0\n", true).empty());  // one reading is no curve
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += text("loss", i % 300, ": 1 ");
  CHECK(loss_curves(many, true).size() <= kMostCurves);
  std::string names;
  for (int i = 0; i < 4'000; ++i) names += text("step ", i, " x", i % 500, "/loss=", i, "\n");
  for (const LossCurve& c : loss_curves(names, true)) CHECK(c.name.size() <= 60);
  const auto huge = loss_curves("step 1 loss 1e999\nstep 2 loss 1e308\nstep 3 loss \x1b[31m2\n", true);
  for (const LossCurve& c : huge)
    for (const LossPoint& p : c.points) CHECK((!p.value || std::isfinite(*p.value)));
}
