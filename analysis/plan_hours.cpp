// The GPU-hours of a plan: its stated total, or the costs of its milestones.

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "analysis/amounts.h"
#include "analysis/plan.h"
#include "core/text.h"

namespace vastgpu {
namespace {

bool speaks_of_gpu_hours(std::string_view t) {
  return has_word(t, {"gpu-hours", "gpu hours", "gpu-hour", "gpu hour", "gpuh",    "gpu-h",  "gpu h",
                      "gpu-hrs",   "gpu hrs",   "gpuhours", "gpu 小时", "gpu小时", "gpu 时", "gpu时",
                      "卡时",      "卡小时",    "gpu-days", "gpu days", "gpu-day", "gpu-d"});
}
bool speaks_of_days(std::string_view t) { return has_word(t, {"days", "day", "gpu-d", "天"}); }

/// What is written about hours without being an estimate of the work ahead.
bool is_no_estimate(std::string_view t) {
  return has_word(
      t, {"ceiling",  "limit",  "cap",    "max",    "maximum",    "slack",    "contingency", "reserve",
          "reserved", "buffer", "used",   "spent",  "consumed",   "subtotal", "available",   "kill",
          "halt",     "stop",   "abort",  "exceed", "exceeds",    "cpu",      "wall",        "wall-clock",
          "human",    "robot",  "coding", "person", "annotation", "per run",  "per seed",    "上限",
          "已用",     "预留",   "小计",   "人工"});
}
bool says_total(std::string_view t) {
  return has_word(t, {"total", "overall", "grand total", "sum", "总", "合计"});
}
bool says_rest(std::string_view t) {
  return has_word(t, {"remaining", "remainder", "still to run", "left to run", "剩余", "待运行"});
}
bool says_optional(std::string_view t) {
  return has_word(t, {"nice-to-have", "nice to have", "optional", "可选", "if time permits"});
}

/// "M1: Baselines" and "M1" are the same milestone, "Block 2: x" and "2. x" the same block.
std::string key_of(std::string_view plain_name) {
  std::string_view t = trim(plain_name);
  for (const std::string_view word :
       {"milestone", "block", "phase", "stage", "experiment", "exp", "实验块", "阶段", "里程碑"})
    if (t.starts_with(word)) {
      t = trim(t.substr(word.size()));
      break;
    }
  std::size_t letters = 0;
  while (letters < t.size() && letters < 2 && t[letters] >= 'a' && t[letters] <= 'z') ++letters;
  std::size_t end = letters;
  while (end < t.size() && t[end] >= '0' && t[end] <= '9') ++end;
  const bool closed = end >= t.size() || !((t[end] >= 'a' && t[end] <= 'z'));
  if (end > letters && closed) {
    const std::string rest(trim(t.substr(end)));
    // "exp 1 simulation" and "exp 1 ablations" are two: only a mark behind the number ends the key.
    if (rest.empty() || std::string_view(":.-(|").find(rest[0]) != std::string_view::npos || letters > 0)
      return std::string(
          t.substr(letters == 1 && t[0] == 'b' ? 1 : 0, end - (letters == 1 && t[0] == 'b' ? 1 : 0)));
  }
  return std::string(t);
}

bool names_milestone(std::string_view t) {
  t = trim(t);
  for (const std::string_view word : {"milestone", "block", "phase", "stage", "experiment", "exp ", "week",
                                      "wave", "实验块", "阶段", "里程碑"})
    if (t.starts_with(word)) return true;
  if (t.size() < 2 || std::string_view("mber").find(t[0]) == std::string_view::npos) return false;
  return t[1] >= '0' && t[1] <= '9';
}

/// Why a text gave no hours.
enum class Reading { hours, nothing, absurd };
struct Cost {
  Reading reading = Reading::nothing;
  PlanNumber gpu_hours;
};

/// The factor of "x 4", "x 4 GPUs", "on 4 GPUs" behind an amount; of "3 x", "3 seeds x" before it.
double factor_around(std::string_view t, const std::vector<Amount>& all, const Amount& a) {
  double factor = 1;
  for (const Amount& other : all) {
    if (other.absurd || (other.unit != Unit::none && other.unit != Unit::gpus) || other.high < 1 ||
        other.high > 1000)
      continue;
    if (other.at >= a.end) {
      const std::string_view between = trim(t.substr(a.end, other.at - a.end));
      if (between == "x" || between == "*" ||
          (a.unit == Unit::hours && other.unit == Unit::gpus && (between == "on" || between == "(")))
        factor *= other.high;
    } else if (other.end <= a.at) {
      const std::string_view between = trim(t.substr(other.end, a.at - other.end));
      if (!between.empty() && between.size() < 20 && (between.back() == 'x' || between.back() == '*') &&
          between.find_first_of("(,;+/") == std::string_view::npos &&
          (between.size() == 1 || between[between.size() - 2] == ' '))
        factor *= other.high;
    }
  }
  return factor;
}

struct ColumnUnit {
  bool bare_numbers = false;  ///< the column's head names the unit
  bool gpu = false;           ///< and it is GPU time
  double factor = 1;          ///< of a bare number
};

Cost read_cost(std::string_view t, const ColumnUnit& column, int line) {
  const auto amounts = find_amounts(t);
  Cost cost;
  cost.gpu_hours.line = line;
  for (const Amount& a : amounts) {
    if (a.absurd) {
      if (a.unit == Unit::gpu_hours || a.unit == Unit::hours || column.bare_numbers)
        cost.reading = Reading::absurd;
      if (cost.reading == Reading::absurd) return cost;
      continue;
    }
    if (a.limit) continue;
    double unit = 1;
    if (a.unit == Unit::none) {
      const std::string_view behind = trim(t.substr(a.end));
      const bool alone =
          behind.empty() || std::string_view("(,;/=+").find(behind[0]) != std::string_view::npos;
      if (!column.bare_numbers || !alone) continue;
      unit = column.factor;
    } else if (a.unit == Unit::other_hours) {
      if (cost.reading == Reading::nothing) cost.reading = Reading::hours;  // time, but of no GPU: zero
      continue;
    } else if (a.unit != Unit::gpu_hours && a.unit != Unit::hours) {
      continue;
    }
    const double factor = unit * factor_around(t, amounts, a);
    cost.reading = Reading::hours;
    cost.gpu_hours.low = a.low * factor;
    cost.gpu_hours.high = a.high * factor;
    cost.gpu_hours.assumed = a.unit == Unit::hours && !column.gpu;
    return cost;
  }
  const std::string_view whole = trim(t);
  if (whole == "0" || whole == "-" || whole == "none" || whole == "无") cost.reading = Reading::hours;
  return cost;
}

/// How well a column head fits GPU costs; 0: not at all.
int cost_column_score(std::string_view head) {
  if (has_word(head,
               {"wall",   "wall-clock", "wallclock", "robot",  "human",      "coding", "cpu",
                "person", "memory",     "vram",      "params", "parameters", "usd",    "price",
                "disk",   "storage",    "gate",      "risk",   "batch",      "人工",   "critical path?"}) ||
      head.find('$') != std::string_view::npos)
    return 0;
  if (speaks_of_gpu_hours(head)) return 5;
  if (has_word(head, {"cost", "est", "est.", "estimate", "estimated", "compute", "hours", "runtime",
                      "duration", "成本", "耗时", "时间", "算力", "预算"}))
    return 3;
  return 0;
}

struct Total {
  int score = 0;
  bool is_rest = false;
  PlanNumber hours;
};

class HoursReader {
 public:
  explicit HoursReader(const std::vector<MarkLine>& lines) : lines_(lines) {}

