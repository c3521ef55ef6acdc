// Laws of time: work divided by speed, and nothing where nobody says how much work there is.

#include "analysis/estimate_hours.h"

#include <cmath>

#include "analysis/analyse.h"
#include "analysis/efficiency.h"
#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

namespace {

Workload work(const json& facts) {
  ClaimBook book;
  for (const auto& [name, value] : facts.items()) book.add({name, value, "user", rank::kUser, 0, false});
  REQUIRE(book.warnings.empty());
  auto w = make_workload(book, "");
  REQUIRE(w);
  return *std::move(w);
}

std::optional<HoursEstimate> time_on(const char* card, const json& facts, int gpus = 1,
                                     std::string* missing = nullptr) {
  const GpuModel* model = card_named(card);
  REQUIRE(model != nullptr);
  return estimate_hours(work(facts), *model, gpus, missing);
}
double likely(const char* card, const json& facts, int gpus = 1) {
  const auto e = time_on(card, facts, gpus);
  REQUIRE(e);
  return e->likely.count();
}
json with(json facts, const char* name, const json& value) {
  facts[name] = value;
  return facts;
}

const json kLora{{"model", "llama-2-7b"}, {"task", "train"}, {"method", "lora"},
                 {"bits", "16"},          {"batch", 4},      {"seq", 1024},
                 {"samples", 20'000},     {"epochs", 3},     {"gc", 1}};
const json kPictures{{"model", "resnet50"},  {"task", "train"}, {"batch", 128},
                     {"samples", 1'281'167}, {"epochs", 90},    {"precision", "amp"}};

}  // namespace

TEST_CASE("twice the work takes twice as long") {
  for (const json& f : {kLora, kPictures}) {
    const double once = likely("A100 SXM4", f);
    CHECK(likely("A100 SXM4", with(f, "epochs", 2 * f["epochs"].get<int>())) == Approx(2 * once));
    CHECK(likely("A100 SXM4", with(f, "samples", 2 * f["samples"].get<int>())) == Approx(2 * once));
    CHECK(likely("A100 SXM4", with(f, "runs", 5)) == Approx(5 * once));
  }
  const json tokens{{"params_b", 1}, {"arch", "llm"}, {"task", "pretrain"}, {"tokens", 20e9}, {"seq", 2048}};
  CHECK(likely("H100 SXM", with(tokens, "tokens", 40e9)) == Approx(2 * likely("H100 SXM", tokens)));
}

TEST_CASE("pretraining takes six operations per parameter and token") {
  const json f{{"params_b", 1}, {"arch", "llm"}, {"task", "pretrain"}, {"tokens", 20e9}, {"seq", 128}};
  const Rate rate = usual_rate(work(f), *card_named("A100 SXM4"));
  CHECK(rate.share > 0.1);
  CHECK(rate.share < 0.7);
  const double least = 6 * 1e9 * 20e9 / rate.flop_per_s() / 3600;
  CHECK(likely("A100 SXM4", f) > least);
  CHECK(likely("A100 SXM4", f) < 1.2 * least);  // attention over short sequences is little more
}

TEST_CASE("a faster card takes less time for work that fills it") {
  for (const json& f : {kLora, kPictures}) {
    double before = 1e9;
    for (const char* card : {"Tesla T4", "RTX 3090", "A100 SXM4", "H100 SXM"}) {
      INFO(card << " " << f.dump());
      const double now = likely(card, f);
      CHECK(now < before);
      before = now;
    }
  }
}

TEST_CASE("N GPUs are faster than one, and less than N times as fast") {
  for (const char* shard : {"none", "ddp", "zero1", "zero2", "zero3", "fsdp"})
    for (const json& f : {kLora, kPictures}) {
      const json spread = with(f, "shard", shard);
      INFO(spread.dump());
      double before = likely("A100 SXM4", spread, 1);
      const double one = before;
      for (const int n : {2, 4, 8}) {
        const double now = likely("A100 SXM4", spread, n);
        CHECK(now < before);
        CHECK(now > one / n);
        before = now;
      }
    }
}

TEST_CASE("low, likely and high stand in order, wider where the amount is assumed") {
  const json full{{"model", "bert-base"}, {"task", "train"}, {"method", "full"}, {"batch", 16},
                  {"seq", 256},           {"epochs", 3},     {"samples", 60'000}};
  const auto known = time_on("RTX 4090", full);
  REQUIRE(known);
  CHECK(known->low < known->likely);
  CHECK(known->likely < known->high);
  CHECK(known->assumed.empty());
  json once = full;
  once.erase("epochs");
  const auto guessed = time_on("RTX 4090", once);
  REQUIRE(guessed);
  CHECK(guessed->assumed == std::vector<std::string>{"epochs"});
  CHECK(guessed->high / guessed->likely > known->high / known->likely);
}

TEST_CASE("unknown work stays unknown, and the fact that would settle it is named") {
  const json bare{{"model", "resnet50"}, {"task", "train"}, {"batch", 32}};
  std::string missing;
  CHECK_FALSE(time_on("RTX 4090", bare, 1, &missing));
  CHECK(missing == "steps");
  CHECK_FALSE(time_on("RTX 4090", with(bare, "epochs", 10), 1, &missing));
  CHECK(missing == "samples");
  CHECK_FALSE(time_on("RTX 4090", with(bare, "samples", 20), 1, &missing));  // seen how often?
  CHECK(missing == "epochs");
  CHECK(time_on("RTX 4090", with(with(bare, "epochs", 10), "samples", 50'000), 1, &missing));
  CHECK_FALSE(time_on("RTX 4090", {{"model", "llama-2-7b"}, {"task", "infer"}}, 1, &missing));
  CHECK(missing == "samples");

  const TempFolder empty;
  TaskRequest request;
  request.facts = with(bare, "epochs", 10);
  const auto p = analyse(empty.path(), request);
  CHECK_FALSE(p.hours);
  CHECK_FALSE(p.gpu_hours);
  CHECK(join(p.unknown, "\n").find("say how many samples") != std::string::npos);
}

TEST_CASE("stated steps count where nobody says how often the samples are seen") {
  // Twenty photographs and 1,500 steps are 1,500 steps, and not one look at each photograph.
  const json f{{"arch", "diffusion"}, {"params_b", 2.6}, {"task", "train"},
               {"method", "lora"},    {"bits", "16"},    {"batch", 1},
               {"res", 1024},         {"gc", 1},         {"steps", 1500}};
  CHECK(likely("RTX 4090", with(f, "samples", 20)) == Approx(likely("RTX 4090", f)));
  CHECK(time_on("RTX 4090", with(f, "samples", 20))->assumed.empty());
}

TEST_CASE("how many samples a public dataset has is known, and marked as what nobody said") {
  const TempFolder empty;
  TaskRequest request;
  request.task = "train resnet50 on ImageNet for 90 epochs";
  const auto p = analyse(empty.path(), request);
  REQUIRE(p.gpu_hours);
  CHECK(p.gpu_hours->count() > 20);
  CHECK(p.gpu_hours->count() < 500);
  CHECK(join(p.unknown, "\n").find("samples assumed") != std::string::npos);
  request.task = "train resnet50 on ImageNet";
  CHECK_FALSE(analyse(empty.path(), request).gpu_hours);
}

TEST_CASE("toy work hardly gains from a faster card, and says so") {
  const json toy{{"params_b", 0.01}, {"arch", "llm"}, {"task", "train"}, {"batch", 12},
                 {"seq", 64},        {"steps", 2000}, {"gc", 0}};
  const auto small = time_on("RTX 3090", toy);
  REQUIRE(small);
  CHECK_FALSE(small->scales_with_card);
  CHECK(likely("H100 SXM", toy) > 0.5 * small->likely.count());
  CHECK(time_on("RTX 3090", kLora)->scales_with_card);
  CHECK(time_on("RTX 3090", kPictures)->scales_with_card);
}

TEST_CASE("absurd amounts give finite numbers or none") {
  for (const char* arch :
       {"llm", "encoder", "speech", "vision", "detection", "segmentation", "diffusion", "rl"})
    for (const char* task : {"train", "pretrain", "infer"})
      for (const json& more :
           std::initializer_list<json>{{{"params_b", 5000},
                                        {"samples", 1e13},
                                        {"epochs", 1e7},
                                        {"seq", 20'000'000},
                                        {"runs", 100'000}},
                                       {{"params_b", 1e-6}, {"steps", 1}, {"batch", 1}, {"res", 1}},
                                       {{"params_b", 5000}, {"tokens", 1e17}}}) {
        json f = more;
        f["arch"] = arch;
        f["task"] = task;
        INFO(f.dump());
        const auto e = time_on("RTX 3090", f);
        if (!e) continue;
        CHECK(std::isfinite(e->high.count()));
        CHECK(e->low.count() >= 0);
        CHECK(e->low <= e->likely);
        CHECK(e->likely <= e->high);
      }
}

TEST_CASE("a card is known however it is written") {
  REQUIRE(card_named("A100-SXM4-80GB") != nullptr);
  CHECK(card_named("NVIDIA GeForce RTX 4090")->name == "RTX 4090");
  CHECK(card_named("rtx_4090")->name == "RTX 4090");
  CHECK(card_named("Frogcard 9000") == nullptr);
  CHECK(card_named("") == nullptr);
  CHECK(card_named(std::string(100'000, '4')) == nullptr);
}
