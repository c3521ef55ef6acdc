#include "analysis/sentence.h"

#include <cstdlib>

#include <algorithm>
#include <array>

#include "analysis/amounts.h"
#include "analysis/datasets.h"
#include "analysis/model_catalog.h"
#include "analysis/pattern.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxBytes = 4'000;

void replace_all(std::string& s, std::string_view from, std::string_view to) {
  for (std::size_t at = s.find(from); at != std::string::npos; at = s.find(from, at + to.size()))
    s.replace(at, from.size(), to);
}

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

/// As replace_all, for words that stand alone.
void replace_words(std::string& s, std::string_view from, std::string_view to) {
  for (std::size_t at = s.find(from); at != std::string::npos; at = s.find(from, at + 1)) {
    const std::size_t end = at + from.size();
    if ((at > 0 && is_word(s[at - 1])) || (end < s.size() && is_word(s[end]))) continue;
    s.replace(at, from.size(), to);
  }
}

/// "two hours" -> "2 hours", "半小时" -> "0.5小时".
std::string with_digits(std::string s) {
  constexpr auto kPhrases = std::to_array<std::pair<std::string_view, std::string_view>>({
      {"an hour and a half", "1.5 hours"},
      {"one and a half hours", "1.5 hours"},
      {"half an hour", "0.5 hours"},
      {"half a day", "12 hours"},
      {"half a dozen", "6"},
      {"an hour", "1 hour"},
      {"a day", "1 day"},
      {"a week", "1 week"},
      {"a couple of", "2"},
      {"a single", "1"},
      {"single", "1"},
      {"one", "1"},
      {"two", "2"},
      {"three", "3"},
      {"four", "4"},
      {"five", "5"},
      {"six", "6"},
      {"seven", "7"},
      {"eight", "8"},
      {"nine", "9"},
      {"ten", "10"},
      {"twelve", "12"},
      {"twenty", "20"},
      {"overnight", "10 hours"},
  });
  for (const auto& [from, to] : kPhrases) replace_words(s, from, to);
  replace_all(s, "个半小时", ".5小时");  // 一个半小时, before 半小时
  replace_all(s, "半个小时", "0.5小时");
  replace_all(s, "半小时", "0.5小时");
  replace_all(s, "半天", "12小时");
  constexpr auto kNumerals = std::to_array<std::pair<std::string_view, std::string_view>>({{"一", "1"},
                                                                                           {"两", "2"},
                                                                                           {"二", "2"},
                                                                                           {"三", "3"},
                                                                                           {"四", "4"},
                                                                                           {"五", "5"},
                                                                                           {"六", "6"},
                                                                                           {"七", "7"},
                                                                                           {"八", "8"},
                                                                                           {"九", "9"},
                                                                                           {"十", "10"},
                                                                                           {"单", "1"}});
  for (const auto& [numeral, digit] : kNumerals)
    for (const std::string_view unit :
         {".5小时", "个小时", "小时", "天", "张", "块", "卡", "分钟", "周", "个gpu", "个 gpu"})
      replace_all(s, std::string(numeral) + std::string(unit), std::string(digit) + std::string(unit));
  return s;
}

/// Hours that measure a thing, not the work: "960 hours of speech", "24-hour forecasts".
bool measures_data(std::string_view behind) {
  behind = behind.substr(0, 30);
  if (has_word(behind.substr(0, 4), {"of"})) return true;
  const std::string_view start = behind.substr(0, std::min<std::size_t>(behind.size(), 18));
  return has_word(start, {"audio", "speech", "video", "videos", "forecast", "forecasts", "forecasting",
                          "ahead", "recordings", "语音", "音频", "视频", "数据", "ago"});
}