  PlanHours read() {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const MarkLine& line = lines_[i];
      switch (line.kind) {
        case MarkKind::heading:
          enter(line);
          break;
        case MarkKind::table_head:
          i = take_table(i);
          break;
        case MarkKind::item:
        case MarkKind::text:
          take_text(line);
          break;
        case MarkKind::table_row:
        case MarkKind::code:
          break;
      }
    }
    finish();
    return std::move(out_);
  }

 private:
  struct Group {
    std::vector<PlanCost> costs;
    std::vector<std::string> unread;
  };

  void enter(const MarkLine& line) {
    const std::string t = plain(line.text);
    in_used_ = has_word(t, {"used", "spent", "consumed", "已用"});
    in_rest_ = says_rest(t) || has_word(t, {"to run"});
    in_budget_ =
        has_word(t, {"budget", "compute", "cost", "costs", "estimate", "resources", "预算", "算力", "总计"});
    milestone_ = names_milestone(t) ? line.text : "";
  }

  void warn_absurd(int line) {
    out_.warnings.push_back("line " + std::to_string(line) +
                            " holds a number of hours that makes no sense: it was ignored");
  }

  void offer_total(int score, bool is_rest, const Cost& cost) {
    if (cost.reading == Reading::absurd) warn_absurd(cost.gpu_hours.line);
    if (cost.reading == Reading::hours && score > best_.score) best_ = {score, is_rest, cost.gpu_hours};
  }

