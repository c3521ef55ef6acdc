#include "analysis/plan_names.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "analysis/datasets.h"
#include "analysis/plan_words.h"
#include "core/text.h"

namespace vastgpu {
namespace {

bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool joins(char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.' || c == '/'; }

/// Words of training that look like names.
bool is_jargon(std::string_view name) {
  constexpr auto kJargon = std::to_array<std::string_view>(
      {"adamw",    "adam",      "sgd",     "lora",       "qlora",        "dora",     "sft",          "grpo",
       "dpo",      "ppo",       "rlhf",    "bf16",       "fp16",         "fp32",     "fp8",          "int8",
       "nf4",      "ddp",       "fsdp",    "zero",       "zero-2",       "zero-3",   "gpu",          "gpus",
       "cpu",      "vram",      "vllm",    "hf",         "mlp",          "cnn",      "rnn",          "gnn",
       "llm",      "llms",      "vlm",     "tbd",        "n/a",          "must-run", "nice-to-have", "ema",
       "rl",       "deepspeed", "pytorch", "accelerate", "transformers", "amp",      "seeds",        "auc",
       "eer",      "wer",       "bleu",    "top-1",      "ood",          "iid",      "train",        "test",
       "val",      "gb",        "gib",     "l2",         "kl",           "mse",      "loo",          "k-fold",
       "u-shaped", "sota"});
  return std::ranges::find(kJargon, to_lower(name)) != kJargon.end();
}

std::string_view token_at(std::string_view text, std::size_t from) {
  std::size_t to = from;
  while (to < text.size() && joins(text[to])) ++to;
  while (to > from && !is_alnum(text[to - 1])) --to;
  return text.substr(from, to - from);
}

/// "ECAPA-TDNN", "U-Net", "PlantVillage": not a word of the language.
bool looks_like_name(std::string_view token) {
  if (token.size() < 3 || token.size() > 80 || !std::isalpha(static_cast<unsigned char>(token[0])) ||
      is_jargon(token))
    return false;
  if (plan_words::without_secrets(token) != token) return false;
  const auto uppers = std::ranges::count_if(token, is_upper);
  const bool marked = std::ranges::any_of(token, is_digit) || token.find('-') != std::string_view::npos ||
                      token.find('/') != std::string_view::npos;
  return uppers >= 2 || (uppers >= 1 && marked);
}

bool is_path(std::string_view token) {
  for (const std::string_view end :
       {".py", ".md", ".sh", ".json", ".yaml", ".yml", ".txt", ".csv", ".pt", ".ckpt"})
    if (token.ends_with(end)) return true;
  return token.find("//") != std::string_view::npos || std::ranges::count(token, '/') > 1;
}

/// "acme/thing-7B", "Orion-14B-Chat": a part of the name is a size.
bool has_size_part(std::string_view token) {
  std::size_t from = 0;
  bool first = true;
  while (from <= token.size()) {
    const std::size_t to = std::min(token.find_first_of("-_/", from), token.size());
    const std::string_view part = token.substr(from, to - from);
    if (!first && part.size() >= 2 && (part.back() == 'B' || part.back() == 'b' || part.back() == 'M') &&
        is_digit(part[0]) &&
        part.substr(0, part.size() - 1).find_first_not_of("0123456789.x") == std::string_view::npos)
      return true;
    first = false;
    from = to + 1;
  }
  return false;
}

/// The parts of a list: "A + B; C (14M), D -> E and F".
std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t from = 0;
  int depth = 0;
  const auto cut = [&](std::size_t at, std::size_t width) {
    parts.push_back(trim(text.substr(from, at - from)));
    from = at + width;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && depth > 0) --depth;
    if (depth > 0) continue;
    if (text[i] == ',' || text[i] == ';' || text[i] == '+' || text[i] == '|') {
      cut(i, 1);
      continue;
    }
    for (const std::string_view mark :
         {" and ", " vs ", " vs. ", " or ", " / ", "->", "→", "；", "，", "、", "和", "与"})
      if (text.substr(i).starts_with(mark)) {
        cut(i, mark.size());
        i += mark.size() - 1;
        break;
      }
  }
  parts.push_back(trim(text.substr(std::min(from, text.size()))));
  if (parts.size() > 30) parts.resize(30);
  return parts;
}

std::string_view opening_name(std::string_view part) {
  while (!part.empty() && (part[0] == '`' || part[0] == '"' || part[0] == '*' || part[0] == '~'))
    part.remove_prefix(1);
  for (const std::string_view lead :
       {"the ", "a ", "frozen ", "pretrained ", "pre-trained ", "small ", "our "})
    if (starts_with_ignoring_case(part, lead)) part.remove_prefix(lead.size());
  return token_at(part, 0);
}

}  // namespace

std::vector<ModelMention> models_in(std::string_view text, bool named) {
  std::vector<ModelMention> found;
  const auto add = [&](ModelMention m) {
    const std::string key = gpu_key(m.name);
    const bool known = std::ranges::any_of(
        found, [&](const ModelMention& o) { return gpu_key(o.name).find(key) != std::string::npos; });
    if (!known && found.size() < 20 && plan_words::without_secrets(m.name) == m.name)
      found.push_back(std::move(m));
  };
  for (ModelMention& m : find_models(text))
    if (!is_path(m.name)) add(std::move(m));
  const auto data = find_datasets(text);
  for (std::size_t i = 0; i < text.size();) {
    if (!is_alnum(text[i])) {
      ++i;
      continue;
    }
    const std::string_view token = token_at(text, i);
    const bool is_data = std::ranges::any_of(
        data, [&](const DatasetMention& d) { return d.at >= i && d.at < i + token.size(); });
    if (!token.empty() && !is_digit(token[0]) && has_size_part(token) && !is_data && !is_path(token))
      if (auto m = model_of_id(token)) add(std::move(*m));
    i += std::max<std::size_t>(token.size(), 1);
  }
  if (named)
    for (const std::string_view part : parts_of(text)) {
      const std::string_view token = opening_name(part);
      if (!looks_like_name(token) || is_path(token) || !find_datasets(token).empty()) continue;
      if (auto m = model_of_id(token))
        add(std::move(*m));
      else
        add({clean_line(token, 120), ModelKind::vision, {}, 0});
    }
  return found;
}

std::vector<std::string> datasets_in(std::string_view text, bool named) {
  std::vector<std::string> found;
  const auto add = [&](std::string name) {
    if (found.size() < 20 && std::ranges::find(found, name) == found.end()) found.push_back(std::move(name));
  };
  for (DatasetMention& d : find_datasets(text))
    // Claims are numbered C1 to C4.
    if (named || d.known->name != "c4") add(std::move(d.name));
  if (named)
    for (const std::string_view part : parts_of(text)) {
      const std::string_view token = opening_name(part);
      if (!looks_like_name(token) || is_path(token) || !find_models(token).empty()) continue;
      const bool within = std::ranges::any_of(found, [&](const std::string& f) {
        return f.find(token) != std::string::npos || token.find(f) != std::string::npos;
      });
      if (!within) add(clean_line(token, 80));
    }
  return found;
}

}  // namespace vastgpu
