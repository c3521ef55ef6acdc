// Who is believed when several speak of one setting.

#include "analysis/claim.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {
Claim claim(const char* setting, json value, const char* source, int rank, int strength = 0) {
  return {setting, std::move(value), source, rank, strength, false};
}
}  // namespace

TEST_CASE("rank counts before strength, strength before order") {
  ClaimBook book;
  book.add(claim("batch", 1, "train.py:3", rank::kScript, strength::kDefault));
  CHECK(book.integer("batch") == 1);
  book.add(claim("batch", 2, "run.sh:1", rank::kScript, strength::kCommand));
  CHECK(book.integer("batch") == 2);  // nearer to what runs
  book.add(claim("batch", 3, "later.sh:1", rank::kScript, strength::kCommand));
  CHECK(book.integer("batch") == 2);  // the first of equals
  book.add(claim("batch", 4, "default", rank::kDefault, 9));
  CHECK(book.integer("batch") == 2);
  book.add(claim("batch", 5, "user", rank::kUser, strength::kDefault));
  CHECK(book.integer("batch") == 5);  // however weak, the user's word
}

TEST_CASE("what is overruled is named once with its source; equals and defaults are not") {
  ClaimBook book;
  book.add(claim("per_device_train_batch_size", 8, "user", rank::kUser));
  book.add(claim("batch_size", "8", "config.yaml:2", rank::kScript));
  book.add(claim("bs", 8.0, "run.sh:4", rank::kScript));
  book.add(claim("batch", 16, "train.py:9", rank::kScript));
  book.add(claim("batch", 1, "default", rank::kDefault));
  const auto e = book.settle("batch");
  REQUIRE(e);
  CHECK(e->value == 8);
  CHECK(e->source == "user");
  CHECK(e->quantity == "batch");
  CHECK(e->overruled == std::vector<std::string>{"train.py:9: 16"});
}

TEST_CASE("the same value in other words is not overruled") {
  ClaimBook book;
  book.add(claim("epochs", 1, "user", rank::kUser));
  book.add(claim("epochs", 1.0, "config.yaml:2", rank::kScript));
  book.add(claim("gc", true, "user", rank::kUser));
  book.add(claim("gc", 1, "config.yaml:3", rank::kScript));
  book.add(claim("gc", "yes", "config.yaml:4", rank::kScript));
  book.add(claim("bits", "bf16", "user", rank::kUser));
  book.add(claim("bits", 16, "config.yaml:5", rank::kScript));
  for (const char* setting : {"epochs", "gc", "bits"}) CHECK(book.settle(setting)->overruled.empty());
  CHECK(book.flag("gc") == true);
  CHECK(book.word("bits") == "16");
  CHECK(book.number("epochs") == Approx(1));
}

TEST_CASE("nobody's word is nothing, and a word is no number") {
  ClaimBook book;
  CHECK_FALSE(book.settle("batch"));
  CHECK_FALSE(book.number("batch"));
  CHECK_FALSE(book.has("batch"));
  book.add(claim("model", "resnet50", "user", rank::kUser));
  CHECK_FALSE(book.number("model"));
  CHECK_FALSE(book.integer("model"));
  CHECK(book.spoken_of() == std::vector<std::string>{"model"});
}

TEST_CASE("what cannot be taken is dropped and said once") {
  ClaimBook book;
  for (int i = 0; i < 100; ++i) book.add(claim("batch", "many", "train.py:3", rank::kScript));
  CHECK_FALSE(book.has("batch"));
  CHECK(book.warnings.size() == 1);
  for (int i = 0; i < 1000; ++i)
    book.add(claim(("odd" + std::to_string(i)).c_str(), 1, "config.yaml", rank::kScript));
  CHECK(book.warnings.size() == 20);
}

TEST_CASE("a crowd of witnesses is bounded and does not drown the user") {
  ClaimBook book;
  for (int i = 1; i <= 1000; ++i) book.add(claim("batch", i, "sweep.sh", rank::kScript, strength::kConfig));
  book.add(claim("batch", 7, "user", rank::kUser));
  CHECK(book.integer("batch") == 7);
  CHECK(book.settle("batch")->overruled.size() <= 40);
}
