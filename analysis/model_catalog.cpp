#include "analysis/model_catalog.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "analysis/pattern.h"
#include "core/json.h"
#include "core/text.h"

namespace vastgpu {

namespace embedded {
std::string_view models_json();  // generated from analysis/data/models.json
}

namespace {

struct Entry {
  ModelCard card;
  std::vector<Pattern> patterns;
};

Family family_of(const std::string& modality) {
  static const std::map<std::string, Family> kFamilies{{"llm", Family::language},
                                                       {"text-encoder", Family::encoder},
                                                       {"seq2seq", Family::seq2seq},
                                                       {"vision-language", Family::vision_language},
                                                       {"speech", Family::speech},
                                                       {"vision", Family::vision},
                                                       {"diffusion", Family::diffusion},
                                                       {"detection", Family::detection},
                                                       {"segmentation", Family::segmentation}};
  const auto found = kFamilies.find(modality);
  return found == kFamilies.end() ? Family::other : found->second;
}

/// Fills what the table leaves out, so that heads and widths multiply up to the parameters.
void complete(ModelCard& card) {
  Geometry& g = card.shape;
  if (card.active_params_b <= 0) card.active_params_b = card.params_b;
  if (card.family == Family::vision || card.family == Family::detection || card.family == Family::diffusion ||
      card.params_b <= 0)
    return;
  const Geometry usual = usual_shape(card.params_b, card.family);
  if (g.layers == 0 || g.hidden <= 0) {
    g.layers = usual.layers;
    g.hidden = usual.hidden;
  }
  if (g.vocab <= 0) g.vocab = usual.vocab;
  if (g.head_dim <= 0) g.head_dim = g.heads > 0 ? g.hidden / g.heads : std::min(128.0, g.hidden);
  if (g.heads <= 0) g.heads = std::max(1.0, g.hidden / g.head_dim);
  if (g.kv_heads <= 0) g.kv_heads = g.heads;
  g.kv_heads = std::min(g.kv_heads, g.heads);
  if (g.ffn <= 0) g.ffn = std::max(usual.ffn / usual.hidden, 2.7) * g.hidden;
}

std::vector<Entry> load() {
  std::vector<Entry> entries;
  const auto rows = parse_json(embedded::models_json(), "table of models");
  if (!rows || !rows->is_array()) return entries;
  for (const json& row : *rows) {
    Entry e;
    ModelCard& c = e.card;
    const auto number = [&](const char* name) { return read_number(row, name).value_or(0); };
    c.id = read_field<std::string>(row, "id").value_or("");
    c.family = family_of(read_field<std::string>(row, "modality").value_or(""));
    c.params_b = number("params_b");
    c.active_params_b = number("active_params_b");
    c.pipeline_params_b = number("pipeline_params_b");
    c.vision_params_b = number("vision_params_b");
    c.shape = {static_cast<int>(number("layers")),
               number("hidden"),
               number("heads"),
               number("kv_heads"),
               number("head_dim"),
               number("ffn"),
               number("vocab"),
               false};
    c.img_size = number("img_size");
    c.fwd_gflops = number("fwd_gflops_per_sample");
    c.activations_m = number("fwd_activations_m_per_sample");
    c.samples_per_s = number("train_samples_per_sec_rtx3090_amp");
    c.checkpoint_gb = number("ckpt_gb_16bit");
    c.published_bits = static_cast<int>(number("published_bits"));
    if (c.published_bits > 0) c.checkpoint_gb *= 1.05 * c.published_bits / 16;  // with their scales
    complete(c);
    for (const std::string& p :
         read_field<std::vector<std::string>>(row, "patterns").value_or(std::vector<std::string>{}))
      // As a whole word: "llama-2-7b" is in "llama-2-7b-chat", not in "llama-2-70b".
      e.patterns.emplace_back("(?<![a-z0-9])(?:" + p + ")(?![a-z0-9])");
    entries.push_back(std::move(e));
  }
  return entries;
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> kEntries = load();
  return kEntries;
}

/// "llama 2 7b" and "llama_2_7b" are "llama-2-7b". As long as before.
std::string with_dashes(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c == ' ' || c == '_' || c == '/' || c == ':'; }, '-');
  return text;
}

}  // namespace

