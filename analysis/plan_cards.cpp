#include "analysis/plan_cards.h"

#include <algorithm>

#include "analysis/amounts.h"
#include "analysis/plan_words.h"
#include "core/gpu_table.h"
#include "core/text.h"

namespace vastgpu {
namespace {

using namespace plan_words;

bool is_hardware_label(std::string_view name) {
  return has_word(name, {"hardware",  "gpu",     "gpus",           "gpu type",     "compute",
                         "resources", "machine", "machines",       "server",       "cluster",
                         "device",    "devices", "accelerator",    "accelerators", "node",
                         "nodes",     "cards",   "infrastructure", "硬件",         "设备",
                         "显卡",      "算力",    "机器",           "服务器",       "卡"});
}
bool is_story(std::string_view t) {
  return has_word(t, {"prior work", "original paper", "their paper", "the paper used", "reported with",
                      "was trained on", "et al"});
}

}  // namespace

CardReader::FoundCards CardReader::as_found(const std::vector<GpuMention>& cards, std::string_view t,
                                            int line) {
  FoundCards f{cards, std::string(t), line, false, usable_gpus(t)};
  for (std::size_t i = 1; i < cards.size(); ++i) {
    const std::string_view between = t.substr(cards[i - 1].end, cards[i].at - cards[i - 1].end);
    if (has_word(between, {"or", "alternatively", "或", "或者"}) ||
        between.find('/') != std::string_view::npos)
      f.alternatives = true;
  }
  const bool one_is_enough = has_word(
      t, {"one card", "single card", "single gpu", "one gpu", "单卡", "一张卡", "one is enough", "any one"});
  for (GpuMention& c : f.cards)
    if (!c.count && one_is_enough) c.count = 1;
  if (f.alternatives) {  // "2x A100 or H100"
    for (GpuMention& c : f.cards)
      if (!c.count) c.count = f.cards.front().count;
  }
  return f;
}

PlanHardware CardReader::choose(std::vector<FoundCards>& all) {
  for (FoundCards& f : all)
    for (const GpuMention& card : f.cards) {
      std::optional<int> count = f.usable ? f.usable : card.count;
      if (count && highest_index_ + 1 > *count && !f.usable && highest_index_ < 64)
        count = highest_index_ + 1;
      const auto same = std::ranges::find_if(
          plan_.cards, [&](const PlanCard& c) { return c.card.written == card.written; });
      if (same == plan_.cards.end()) {
        if (plan_.cards.size() < 10) plan_.cards.push_back({card, count, f.line});
      } else if (count && (!same->count || *same->count < *count) && labelled_.empty()) {
        same->count = count;
      }
    }
  const FoundCards& first = all.front();
  const PlanCard& lead = plan_.cards.front();
  PlanHardware hardware{lead.card, lead.count, lead.card.vram_gib, first.alternatives, first.line};
  if (!hardware.gpus && gpu_count_) {
    hardware.gpus = *gpu_count_;
    plan_.cards.front().count = gpu_count_;
  }
  for (const GpuMention& card : first.cards) {
    if (!first.alternatives) break;
    hardware.vram_gib = std::min(hardware.vram_gib, card.vram_gib);
    const GpuModel* best = find_gpu(hardware.card.name);
    const GpuModel* other = find_gpu(card.name);
    if (best != nullptr && other != nullptr && other->relative_speed > best->relative_speed)
      hardware.card = card;
  }
  return hardware;
}

void CardReader::take(std::string_view name, std::string_view t, const std::vector<GpuMention>& cards,
                      const MarkLine& line) {
  if (line.kind == MarkKind::heading && has_word(t, {"hardware", "硬件", "machines", "cluster"}))
    hardware_section_ = line.section;
  const bool hours = speaks_of_gpu_hours(name) || has_word(name, {"hours"});
  const bool labelled =
      (is_hardware_label(name) || (hardware_section_ == line.section && line.kind != MarkKind::heading)) &&
      !hours;
  if (labelled &&
      has_word(t, {"cpu only", "cpu-only", "no gpu", "no gpus", "none", "cpu", "仅 cpu", "纯 cpu", "无需 gpu",
                   "不需要 gpu"}) &&
      cards.empty() && no_gpu_line_ == 0)
    no_gpu_line_ = line.line;
  if (line.kind != MarkKind::table_row && no_gpu_line_ == 0 &&
      has_word(t, {"no gpu is needed", "no gpu needed", "no gpu required", "no gpu is required",
                   "needs no gpu", "does not need a gpu", "do not need a gpu", "runs entirely on cpu",
                   "runs on cpu only", "everything runs on cpu", "cpu-only study", "cpu-only plan",
                   "cpu only plan", "不需要 gpu", "无需 gpu", "全部在 cpu"}))
    no_gpu_line_ = line.line;
  plan_.no_gpu_line = no_gpu_line_;
  if (labelled && cards.empty() &&
      has_word(name, {"gpus", "number of gpus", "gpu count", "num gpus", "cards"}))
    for (const Amount& a : find_amounts(t))
      if (!gpu_count_ && !a.absurd && (a.unit == Unit::none || a.unit == Unit::gpus) && a.high >= 1 &&
          a.high <= 64)
        gpu_count_ = static_cast<int>(a.high);
  if (cards.empty() || is_other_label(name) || is_story(t)) return;
  if (labelled && labelled_.size() < 10)
    labelled_.push_back(as_found(cards, t, line.line));
  else if (cards.front().count && counted_.size() < 10)
    counted_.push_back(as_found(cards, t, line.line));
  else if (named_.empty() &&
           (cards.front().size_written || has_word(t, {"on", "run", "runs", "local", "用"})))
    named_.push_back(as_found(cards, t, line.line));
}

void CardReader::take_index(std::string_view t) {
  highest_index_ = std::max(highest_index_, highest_gpu_index(t));
}

void CardReader::finish() {
  auto& cards = !labelled_.empty() ? labelled_ : !counted_.empty() ? counted_ : named_;
  plan_.hardware = cards.empty() ? std::nullopt : std::optional(choose(cards));
}

}  // namespace vastgpu
