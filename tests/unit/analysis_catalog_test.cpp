// Models by the names that people write, and shapes of those that no table knows.

#include "analysis/model_catalog.h"

#include <chrono>

#include "tests/support/catch.h"

using namespace vastgpu;

namespace {
std::string id_of(std::string_view name) {
  const ModelCard* card = find_card(name);
  return card == nullptr ? "none" : card->id;
}
}  // namespace

TEST_CASE("a model is found however it is written, and not inside another word") {
  CHECK(id_of("meta-llama/Llama-2-7b-chat-hf") == "llama-2-7b");
  CHECK(id_of("Llama 2 7B") == "llama-2-7b");
  CHECK(id_of("LLAMA_2_7B") == "llama-2-7b");
  CHECK(id_of("ResNet 50") == "resnet50");
  CHECK(id_of("gpt2") == "gpt2");
  CHECK(id_of("gpt2-xl") == "gpt2-xl");
  CHECK(id_of("llama-2-70b") != "llama-2-7b");
  CHECK(id_of("frogformer-9000") == "none");
  CHECK(id_of("") == "none");
  CHECK(id_of(std::string(100'000, 'x') + "gpt2") == "none");
}

TEST_CASE("of names that overlap in a text the longest counts, and all stand in order") {
  const std::string text = "distil gpt2-xl into gpt2, then compare with resnet50";
  const auto cards = find_cards(text);
  REQUIRE(cards.size() == 3);
  CHECK(cards[0].card->id == "gpt2-xl");
  CHECK(cards[1].card->id == "gpt2");
  CHECK(cards[2].card->id == "resnet50");
  for (const CardMention& m : cards) CHECK(m.at < m.end);
  CHECK(text.substr(cards[1].at, cards[1].end - cards[1].at) == "gpt2");
  CHECK(find_cards("a text that names nothing").empty());
}

TEST_CASE("a hostile text is looked through in bounded time") {
  const auto started = std::chrono::steady_clock::now();
  std::string names;
  while (names.size() < 1'000'000) names += "llama-2-7b ";
  CHECK(find_cards(names).size() <= 50);
  find_cards(std::string(1'000'000, '-'));
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(3));
}

TEST_CASE("a usual shape multiplies up to the parameters asked for, and grows with them") {
  double before = 0;
  for (const double p : {0.02, 0.06, 0.125, 0.35, 0.77, 1.7, 3.0, 7.0, 13.0, 32.0, 70.0, 400.0}) {
    CAPTURE(p);
    const Geometry g = usual_shape(p, Family::language);
    const double blocks = g.layers * (4 * g.hidden * g.hidden + 3 * g.hidden * g.ffn) / 1e9;
    CHECK(blocks > 0.3 * p);  // the embedding is the rest
    CHECK(blocks < 1.6 * p);
    CHECK(g.heads * g.head_dim == Approx(g.hidden).epsilon(0.1));
    CHECK(g.layers * g.hidden > before);
    before = g.layers * g.hidden;
  }
  for (const double p : {-1.0, 0.0, 1e-9, 1e9}) {
    const Geometry g = usual_shape(p, Family::other);
    CHECK(g.layers >= 4);
    CHECK(g.hidden >= 256);
    CHECK(g.hidden <= 16'384);
  }
}
