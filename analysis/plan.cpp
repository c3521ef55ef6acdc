#include "analysis/plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "analysis/amounts.h"
#include "analysis/datasets.h"
#include "analysis/launch_line.h"
#include "analysis/plan_cards.h"
#include "analysis/plan_hours.h"
#include "analysis/plan_names.h"
#include "analysis/plan_sizes.h"
#include "analysis/plan_words.h"
#include "core/text.h"

namespace vastgpu {
namespace {

using namespace plan_words;

constexpr std::size_t kMaxPlanBytes = 300'000;  // real plans have a tenth of that

bool is_model_label(std::string_view name) {
  return has_word(name,
                  {"setup",        "setup details", "model",        "models",     "base model", "backbone",
                   "teacher",      "student",       "architecture", "policy",     "target",     "draft",
                   "judge",        "encoder",       "decoder",      "pair",       "network",    "generator",
                   "reward model", "vision pair",   "text pair",    "checkpoint", "llm",        "系统",
                   "实验设置",     "模型",          "基座",         "基座模型",   "骨干网络",   "骨干"});
}
/// Of these the value is nothing but names.
bool lists_models(std::string_view name) {
  return is_model_label(name) &&
         !has_word(name, {"setup", "setup details", "target", "实验设置", "checkpoint", "pair"});
}
bool is_setup_label(std::string_view name) {
  return has_word(name, {"setup", "setup details", "set-up", "实验设置", "设置", "configuration"});
}
std::string first_part(std::string_view value) {
  std::size_t end = value.size();
  for (const std::string_view mark : {",", ";", "，", "；", " at ", " on ", " with "})
    end = std::min(end, value.find(mark));
  return std::string(value.substr(0, end));
}
class PlanReader {
 public:
  explicit PlanReader(Plan& plan) : plan_(plan), cards_(plan), sizes_(plan) {}

  void take(const MarkLine& line) {
    if (line.kind == MarkKind::heading) {
      skipped_ = says_dropped(plain(line.text));
    }
    if (line.kind == MarkKind::table_head) head_ = &line;
    const std::string visible = line.kind == MarkKind::code ? line.text : without_emphasis(line.text);
    const std::string t = plain(visible);
    take_commands(line.text, line.line);
    cards_.take_index(t);
    if (skipped_) return;
    if (line.kind == MarkKind::code) {
      if (has_word(t, {"peak", "max memory", "measured", "max_memory_allocated"}))
        sizes_.take_log(t, line.line);
      return;
    }

    Label label = read_label(line.text);
    if (line.kind == MarkKind::table_row && line.cells.size() >= 2 && line.cells.size() <= 3)
      label = {true, line.cells[0], line.text.substr(std::min(line.cells[0].size() + 3, line.text.size()))};
    const std::string name = label.found ? plain(label.name) : "";
    const auto cards = find_gpu_mentions(t);
    cards_.take(name, t, cards, line);
    sizes_.take(name, t, line.line);
    take_counts(name, t, cards, line);
    take_names(line, label, name, visible, t);
    if (!plan_.bf16_line && has_word(t, {"bf16", "bfloat16"})) plan_.bf16_line = line.line;
  }

  void finish() {
    cards_.finish();
    plan_.models = std::move(models_);

    sizes_.finish();
    if (plan_.hardware && !plan_.min_vram_gib && !plan_.measured_gib) {
      const bool all =
          std::ranges::all_of(plan_.cards, [](const PlanCard& c) { return c.card.size_written; });
      if (all)
        plan_.min_vram_gib = PlanNumber{plan_.hardware->vram_gib, plan_.hardware->vram_gib,
                                        plan_.hardware->line, true, "the size of the plan's card"};
    }
  }

