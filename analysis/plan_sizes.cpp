#include "analysis/plan_sizes.h"

#include <algorithm>
#include <cmath>

#include "analysis/plan_words.h"
#include "core/text.h"

namespace vastgpu {

using namespace plan_words;

/// Each sentence for itself: "Data: 60k textures (45 GB). Disk: 250 GB."
void SizeReader::take(std::string_view name, std::string_view t, int line) {
  std::size_t from = 0;
  while (from < t.size()) {
    std::size_t to = from;
    while (to < t.size() && !(t[to] == '.' && to + 1 < t.size() && t[to + 1] == ' ' && to > from + 5)) ++to;
    const std::string_view sentence = trim(t.substr(from, to - from));
    const Label own = read_label(sentence);
    const std::string own_name = own.found ? own.name : from == 0 ? std::string(name) : "";
    take_memory(own_name, sentence, find_gpu_mentions(sentence), line);
    take_disk(own_name, sentence, line);
    from = to + 1;
  }
}

/// Gigabytes of data in one sentence: parts that are listed add up, raw and unpacked are the same data.
void SizeReader::take_data(std::string_view t, const std::vector<const Amount*>& sizes, int line) {
  PlanNumber sum{sizes[0]->low, sizes[0]->high, line, false};
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    const std::string_view between = t.substr(sizes[i - 1]->end, sizes[i]->at - sizes[i - 1]->end);
    const bool listed = between.find_first_of(";+") != std::string_view::npos;
    const bool same_data = has_word(between.substr(between.find_last_of(";+") + 1),
                                    {"raw", "unpacked", "extracted", "compressed", "total", "解压后"});
    if (listed && !same_data) {
      sum.low += sizes[i]->low;
      sum.high += sizes[i]->high;
      sum.how += (sum.how.empty() ? fixed(sizes[0]->high, 1) : "") + " + " + fixed(sizes[i]->high, 1);
    } else if (sizes[i]->high > sum.high) {
      sum = {sizes[i]->low, sizes[i]->high, line, false};
    }
  }
  if (!plan_.data_gb || plan_.data_gb->high < sum.high) plan_.data_gb = std::move(sum);
}

/// Gigabytes: measured on a card, needed of a card, or of data.
void SizeReader::take_memory(std::string_view name, std::string_view t, const std::vector<GpuMention>& cards,
                             int line) {
  const bool of_host =
      has_word(t, {"host ram", "system ram", "host memory", "cpu memory", "cpu ram", "内存", "ram"});
  const bool of_card =
      (!of_host && has_word(t, {"vram", "gpu memory", "显存", "per card", "per gpu", "peak memory", "memory",
                                "/card", "/gpu", "card", "gpu", "oom", "卡"})) ||
      (!cards.empty() && has_word(t, {"peak", "peaks", "peaked", "measured", "实测", "峰值"}));
  const bool expected = has_word(
      t, {"expected", "estimated", "estimate", "projected", "predicted", "should", "预计", "估计", "预期"});
  const bool measured =
      of_card && !has_word(t, {"not measured"}) &&
      (has_word(t, {"measured", "observed", "实测", "profiled", "nvidia-smi", "smoke run", "pilot run"}) ||
       (has_word(t, {"peak", "peaks", "peaked", "峰值", "max memory", "max_memory_allocated"}) && !expected));
  const bool needed = of_card && !measured &&
                      (has_word(t, {"at least", "minimum", "min",       "min.",     "requires", "require",
                                    "required", "needs",   "need",      "needed",   "or more",  "or larger",
                                    "fits on",  "fits in", "is enough", "suffices", "peak",     "至少",
                                    "不低于",   "不少于",  "需要",      "需",       "最低"}) ||
                       t.find('>') != std::string_view::npos);
  const bool refused = has_word(t, {"does not fit", "do not fit", "doesn't fit", "must fit", "ooms", "oom at",
                                    "oom on", "out of memory", "not enough"});
  const bool of_data = has_word(t, {"data", "dataset", "datasets", "corpus", "clips", "images", "videos",
                                    "audio", "shards", "raw", "unpacked", "extracted", "download", "数据",
                                    "数据集", "解压后", "语料", "图像", "语音"}) ||
                       lists_datasets(name);
  const auto amounts = find_amounts(t);
  std::vector<const Amount*> data;
  for (const Amount& a : amounts) {
    if (a.unit != Unit::gib || a.absurd || a.high <= 0) continue;
    if (std::ranges::any_of(cards, [&](const GpuMention& c) { return a.at >= c.at && a.at < c.end; }))
      continue;
    const std::string_view before = t.substr(0, a.at);
    const std::string_view behind = t.substr(a.end, 20);
    const PlanNumber number{a.low, a.high, line, false};
    const bool of_whole = before.ends_with("of ") || before.ends_with("/ ") || before.ends_with("/");
    const bool is_data = has_word(behind, {"data", "dataset", "corpus", "disk", "storage", "raw"}) ||
                         has_word(behind, {"host", "ram"});
    if (measured && a.high <= 300 && !of_whole && !is_data) {
      if (!plan_.measured_gib || plan_.measured_gib->high < a.high) plan_.measured_gib = number;
    } else if (needed && !refused && a.high >= 4 && a.high <= 300 && !is_data &&
               (!of_data || has_word(t, {"vram", "显存", "gpu memory"})) && !of_whole) {
      if (!plan_.min_vram_gib || plan_.min_vram_gib->high < a.high)
        plan_.min_vram_gib = PlanNumber{a.low, a.high, line, false};
    } else if (of_data && !measured && !has_word(t, {"vram", "gpu memory", "显存"})) {
      const bool checkpoint = has_word(before.substr(before.size() > 30 ? before.size() - 30 : 0),
                                       {"checkpoint", "checkpoints", "ckpt", "weights", "权重"}) ||
                              has_word(behind, {"checkpoint", "checkpoints", "weights"});
      if (!checkpoint) data.push_back(&a);
    }
  }
  if (!data.empty()) take_data(t, data, line);
}

