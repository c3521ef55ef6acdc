#include "analysis/model_rules.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "analysis/amounts.h"
#include "analysis/model_table.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxModels = 20;

using enum ModelKind;

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool joins_name(char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.' || c == '/' || c == '+'; }

/// A size such as "7b", "1.5b", "124m" or "8x7b" that fills `word`, in billions.
std::optional<double> size_in(std::string_view word) {
  double factor = 1;
  if (const std::size_t times = word.find('x'); times != std::string_view::npos && times > 0) {
    if (std::from_chars(word.data(), word.data() + times, factor).ptr != word.data() + times)
      return std::nullopt;
    word.remove_prefix(times + 1);
  }
  if (word.size() < 2 || (word.back() != 'b' && word.back() != 'm')) return std::nullopt;
  double value = 0;
  const char* const last = word.data() + word.size() - 1;
  const auto [end, bad] = std::from_chars(word.data(), last, value, std::chars_format::fixed);
  if (bad != std::errc{} || end != last) return std::nullopt;
  value *= factor * (word.back() == 'm' ? 0.001 : 1);
  if (value < 0.0001 || value > 2000) return std::nullopt;
  return value;
}

/// The size in any part of a name: "llama-2-7b-chat".
std::optional<double> size_in_name(std::string_view name) {
  std::size_t from = 0;
  while (from <= name.size()) {
    const std::size_t to = std::min(name.find_first_of("-_/ +", from), name.size());
    if (const auto size = size_in(name.substr(from, to - from))) return size;
    from = to + 1;
  }
  // "llama7b", "qwen2.5:7b": digits in front of a final b. A version before it has no b.
  for (std::size_t i = 1; i < name.size(); ++i) {
    if (name[i] != 'b' || !is_digit(name[i - 1]) || (i + 1 < name.size() && is_alnum(name[i + 1]))) continue;
    std::size_t start = i;
    while (start > 0 && (is_digit(name[start - 1]) || name[start - 1] == '.')) --start;
    if (const auto size = size_in(name.substr(start, i + 1 - start))) return size;
  }
  return std::nullopt;
}

std::string key_of(std::string_view name) {
  std::string key;
  for (const char c : name)
    if (is_alnum(c)) key += c;
  return key;
}

/// A family that `word` (lower case, no owner) begins with. What follows the key must not make another word
/// of it.
const NameFamily* family_of(std::string_view word) {
  const std::string key = key_of(word);
  const NameFamily* best = nullptr;
  for (const NameFamily& f : model_families()) {
    if (!key.starts_with(f.key) || (best != nullptr && best->key.size() > f.key.size())) continue;
    // "optimizer" is no OPT, "sample" no SAM, "clipping" no CLIP: behind the family only a digit or a break
    // in the word.
    std::size_t in_word = 0;
    for (std::size_t k = 0; k < f.key.size(); ++in_word)
      if (is_alnum(word[in_word])) ++k;
    if (in_word < word.size() && is_alnum(word[in_word]) && !is_digit(word[in_word])) continue;
    // "opt-level" and "yi" are no models without a size.
    if ((f.key == "opt" || f.key == "yi" || f.key == "phi" || f.key == "mamba") && !size_in_name(word))
      continue;
    if ((f.key == "sam" || f.key == "swin" || f.key == "clip" || f.key == "detr") && in_word < word.size() &&
        word[in_word] != '-' && word[in_word] != '_' && !is_digit(word[in_word]))
      continue;
    best = &f;
  }
  return best;
}

/// Words that go on a name across a space: "Llama 2 7B Instruct", "GPT-2 medium", "ResNet 50".
bool continues_name(std::string_view word) {
  if (word.empty()) return false;
  if (size_in(word)) return true;
  if (is_digit(word[0]) && word.size() <= 4 &&
      word.find_first_not_of("0123456789.") == std::string_view::npos)
    return true;
  constexpr auto kSuffixes =
      std::to_array<std::string_view>({"base", "large", "small", "tiny", "medium", "huge", "xl", "xxl",
                                       "mini", "instruct", "chat", "diffusion", "v2", "v3"});
  return std::ranges::find(kSuffixes, word) != kSuffixes.end();
}

std::string_view word_at(std::string_view lower, std::size_t from) {
  std::size_t to = from;
  while (to < lower.size() && joins_name(lower[to])) ++to;
  while (to > from && !is_alnum(lower[to - 1])) --to;
  return lower.substr(from, to - from);
}

std::string_view without_owner(std::string_view word) {
  // "meta-llama/Llama-3.2-3B" has an owner, "ViT-B/16" and "resnet-50/cifar" do not.
  const std::size_t slash = word.find('/');
  if (slash == std::string_view::npos) return word;
  const std::string_view name = word.substr(slash + 1);
  return family_of(name) != nullptr ? name : word.substr(0, slash);
}

}  // namespace