/// "3 seeds, 2 hours each": how often the time is spent.
double repetitions(std::string_view t, std::string_view behind) {
  const bool each =
      has_word(behind.substr(0, 24), {"each", "apiece", "per run", "per seed", "per experiment", "per epoch",
                                      "a run", "per trial", "一次", "每次", "每个"});
  if (!each) return 1;
  for (const Amount& a : find_amounts(t)) {
    if (a.unit != Unit::none || a.absurd || a.high < 1 || a.high > 10'000) continue;
    const std::string_view next = t.substr(a.end, 16);
    const std::size_t word = next.find_first_not_of(' ');
    if (word != std::string_view::npos &&
        has_word(next.substr(word, 12), {"seeds", "runs", "experiments", "epochs", "trials", "次", "个实验"}))
      return a.high;
  }
  return 1;
}

enum class Memory { vram, disk, data, other };

/// What a number of gigabytes is of: the nearest telling word behind it, else before it.
Memory memory_kind(std::string_view t, const Amount& a) {
  std::string_view behind = t.substr(a.end, 28);
  behind = behind.substr(0, behind.find_first_of(",;("));
  std::string_view before = t.substr(a.at > 24 ? a.at - 24 : 0, std::min<std::size_t>(a.at, 24));
  if (const std::size_t cut = before.find_last_of(",;"); cut != std::string_view::npos)
    before.remove_prefix(cut + 1);
  for (const std::string_view side : {behind, before}) {
    if (has_word(side, {"vram", "gpu memory", "video memory", "显存", "gpu", "gpus", "card", "cards"}))
      return Memory::vram;
    if (has_word(side, {"disk", "storage", "space", "ssd", "磁盘", "硬盘"})) return Memory::disk;
    if (has_word(side, {"dataset", "datasets", "data", "corpus", "images", "text", "videos", "数据", "数据集",
                        "语料"}))
      return Memory::data;
    if (has_word(side, {"ram", "system memory", "host memory", "cpu memory", "内存", "checkpoint",
                        "checkpoints", "download"}))
      return Memory::other;
  }
  return Memory::vram;
}

void note_absurd(SentenceFacts& facts, std::string_view t, const Amount& a) {
  facts.warnings.push_back("the task says " +
                           clean_line(t.substr(a.at, std::min<std::size_t>(a.end - a.at, 40))) +
                           ": that number makes no sense and was ignored");
}

}  // namespace

/// Models by the family names that people write, and by the names of the table.
std::vector<ModelMention> named_models(std::string_view task) {
  std::vector<ModelMention> found = find_models(task);
  for (const CardMention& m : find_cards(task)) {
    const auto overlaps = [&](const ModelMention& o) { return o.at < m.end && m.at < o.at + o.name.size(); };
    const auto same = std::ranges::find_if(found, overlaps);
    if (same != found.end() && (find_card(same->name) == m.card || same->name.size() > m.end - m.at))
      continue;
    ModelMention mention{std::string(task.substr(m.at, m.end - m.at)), ModelKind::language, m.card->params_b,
                         m.at};
    switch (m.card->family) {
      case Family::vision:
      case Family::detection:
      case Family::segmentation:
        mention.kind = ModelKind::vision;
        break;
      case Family::diffusion:
        mention.kind = ModelKind::diffusion;
        break;
      case Family::speech:
        mention.kind = ModelKind::audio;
        break;
      case Family::encoder:
        mention.kind = ModelKind::encoder;
        break;
      default:
        break;
    }
    if (same != found.end())
      *same = std::move(mention);
    else
      found.push_back(std::move(mention));
  }
  std::ranges::stable_sort(found, {}, &ModelMention::at);
  return found;
}