/// "Estimated storage: ~18 GB; checkpoints 3 x 1.4 GB per branch".
void SizeReader::take_disk(std::string_view name, std::string_view t, int line) {
  const bool labelled = has_word(
      name, {"disk", "storage", "disk space", "scratch", "estimated storage", "磁盘", "存储", "硬盘"});
  const bool said =
      labelled ||
      (has_word(t, {"disk", "of storage", "storage", "磁盘", "硬盘"}) &&
       has_word(t, {"needs", "need", "about", "total", "requires", "~", "free", "需要", "需", "space"}));
  if (!said || plan_.disk_gb) return;
  const auto amounts = find_amounts(t);
  double fixed_gb = 0, per_run = 0;
  std::string how;
  for (std::size_t i = 0; i < amounts.size(); ++i) {
    const Amount& a = amounts[i];
    if (a.unit != Unit::gib || a.absurd || a.high <= 0) continue;
    double factor = 1;
    if (i > 0 && amounts[i - 1].unit == Unit::none && !amounts[i - 1].absurd &&
        trim(t.substr(amounts[i - 1].end, a.at - amounts[i - 1].end)) == "x" && amounts[i - 1].high <= 1000)
      factor = amounts[i - 1].high;
    const std::string_view before = t.substr(0, a.at);
    if (has_word(before.substr(before.size() > 20 ? before.size() - 20 : 0), {"total", "in all"})) {
      plan_.disk_gb = PlanNumber{a.low, a.high, line, false};
      return;
    }
    const std::string_view behind = t.substr(a.end, 20);
    const bool each = has_word(behind.substr(0, behind.find_first_of(",;+")),
                               {"per branch", "per run", "per seed", "each", "per experiment", "每个"});
    (each ? per_run : fixed_gb) += a.high * factor;
    how += (how.empty() ? "" : " + ") + (factor > 1 ? fixed(factor, 0) + " x " : "") + fixed(a.high, 1) +
           (each ? " per run" : "");
  }
  if (fixed_gb + per_run <= 0 || fixed_gb + per_run > 1e6) return;
  plan_.disk_gb = PlanNumber{fixed_gb, fixed_gb, line, false, how};
  disk_per_run_ = per_run;
}

void SizeReader::finish() {
  if (!plan_.disk_gb) return;
  PlanNumber& d = *plan_.disk_gb;
  const double runs = plan_.runs ? plan_.runs->high : plan_.seeds ? plan_.seeds->high : 1;
  const double gb = std::ceil(d.high + disk_per_run_ * std::min(runs, 1000.0));
  if (disk_per_run_ > 0) d.how += ", " + fixed(runs, 0) + " runs";
  if (d.how.find(" + ") == std::string::npos && d.how.find(" x ") == std::string::npos) d.how.clear();
  d.low = d.high = gb;
}

}  // namespace vastgpu