 private:
  void take_counts(std::string_view name, std::string_view t, const std::vector<GpuMention>& cards,
                   const MarkLine& line) {
    const bool per_run =
        has_word(t, {"per run", "each run", "per branch", "each branch", "per job", "each job",
                     "per experiment", "each experiment", "each seed", "per seed", "gpus/run",
                     "per training run", "每个 run", "每次", "每个实验", "每个任务"});
    for (const Amount& a : find_amounts(t)) {
      if (a.absurd || a.high < 1) continue;
      const bool counts_gpus =
          a.unit == Unit::gpus || (a.unit == Unit::none && has_word(name, {"gpus per run", "gpus/run"}));
      if (counts_gpus && a.high <= 64) {
        const PlanNumber number{a.high, a.high, line.line, false};
        if (is_model_label(name) && !plan_.gpus) plan_.gpus = number;
        if (per_run && !plan_.gpus_per_run) plan_.gpus_per_run = number;
      }
      if (a.unit != Unit::none || a.high > 10'000 || a.high != std::floor(a.high)) continue;
      const std::string_view behind = t.substr(a.end, 24);
      const std::string_view word = trim(behind.starts_with('-') ? behind.substr(1) : behind);
      const bool seeds = word.starts_with("seed") || word.starts_with("random seed") ||
                         word.starts_with("个种子") || word.starts_with("种子") ||
                         word.starts_with("个随机种子");
      if (seeds && (!plan_.seeds || plan_.seeds->high < a.high))
        plan_.seeds = PlanNumber{a.high, a.high, line.line, false};
      const bool total_runs =
          (word.starts_with("runs") || word.starts_with("training runs") || word.starts_with("个 run") ||
           word.starts_with("次运行")) &&
          (!per_run || word.starts_with("个 run") || trim(t.substr(0, a.at)).ends_with('=')) &&
          line.kind != MarkKind::table_row;
      if (total_runs && !plan_.runs) plan_.runs = PlanNumber{a.high, a.high, line.line, false};
    }
    if (has_word(name, {"seeds", "seed", "种子", "随机种子"}))
      for (const Amount& a : find_amounts(t))
        if (!plan_.seeds && a.unit == Unit::none && !a.absurd && a.high >= 1 && a.high <= 100) {
          const double n = a.low < a.high ? a.high - a.low + 1 : a.high;  // "seeds: 0-2"
          plan_.seeds = PlanNumber{n, n, line.line, false};
        }
    if (per_run && !plan_.gpus_per_run && !cards.empty() && cards.front().count)
      plan_.gpus_per_run =
          PlanNumber{double(*cards.front().count), double(*cards.front().count), line.line, false};
    if (!plan_.runs && has_word(t, {"both runs", "two runs", "both branches"}))
      plan_.runs = PlanNumber{2, 2, line.line, false};
    if (!plan_.runs && line.kind == MarkKind::heading)
      if (const auto n = count_of_runs(t); n && has_word(t, {"runs", "branches"}))
        plan_.runs = PlanNumber{double(*n), double(*n), line.line, false};
  }

  void take_names(const MarkLine& line, const Label& label, std::string_view name, const std::string& visible,
                  std::string_view t) {
    const bool other = is_other_label(name) && line.kind != MarkKind::table_row;
    const bool code = line.kind == MarkKind::code;
    if (!other && !code) {
      const bool named = label.found && lists_models(name) && line.kind != MarkKind::table_row;
      const std::string value = named ? without_emphasis(label.value) : visible;
      std::vector<ModelMention> models = models_in(value, named);
      // "Setup details: SegFormer-B5, bf16, 3 seeds" opens with the model.
      if (label.found && !named && is_setup_label(name))
        for (ModelMention& m : models_in(first_part(without_emphasis(label.value)), true))
          models.push_back(std::move(m));
      for (ModelMention& m : models) {
        const std::string key = gpu_key(m.name);
        const bool family = m.name.find_first_of("0123456789/") == std::string::npos;  // "OLMo", of "OLMo-1B"
        const bool known = std::ranges::any_of(models_, [&](const PlanModel& o) {
          const std::string other_key = gpu_key(o.model.name);
          return other_key == key || (family && other_key.starts_with(key));
        });
        if (known || models_.size() >= 30) continue;
        models_.push_back({std::move(m), read_method(t), read_precision(t), line.line});
      }
    }
    const bool named = label.found && lists_datasets(name) && line.kind != MarkKind::table_row;
    std::vector<std::string> names = datasets_in(named ? without_emphasis(label.value) : visible, named);
    if (line.kind == MarkKind::table_row && head_ != nullptr && head_->table == line.table)
      for (std::size_t i = 0; i < line.cells.size() && i < head_->cells.size(); ++i)
        if (lists_datasets(plain(head_->cells[i])) && head_->cells[i].size() < 30)
          for (std::string& n : datasets_in(without_emphasis(line.cells[i]), true))
            if (std::ranges::find(names, n) == names.end()) names.push_back(std::move(n));
    for (std::string& n : names) add_dataset(std::move(n), t, line.line);
  }

  void add_dataset(std::string name, std::string_view t, int line) {
    if (plan_.datasets.size() >= 30 || std::ranges::any_of(plan_.datasets, [&](const PlanDataset& d) {
          return to_lower(d.name) == to_lower(name);
        }))
      return;
    std::optional<double> gb;
    // "UltraChat (1.6 GB)": only the size right behind the name is this one's.
    const std::string plain_name = plain(name);
    const std::size_t at = t.find(plain_name);
    t = at == std::string_view::npos ? std::string_view{} : t.substr(at + plain_name.size(), 24);
    t = t.substr(0, t.find_first_of(";+|"));
    const bool of_card = has_word(t, {"vram", "gpu memory", "显存", "per card", "per gpu"});
    for (const Amount& a : find_amounts(t))
      if (a.unit == Unit::gib && !a.absurd && a.high > 0 && !of_card && find_gpu_mentions(t).empty())
        gb = std::max(gb.value_or(0), a.high);
    if (const auto known = find_dataset(plain(name))) {
      const auto best = plan_.dataset ? find_dataset(*plan_.dataset) : std::nullopt;
      if (!best || known->disk_gb > best->disk_gb) {
        plan_.dataset = std::string(known->name);
        plan_.dataset_line = line;
      }
    }
    plan_.datasets.push_back({std::move(name), gb, line});
  }

  /// "python train.py --x", "torchrun --nproc_per_node=4 src/run.py".
  void take_commands(std::string_view text, int line) {
    for (std::size_t at = text.find(".py"); at != std::string_view::npos; at = text.find(".py", at + 1)) {
      const std::size_t end = at + 3;
      if (end < text.size() && std::isalnum(static_cast<unsigned char>(text[end]))) continue;
      std::size_t from = at;
      while (from > 0 && at - from < 200 &&
             (std::isalnum(static_cast<unsigned char>(text[from - 1])) ||
              std::string_view("._-/").find(text[from - 1]) != std::string_view::npos))
        --from;
      std::string script(text.substr(from, end - from));
      if (script.size() > 3 && plan_.scripts.size() < 20 &&
          std::ranges::find(plan_.scripts, script) == plan_.scripts.end())
        plan_.scripts.push_back(std::move(script));
    }
    if (const auto n = gpus_of_launch(text); n && !plan_.gpus) {
      plan_.gpus = PlanNumber{double(*n), double(*n), line, false};
      if (!plan_.gpus_per_run) plan_.gpus_per_run = plan_.gpus;
    }
  }

  Plan& plan_;
  CardReader cards_;
  SizeReader sizes_;
  std::vector<PlanModel> models_;

  bool skipped_ = false;
  const MarkLine* head_ = nullptr;
};

/// "CPU only" counts where nothing else in the plan speaks of a GPU.
void settle_no_gpu(Plan& plan) {
  const bool gpu_hours = (plan.hours.total && !plan.hours.total->assumed && plan.hours.total->high > 0) ||
                         std::ranges::any_of(plan.hours.costs, [](const PlanCost& c) {
                           return !c.gpu_hours.assumed && c.gpu_hours.high > 0;
                         });
  plan.needs_no_gpu = plan.no_gpu_line > 0 && plan.cards.empty() && !gpu_hours;
  if (!plan.needs_no_gpu) return;
  plan.hours.total = PlanNumber{0, 0, plan.no_gpu_line, false, "the plan needs no GPU"};
  for (PlanCost& c : plan.hours.costs) c.gpu_hours = {0, 0, c.gpu_hours.line, false, "hours of CPUs"};
}

}  // namespace

Plan parse_plan(std::string_view text, std::string source) {
  Plan plan;
  plan.source = std::move(source);
  if (text.size() > kMaxPlanBytes) {
    text = text.substr(0, kMaxPlanBytes);
    plan.hours.warnings.push_back("the first 300 kB were read, the rest was not");
  }
  const auto lines = read_markdown(text);
  PlanReader reader(plan);
  for (const MarkLine& line : lines) reader.take(line);
  reader.finish();
  auto warnings = std::move(plan.hours.warnings);
  plan.hours = read_plan_hours(lines, plan.hardware ? plan.hardware->gpus.value_or(1)
                                      : plan.gpus   ? static_cast<int>(plan.gpus->high)
                                                    : 1);
  plan.hours.warnings.insert(plan.hours.warnings.begin(), warnings.begin(), warnings.end());
  settle_no_gpu(plan);
  return plan;
}

}  // namespace vastgpu