const char* to_string(Family f) {
  constexpr auto kNames = std::to_array<const char*>(
      {"language model", "text encoder", "encoder-decoder", "vision-language model", "speech model",
       "vision model", "detector", "segmentation model", "diffusion model", "network"});
  return kNames[static_cast<std::size_t>(f)];
}

const ModelCard* find_card(std::string_view name) {
  const std::string written = to_lower(name.substr(0, 120));
  const std::string joined = with_dashes(written);
  const ModelCard* best = nullptr;
  std::size_t longest = 0;
  for (const Entry& e : entries())
    for (const Pattern& p : e.patterns)
      for (const std::string& form : {written, joined})
        if (const std::size_t n = p.length_in(form); n > longest) {
          longest = n;
          best = &e.card;
        }
  return best;
}

std::vector<CardMention> find_cards(std::string_view text) {
  const std::string written = to_lower(text.substr(0, 4'000));
  const std::string joined = with_dashes(written);
  std::vector<CardMention> all;
  for (const Entry& e : entries())
    for (const Pattern& p : e.patterns)
      for (const std::string* form : {&written, &joined})
        for (const Pattern::Match& m : p.find_all(*form)) all.push_back({&e.card, m.at, m.end});
  std::ranges::stable_sort(
      all, [](const CardMention& a, const CardMention& b) { return a.end - a.at > b.end - b.at; });
  std::vector<CardMention> kept;
  for (const CardMention& m : all)
    if (std::ranges::none_of(kept, [&](const CardMention& k) { return m.at < k.end && k.at < m.end; }))
      kept.push_back(m);
  std::ranges::sort(kept, {}, &CardMention::at);
  return kept;
}

Geometry usual_shape(double params_b, Family family) {
  struct Row {
    double params_b;
    double layers, hidden;
  };
  constexpr auto kRows = std::to_array<Row>({{0.005, 4, 256},
                                             {0.02, 6, 384},
                                             {0.06, 6, 512},
                                             {0.125, 12, 768},
                                             {0.35, 24, 1024},
                                             {0.77, 28, 1280},
                                             {1.1, 22, 2048},
                                             {1.7, 28, 2048},
                                             {3.0, 30, 2816},
                                             {7, 32, 4096},
                                             {9, 40, 4096},
                                             {13, 40, 5120},
                                             {32, 60, 6144},
                                             {70, 80, 8192},
                                             {110, 88, 10'240},
                                             {400, 126, 16'384}});
  const double p = std::clamp(params_b, kRows.front().params_b, kRows.back().params_b);
  std::size_t i = 0;
  while (i + 2 < kRows.size() && kRows[i + 1].params_b < p) ++i;
  const Row &a = kRows[i], &b = kRows[i + 1];
  const double x = std::log(p / a.params_b) / std::log(b.params_b / a.params_b);
  const auto between = [x](double from, double to) {
    return std::exp((1 - x) * std::log(from) + x * std::log(to));
  };
  Geometry g;
  g.layers = static_cast<int>(std::lround(between(a.layers, b.layers)));
  g.hidden = std::round(between(a.hidden, b.hidden) / 64) * 64;
  g.head_dim = g.hidden >= 2048 ? 128 : 64;
  g.heads = std::max(1.0, g.hidden / g.head_dim);
  g.kv_heads = g.heads;
  g.gated = family == Family::language || family == Family::vision_language;
  g.ffn = (g.gated ? 2.7 : 4) * g.hidden;
  // Models of today have large vocabularies; encoders and speech models have not.
  g.vocab = g.gated ? 128'000 : family == Family::speech ? 52'000 : 32'000;
  return g;
}

}  // namespace vastgpu
