// Sentences that people really type.

#include "analysis/sentence.h"
#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("a card behind a number is not a time") {
  const auto eight = read_sentence("pretrain on 8 H100 for 12 hours");
  CHECK(eight.hours == Approx(12));
  const auto four = read_sentence("4 H200 for 2 days");
  CHECK(four.hours == Approx(48));
  const auto night = read_sentence("2 H100s overnight");
  CHECK(night.hours == Approx(10));  // a night, and not two hours
  CHECK(read_sentence("takes 1h30m").hours == Approx(1.5));
}

TEST_CASE("a size without a name is still a size") {
  const auto size_of = [](const char* words) {
    const auto facts = read_sentence(words);
    return facts.models.empty() ? std::nullopt : facts.models.front().params_b;
  };
  CHECK(size_of("fine-tune a 7B model with LoRA, about 2 hours") == Approx(7));
  CHECK(size_of("pretrain a 70B llama from scratch") == Approx(70));
  CHECK(size_of("微调一个70亿参数的模型") == Approx(7));
  CHECK_FALSE(size_of("train on 2 GPUs with batch 8"));
}

TEST_CASE("what a speech model hears is no time that it runs, and documents are no parameters") {
  CHECK_FALSE(read_sentence("whisper-large-v3 fine-tuning on 100 hours").hours);
  CHECK(read_sentence("fine-tune whisper-large-v3 for 100 hours").hours == Approx(100));
  CHECK(read_sentence("embed 5M documents").models.empty());
  CHECK(read_sentence("a 5M parameter net").models.size() == 1);
}