/// "7B", "1.5 b parameters", "70亿参数": a size that no model name carries. Billions.
std::optional<double> bare_size(const std::string& plain_text) {
  static const Pattern kBillions(
      R"((?:^|[^\w.])(\d{1,4}(?:\.\d{1,3})?)\s?(b|billion|m)(?![\w/])(?!\s?(?:\w+ )?(?:tokens?|samples|images|examples|steps|pairs|rows|sentences|documents|docs|records|queries|articles|lines|words|frames|files|users|nodes|edges|points|cells|molecules|sequences|clips|messages|iterations|timesteps|transitions)))");
  static const Pattern kHundredMillions(R"((\d{1,5}(?:\.\d{1,2})?)\s?亿)");
  if (const auto m = kBillions.find(plain_text))
    return std::atof((*m)[1].c_str()) * ((*m)[2] == "m" ? 0.001 : 1);
  if (const auto m = kHundredMillions.find(plain_text)) return std::atof((*m)[1].c_str()) / 10;
  return std::nullopt;
}

SentenceFacts read_sentence(std::string_view task) {
  task = task.substr(0, kMaxBytes);
  SentenceFacts facts;
  const std::string t = with_digits(plain(task));
  const std::string_view view = t;

  facts.models = named_models(task);
  if (const auto size = bare_size(t.substr(0, 2000)); size && *size > 0) {
    if (facts.models.empty())
      facts.models.push_back(
          {*size < 0.95 ? fixed(*size * 1000, 0) + "M model" : fixed(*size, *size < 10 ? 1 : 0) + "B model",
           ModelKind::language, size, 0});
    else if (static const Pattern kSized(R"(\d(?:\.\d+)?[ -]?[bm](?![a-z]))");
             !kSized.in(facts.models.front().name))
      facts.params_b = facts.models.front().params_b = size;
  }
  facts.method = read_method(t);
  facts.precision = read_precision(t);
  facts.training = speaks_of_training(t);
  const auto cards = find_gpu_mentions(t);
  if (!cards.empty()) facts.card = cards.front();
  if (facts.card && facts.card->count) facts.gpus = facts.card->count;
  if (const auto known = find_dataset(t)) facts.dataset = std::string(known->name);

  for (const Amount& a : find_amounts(t)) {
    if (a.absurd) {
      if (a.unit != Unit::none && a.unit != Unit::dollars) note_absurd(facts, t, a);
      continue;
    }
    const bool part_of_card =
        std::ranges::any_of(cards, [&](const GpuMention& c) { return a.at >= c.at && a.at < c.end; });
    const std::string_view behind = view.substr(a.end);
    switch (a.unit) {
      case Unit::hours: {
        const std::string_view before =
            view.substr(a.at > 16 ? a.at - 16 : 0, std::min<std::size_t>(a.at, 16));
        // "on 100 hours" of a speech model is what it hears, "for 100 hours" how long it runs.
        const bool heard =
            before.ends_with(" on ") && std::ranges::any_of(facts.models, [](const ModelMention& m) {
              return m.kind == ModelKind::audio;
            });
        if (a.high <= 0 || heard || measures_data(behind) ||
            has_word(before, {"librispeech", "last", "past", "every"}))
          break;
        if (!facts.hours) facts.hours = a.high * repetitions(t, behind);
        break;
      }
      case Unit::gpu_hours:
        if (a.high > 0 && !facts.gpu_hours) facts.gpu_hours = a.high;
        break;
      case Unit::gpus:
        if (a.high >= 1 && a.high <= 64 && !facts.gpus && !part_of_card)
          facts.gpus = static_cast<int>(a.high);
        break;
      case Unit::gib: {
        if (part_of_card || a.high <= 0) break;
        const Memory kind = memory_kind(t, a);
        if (kind == Memory::vram && !facts.vram_gib) {
          if (a.high <= 1'000)
            facts.vram_gib = a.high;
          else
            note_absurd(facts, t, a);
        }
        if (kind == Memory::disk && !facts.disk_gb) facts.disk_gb = a.high;
        if (kind == Memory::data && !facts.dataset_gb) facts.dataset_gb = a.high;
        break;
      }
      case Unit::none:
      case Unit::other_hours:
      case Unit::dollars:
        break;
    }
  }
  return facts;
}

}  // namespace vastgpu