std::vector<ModelMention> find_models(std::string_view text) {
  std::vector<ModelMention> found;
  const std::string lower = to_lower(text);
  const std::string_view view = lower;
  for (std::size_t i = 0; i < view.size() && found.size() < kMaxModels;) {
    if (!is_alnum(view[i])) {
      ++i;
      continue;
    }
    const std::string_view word = word_at(view, i);
    std::size_t end = i + word.size();
    std::string joined(without_owner(word));
    const bool two_words = word == "stable" || word == "mask" || word == "faster" || word == "wide";
    const NameFamily* family = family_of(joined);
    if (family != nullptr || two_words) {
      for (int more = 0; more < 4 && end + 1 < view.size() && view[end] == ' '; ++more) {
        const std::string_view next = word_at(view, end + 1);
        // "train ResNet 50 epochs": a bare number goes with the name only where such a model exists.
        const std::string longer = joined + "-" + std::string(next);
        const bool bare = !next.empty() && next.find_first_not_of("0123456789") == std::string_view::npos;
        const NameFamily* with = family_of(longer);
        const bool names_family =
            with != nullptr && (family == nullptr || with->key.size() > family->key.size());
        const std::string_view behind =
            end + 1 + next.size() + 1 < view.size() ? word_at(view, end + 2 + next.size()) : "";
        const bool counts_something =
            bare && (behind == "epochs" || behind == "epoch" || behind == "times" || behind == "hours" ||
                     behind == "gpus" || behind == "steps" || behind == "h" || behind == "x");
        const bool short_version = bare && next.size() == 1 && family != nullptr && family->kind == language;
        if (counts_something || !(names_family || (continues_name(next) && (!bare || short_version)))) break;
        joined = longer;
        family = with != nullptr ? with : family;
        end += 1 + next.size();
      }
    }
    if (family != nullptr) {
      ModelMention m{clean_line(text.substr(i, end - i), 120), family->kind, {}, i};
      if (const auto size = size_in_name(joined))
        m.params_b = size;
      else if (family->params_b > 0)
        m.params_b = family->params_b;
      found.push_back(std::move(m));
    }
    i = std::max(end, i + 1);
  }
  return found;
}

std::optional<ModelMention> model_of_id(std::string_view id) {
  if (id.size() > 200) return std::nullopt;
  if (auto known = find_models(id); !known.empty()) {
    known.front().name = clean_line(id, 120);
    return known.front();
  }
  const auto size = size_in_name(to_lower(id));
  if (!size) return std::nullopt;
  return ModelMention{clean_line(id, 120), ModelKind::language, size, 0};
}

const char* to_string(Precision p) {
  switch (p) {
    case Precision::fp32:
      return "fp32";
    case Precision::fp16:
      return "fp16";
    case Precision::bf16:
      return "bf16";
    case Precision::unknown:
      break;
  }
  return "unknown precision";
}

Method read_method(std::string_view t) {
  const bool four_bit = has_word(t, {"4-bit", "4bit", "nf4", "int4", "load_in_4bit", "4 bit"});
  if (has_word(t, {"qlora"})) return Method::qlora;
  if (has_word(t, {"lora", "dora", "loraconfig", "peft", "adapter tuning"}))
    return four_bit ? Method::qlora : Method::lora;
  if (has_word(t, {"full fine-tune", "full fine-tuning", "full finetune", "full finetuning", "full-parameter",
                   "full parameter", "from scratch", "pretrain", "pre-train", "pretraining", "pre-training",
                   "全参", "全量", "预训练", "从头训练"}))
    return Method::full;
  if (has_word(t, {"inference", "inference only", "serve", "serving", "vllm", "generate", "evaluate",
                   "benchmark", "推理", "评测"}) &&
      !speaks_of_training(t))
    return Method::inference;
  return Method::unknown;
}

Precision read_precision(std::string_view t) {
  if (has_word(t, {"bf16", "bfloat16"})) return Precision::bf16;
  if (has_word(t, {"fp16", "float16", "half precision", "半精度"})) return Precision::fp16;
  if (has_word(t, {"fp32", "float32", "full precision"})) return Precision::fp32;
  return Precision::unknown;
}

bool speaks_of_training(std::string_view t) {
  return has_word(t, {"train",      "training",  "retrain", "trained", "fine-tune", "fine-tuning", "finetune",
                      "finetuning", "fine tune", "epochs",  "seeds",   "sft",       "dpo",         "grpo",
                      "ppo",        "lora",      "qlora",   "adamw",   "训练",      "微调",        "fit"});
}

}  // namespace vastgpu
