#include "analysis/plan.h"

#include <algorithm>
#include <utility>

#include "analysis/amounts.h"
#include "analysis/datasets.h"
#include "analysis/script_hints.h"
#include "core/gpu_table.h"
#include "core/text.h"

namespace vastgpu {
namespace {

bool is_hardware_label(std::string_view name) {
  return has_word(name, {"hardware", "gpu", "gpus", "gpu type", "compute", "resources", "machine", "server",
                         "cluster", "device", "devices", "accelerator", "硬件", "设备", "显卡", "算力"});
}
bool is_model_label(std::string_view name) {
  return has_word(name, {"setup", "setup details", "model", "models", "base model", "backbone", "teacher",
                         "student", "architecture", "policy", "target", "draft", "judge", "encoder", "pair",
                         "network", "实验设置", "模型", "骨干网络"});
}
/// Lines that name other people's systems, or tell the story.
bool is_other_label(std::string_view name) {
  return has_word(
      name, {"problem", "compared systems", "baselines", "related work", "对比系统", "risk", "mitigation"});
}

/// Of cards written as alternatives the fastest, else the first.
PlanHardware choose(const std::vector<GpuMention>& cards, std::string_view t, int line) {
  PlanHardware hardware{cards.front(), usable_gpus(t), cards.front().vram_gib, false, line};
  for (std::size_t i = 1; i < cards.size(); ++i) {
    const std::string_view between = t.substr(cards[i - 1].end, cards[i].at - cards[i - 1].end);
    if (!has_word(between, {"or", "或"}) && between.find('/') == std::string_view::npos) continue;
    hardware.alternatives = true;
    hardware.vram_gib = std::min(hardware.vram_gib, cards[i].vram_gib);
    const GpuModel* best = find_gpu(hardware.card.name);
    const GpuModel* other = find_gpu(cards[i].name);
    if (best != nullptr && other != nullptr && other->relative_speed > best->relative_speed)
      hardware.card = cards[i];
  }
  if (!hardware.gpus) hardware.gpus = hardware.card.count;
  return hardware;
}

class PlanReader {
 public:
  explicit PlanReader(Plan& plan) : plan_(plan) {}

  void take(const MarkLine& line) {
    const std::string visible = line.kind == MarkKind::code ? line.text : without_emphasis(line.text);
    const std::string t = plain(visible);
    take_commands(line.text, line.line);
    if (line.kind == MarkKind::code) return;

    const Label label = read_label(line.text);
    const std::string name = label.found ? plain(label.name) : "";
    const auto cards = find_gpu_mentions(t);
    take_hardware(name, t, cards, line.line);
    take_memory(t, cards, line.line);
    if (!is_other_label(name)) take_models(name, visible, t, line.line);
    if (const auto known = find_dataset(t); known && !plan_.dataset) {
      plan_.dataset = std::string(known->name);
      plan_.dataset_line = line.line;
    }
    if (!plan_.bf16_line && has_word(t, {"bf16", "bfloat16"})) plan_.bf16_line = line.line;
    if (is_model_label(name) && !plan_.gpus)
      for (const Amount& a : find_amounts(t))
        if (a.unit == Unit::gpus && !a.absurd && a.high >= 1 && a.high <= 64)
          plan_.gpus = PlanNumber{a.high, a.high, line.line, false};
  }

  void finish() {
    plan_.hardware = labelled_ ? labelled_ : counted_;
    plan_.models = labelled_models_.empty() ? std::move(other_models_) : std::move(labelled_models_);
  }

 private:
  void take_hardware(std::string_view name, std::string_view t, const std::vector<GpuMention>& cards,
                     int line) {
    if (cards.empty()) return;
    if (!labelled_ && is_hardware_label(name) && !has_word(name, {"gpu-hours", "gpuh", "hours"}))
      labelled_ = choose(cards, t, line);
    else if (!counted_ && cards.front().count)
      counted_ = choose(cards, t, line);
  }

  /// Gigabytes: measured on a card, or of data.
  void take_memory(std::string_view t, const std::vector<GpuMention>& cards, int line) {
    const bool of_card =
        has_word(t, {"vram", "gpu memory", "显存", "per card", "per gpu", "peak memory", "memory"});
    const bool measured = of_card && has_word(t, {"measured", "peak", "observed", "实测", "峰值"});
    const bool of_data = has_word(t, {"data", "dataset", "datasets", "corpus", "clips", "images", "storage",
                                      "download", "数据", "数据集", "解压后", "语料"});
    for (const Amount& a : find_amounts(t)) {
      if (a.unit != Unit::gib || a.absurd || a.high <= 0) continue;
      if (std::ranges::any_of(cards, [&](const GpuMention& c) { return a.at >= c.at && a.at < c.end; }))
        continue;
      const PlanNumber number{a.low, a.high, line, false};
      if (measured && a.high <= 300) {
        if (!plan_.measured_gib || plan_.measured_gib->high < a.high) plan_.measured_gib = number;
      } else if (of_data && !of_card) {
        if (!plan_.data_gb || plan_.data_gb->high < a.high) plan_.data_gb = number;
      }
    }
  }

  void take_models(std::string_view name, const std::string& visible, std::string_view t, int line) {
    auto& into = is_model_label(name) ? labelled_models_ : other_models_;
    for (ModelMention& m : find_models(visible)) {
      if (into.size() >= 20) return;
      into.push_back({std::move(m), read_method(t), read_precision(t), line});
    }
  }

  /// "python train.py --x", "torchrun --nproc_per_node=4 src/run.py".
  void take_commands(std::string_view text, int line) {
    for (std::size_t at = text.find(".py"); at != std::string_view::npos; at = text.find(".py", at + 1)) {
      const std::size_t end = at + 3;
      if (end < text.size() && std::isalnum(static_cast<unsigned char>(text[end]))) continue;
      std::size_t from = at;
      while (from > 0 && (std::isalnum(static_cast<unsigned char>(text[from - 1])) ||
                          std::string_view("._-/").find(text[from - 1]) != std::string_view::npos))
        --from;
      std::string script(text.substr(from, end - from));
      if (script.size() > 3 && plan_.scripts.size() < 20 &&
          std::ranges::find(plan_.scripts, script) == plan_.scripts.end())
        plan_.scripts.push_back(std::move(script));
    }
    if (const auto n = gpus_of_launch(text); n && !plan_.gpus)
      plan_.gpus = PlanNumber{double(*n), double(*n), line, false};
  }

  Plan& plan_;
  std::optional<PlanHardware> labelled_, counted_;
  std::vector<PlanModel> labelled_models_, other_models_;
};

}  // namespace

Plan parse_plan(std::string_view text, std::string source) {
  Plan plan;
  plan.source = std::move(source);
  const auto lines = read_markdown(text);
  PlanReader reader(plan);
  for (const MarkLine& line : lines) reader.take(line);
  reader.finish();
  plan.hours = read_plan_hours(lines);
  return plan;
}

Plan read_plan(ProjectFiles& files) {
  for (const char* name : {"refine-logs/EXPERIMENT_PLAN.md", "EXPERIMENT_PLAN.md"})
    if (const auto text = files.read(name); text && !trim(*text).empty()) return parse_plan(*text, name);
  return {};
}

}  // namespace vastgpu