  void take_text(const MarkLine& line) {
    if (in_used_) return;
    const std::string_view whole = line.text;
    std::size_t from = 0;
    while (from <= whole.size()) {  // "**Priority**: MUST-RUN | **GPU-hours**: ~6"
      const std::size_t to = std::min(whole.find(" | ", from), whole.size());
      take_piece(whole.substr(from, to - from), line);
      from = to + 3;
    }
  }

  void take_piece(std::string_view piece, const MarkLine& line) {
    const Label label = read_label(piece);
    if (!label.found) {
      take_prose(piece, line.line);
      return;
    }
    const std::string name = plain(label.name);
    const std::string value = plain(without_emphasis(label.value));
    if (!milestone_.empty() && has_word(name, {"priority", "优先级"}) && says_optional(value))
      optional_.insert(key_of(plain(milestone_)));
    if (is_no_estimate(name)) return;

    const bool hours_label = speaks_of_gpu_hours(name);
    const ColumnUnit unit{hours_label, hours_label, hours_label && speaks_of_days(name) ? 24.0 : 1.0};
    const auto amounts = find_amounts(value);
    const bool gpu_hours_written =
        std::ranges::any_of(amounts, [](const Amount& a) { return a.unit == Unit::gpu_hours; });
    int score = 0;
    if (hours_label && says_rest(name))
      score = 100;
    else if (says_rest(name))
      score = 60;
    else if (hours_label && says_total(name))
      score = 50;
    else if (has_word(name, {"planned"}))
      score = 45;
    else if (has_word(name, {"budget", "compute", "预算", "算力"}) ||
             (hours_label && has_word(name, {"estimated", "预估"})))
      score = 30;
    else if (says_total(name) && (in_budget_ || gpu_hours_written))
      score = 25;
    else if (hours_label && milestone_.empty() && in_budget_)
      score = 20;
    if (score > 0) {
      // "Budget: 3 days" is a calendar, "Total: 12 h" in a budget section is the sum of it.
      if (hours_label || gpu_hours_written || score == 25 || score == 60)
        offer_total(score, says_rest(name), read_cost(value, unit, line.line));
      return;
    }
    if (!milestone_.empty() &&
        (hours_label || has_word(name, {"cost", "est", "est.", "estimate", "estimated cost", "runtime",
                                        "耗时", "预估耗时"})))
      add(blocks_, milestone_, read_cost(value, unit, line.line), says_optional(plain(line.text)), value);
    else if (line.kind == MarkKind::item && names_milestone(name) && (in_budget_ || in_rest_))
      add(items_, label.name, read_cost(value, {}, line.line), says_optional(value), value);
  }

  /// "In total this needs about 30 GPU-hours."
  void take_prose(std::string_view piece, int line) {
    const std::string t = plain(without_emphasis(piece));
    if (!says_total(t) || is_no_estimate(t)) return;
    for (const Amount& a : find_amounts(t))
      if (a.unit == Unit::gpu_hours && !a.limit && !a.absurd) {
        offer_total(10, says_rest(t), {Reading::hours, {a.low, a.high, line, false}});
        return;
      }
  }

  void add(Group& group, std::string_view name, const Cost& cost, bool is_optional, std::string_view cell) {
    const std::string shown = clean_line(without_emphasis(name), 60);
    if (cost.reading == Reading::absurd) warn_absurd(cost.gpu_hours.line);
    if (cost.reading != Reading::hours) {
      group.unread.push_back(shown);
      return;
    }
    PlanCost entry{shown, key_of(plain(shown)), cost.gpu_hours,
                   has_word(cell, {"累计", "cumulative", "cumul."}), is_optional};
    const bool known =
        std::ranges::any_of(group.costs, [&](const PlanCost& c) { return c.key == entry.key; });
    if (!known)
      group.costs.push_back(std::move(entry));  // a second table that repeats the first adds nothing
  }

  /// Reads the table whose head is line `head`; returns its last line.
  std::size_t take_table(std::size_t head) {
    const int table = lines_[head].table;
    std::size_t last = head;
    while (last + 1 < lines_.size() && lines_[last + 1].table == table) ++last;

    std::size_t column = 0;
    int best = 0;
    for (std::size_t c = 1; c < lines_[head].cells.size(); ++c)
      if (const int score = cost_column_score(plain(without_emphasis(lines_[head].cells[c]))); score > best) {
        best = score;
        column = c;
      }
    if (best == 0 || in_used_) return last;

    const std::string title = plain(without_emphasis(lines_[head].cells[column]));
    const bool gpu = speaks_of_gpu_hours(title);
    const bool bare = gpu || has_word(title, {"hours", "h", "小时"});
    const ColumnUnit unit{bare, gpu, gpu && speaks_of_days(title) ? 24.0 : 1.0};
    bool any_number = false;
    Group group;
    for (std::size_t i = head + 1; i <= last; ++i) {
      const MarkLine& row = lines_[i];
      if (row.cells.size() <= column) continue;
      const std::string first = plain(without_emphasis(row.cells[0]));
      const std::string cell = plain(without_emphasis(row.cells[column]));
      const Cost cost = read_cost(cell, unit, row.line);
      if (is_no_estimate(first) || first.empty()) continue;
      if (says_total(first) || has_word(first, {"remaining", "剩余"})) {
        if (cost.gpu_hours.high > 0) offer_total(40, says_rest(first), cost);
        continue;
      }
      any_number = any_number || (cost.reading == Reading::hours && cost.gpu_hours.high > 0);
      add(group, row.cells[0], cost, says_optional(plain(row.text)), cell);
    }
    if (any_number) {
      for (PlanCost& c : group.costs)
        if (std::ranges::none_of(tables_.costs, [&](const PlanCost& known) { return known.key == c.key; }))
          tables_.costs.push_back(std::move(c));
    }
    // A table of another kind (scores, systems) has no costs to miss; one with a cost column in so many words
    // has.
    if (any_number || best == 5 || has_word(title, {"cost", "耗时", "成本"}))
      tables_.unread.insert(tables_.unread.end(), group.unread.begin(), group.unread.end());
    return last;
  }

  void finish() {
    Group& used = !tables_.costs.empty() ? tables_ : !blocks_.costs.empty() ? blocks_ : items_;
    out_.costs = std::move(used.costs);
    out_.unread = std::move(used.unread);
    if (out_.costs.empty() && out_.unread.empty()) out_.unread = std::move(tables_.unread);
    // A list names its costs loosely: one without a number ("see above") may be the largest.
    out_.sum_is_partial = &used == &items_ && !out_.unread.empty();
    for (PlanCost& c : out_.costs) c.optional = c.optional || optional_.count(c.key) > 0;
    if (best_.score > 0) {
      out_.total = best_.hours;
      out_.total_is_rest = best_.is_rest;
    }
  }

  const std::vector<MarkLine>& lines_;
  PlanHours out_;
  Total best_;
  Group tables_, blocks_, items_;
  std::set<std::string> optional_;
  std::string milestone_;
  bool in_used_ = false, in_rest_ = false, in_budget_ = false;
};

}  // namespace

std::optional<PlanNumber> PlanHours::sum() const {
  if (costs.empty() || sum_is_partial) return std::nullopt;
  PlanNumber all{0, 0, costs.front().gpu_hours.line, false};
  for (const PlanCost& c : costs) {
    all.low = c.cumulative ? std::max(all.low, c.gpu_hours.low) : all.low + c.gpu_hours.low;
    all.high = c.cumulative ? std::max(all.high, c.gpu_hours.high) : all.high + c.gpu_hours.high;
    all.assumed = all.assumed || c.gpu_hours.assumed;
  }
  return all;
}

std::optional<double> PlanHours::must_run_sum() const {
  if (sum_is_partial || std::ranges::none_of(costs, &PlanCost::optional)) return std::nullopt;
  double all = 0;
  for (const PlanCost& c : costs)
    if (!c.optional) all = c.cumulative ? std::max(all, c.gpu_hours.high) : all + c.gpu_hours.high;
  return all;
}

PlanHours read_plan_hours(const std::vector<MarkLine>& lines) { return HoursReader(lines).read(); }

}  // namespace vastgpu
