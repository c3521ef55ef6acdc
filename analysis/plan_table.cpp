#include "analysis/plan_table.h"

#include <algorithm>

#include "analysis/amounts.h"
#include "analysis/plan_words.h"
#include "core/text.h"

namespace vastgpu {
namespace {

using namespace plan_words;

constexpr std::size_t kNone = static_cast<std::size_t>(-1);
constexpr std::size_t kMaxCosts = 300;  // rows of all tables that are kept

/// What the columns of a table hold.
struct Columns {
  std::size_t cost = kNone, low = kNone, high = kNone;
  std::size_t wall = kNone, gpus = kNone, runs = kNone, priority = kNone;
  int score = 0;       ///< of the cost column; 5 and more: GPU-hours in so many words
  bool each = false;   ///< its head says "per run"
  bool clock = false;  ///< a wall-clock column stands in for it, multiplied by GPUs
  ColumnUnit unit;
};

bool is_hour_head(std::string_view head) {
  return has_word(head, {"hours", "hour", "h", "hrs", "(h)", "小时", "时长", "机时"});
}

/// How well a column head fits GPU costs; 0: not at all.
int cost_score(std::string_view head) {
  if (head.find('$') != std::string_view::npos ||
      has_word(head,
               {"memory", "vram", "params", "parameters",    "usd",           "price", "disk",  "storage",
                "gate",   "risk", "batch",  "cost function", "critical path", "rate",  "speed", "rmb",
                "eur",    "显存", "风险",   "闸门",          "费用",          "价格",  "元"}))
    return 0;
  const bool gpu = speaks_of_gpu_hours(head);
  if (says_used(head) || says_limit(head) || says_kill(head) || says_reserve(head) ||
      has_word(head, {"actual"}))
    return 0;
  if (says_wall(head) && !gpu) return 0;
  if (says_other_work(head) && !has_word(head, {"gpu", "gpus"})) return 0;
  if (gpu && says_rest(head)) return 9;
  if (gpu && says_cumulative(head)) return 2;
  if (gpu && says_each(head)) return 5;
  if (gpu && says_total(head)) return 8;
  if (gpu && has_word(head, {"planned", "estimated", "est.", "est", "预估", "计划"})) return 7;
  if (gpu) return 6;
  if (has_word(head, {"cost", "costs", "est. cost", "estimated cost", "成本", "预估", "估计", "预计",
                      "预估耗时", "耗时", "算力"}))
    return 4;
  if (has_word(head, {"est", "est.", "estimate", "estimated", "compute", "hours", "runtime", "duration",
                      "gpu", "时间", "时长", "预算", "budget"}))
    return 3;
  if (is_hour_head(head) || has_word(head, {"time", "length"})) return 2;
  return 0;
}

Columns find_columns(const MarkLine& head) {
  Columns c;
  for (std::size_t i = 1; i < head.cells.size(); ++i) {
    const std::string t = plain(without_emphasis(head.cells[i]));
    if (const int score = cost_score(t); score > c.score) {
      c.score = score;
      c.cost = i;
    }
    if (c.wall == kNone && says_wall(t) && !speaks_of_gpu_hours(t)) c.wall = i;
    const bool names_hours = speaks_of_gpu_hours(t) || is_hour_head(t);
    if (c.gpus == kNone && !names_hours &&
        has_word(t, {"gpus", "# gpus", "#gpus", "gpu count", "num gpus", "n gpus", "gpus per run", "cards",
                     "devices", "gpu", "卡数", "gpu 数", "gpu数", "gpu 数量"}))
      c.gpus = i;
    if (c.runs == kNone && !names_hours &&
        has_word(t, {"runs", "# runs", "#runs", "seeds", "seed", "n", "count", "repeats", "trials", "jobs",
                     "次数", "种子", "运行数", "种子数", "run 数"}))
      c.runs = i;
    if (c.priority == kNone && has_word(t, {"priority", "must-run", "must", "优先级", "必须"}))
      c.priority = i;
    const bool costs = cost_score(t) >= 2 || speaks_of_gpu_hours(t);
    if (costs && c.low == kNone &&
        has_word(t, {"low", "min", "minimum", "optimistic", "best", "best case", "lower", "下限"}))
      c.low = i;
    if (speaks_of_gpu_hours(t) && c.high == kNone &&
        has_word(t, {"high", "max", "maximum", "pessimistic", "worst", "worst case", "upper"}))
      c.high = i;
  }
  // A column of cards holds no hours, whatever its head is taken for.
  if (c.cost == c.gpus && c.cost != kNone && c.score <= 3) {
    c.cost = kNone;
    c.score = 0;
    for (std::size_t i = 1; i < head.cells.size(); ++i)
      if (const int score = cost_score(plain(without_emphasis(head.cells[i])));
          i != c.gpus && score > c.score) {
        c.score = score;
        c.cost = i;
      }
  }
  if (c.low == kNone || c.high == kNone) c.low = c.high = kNone;
  if (c.cost == kNone && c.wall != kNone && c.gpus != kNone) {
    c.cost = c.wall;
    c.score = 3;
    c.clock = true;
  }
  if (c.cost == kNone) return c;
  const std::string title = plain(without_emphasis(head.cells[c.cost]));
  c.each = says_each(title);
  c.unit.gpu = speaks_of_gpu_hours(title) && !c.clock;
  c.unit.bare_numbers = c.unit.gpu || is_hour_head(title) || speaks_of_days(title);
  c.unit.factor = speaks_of_days(title) ? 24.0 : 1.0;
  return c;
}

std::optional<double> small_number(const MarkLine& row, std::size_t column) {
  if (column == kNone || column >= row.cells.size()) return std::nullopt;
  const std::string t = plain(without_emphasis(row.cells[column]));
  const auto amounts = find_amounts(t);
  if (!amounts.empty() && !amounts[0].absurd && amounts[0].high >= 1 && amounts[0].high <= 10'000 &&
      (amounts[0].unit == Unit::none || amounts[0].unit == Unit::gpus) &&
      trim(t.substr(0, amounts[0].at)).empty())
    return amounts[0].high;
  if (const auto cards = find_gpu_mentions(t); !cards.empty() && cards[0].count) return *cards[0].count;
  if (const auto n = count_of_runs(t)) return *n;
  return std::nullopt;
}

/// The blocks that a row names: "B1, B3" -> "1 3".
std::string block_refs(const MarkLine& row, std::size_t but) {
  std::string refs;
  for (std::size_t i = 1; i < row.cells.size(); ++i) {
    if (i == but) continue;
    const std::string t = plain(row.cells[i]);
    for (std::size_t at = 0; at + 1 < t.size(); ++at) {
      const bool opens =
          at == 0 || !((t[at - 1] >= 'a' && t[at - 1] <= 'z') || (t[at - 1] >= '0' && t[at - 1] <= '9'));
      if (!opens) continue;
      std::size_t digits = 0;
      if (t[at] == 'b') digits = at + 1;
      if (t.compare(at, 6, "block ") == 0) digits = at + 6;
      if (t.compare(at, 4, "块 ") == 0) digits = at + 4;
      std::size_t end = digits;
      while (digits > 0 && end < t.size() && t[end] >= '0' && t[end] <= '9') ++end;
      if (digits == 0 || end == digits || end - digits > 2 ||
          (end < t.size() && t[end] >= 'a' && t[end] <= 'z'))
        continue;
      refs += (refs.empty() ? "" : " ") + t.substr(digits, end - digits);
    }
  }
  return refs;
}

std::string row_name(const MarkLine& row, std::size_t cost) {
  const std::string first(trim(without_emphasis(row.cells[0])));
  const bool number = first.size() <= 3 && first.find_first_not_of("0123456789.#") == std::string::npos;
  if (number && cost > 1 && row.cells.size() > 2)
    return std::string(trim(first + " " + without_emphasis(row.cells[1])));
  return first;
}

class Table {
 public:
  Table(const Columns& columns, TableCosts& out) : c_(columns), out_(out) {}

  void take(const MarkLine& row) {
    if (row.cells.size() <= c_.cost) return;
    const std::string name = row_name(row, c_.cost);
    const std::string first = plain(name);
    const std::string cell = plain(without_emphasis(row.cells[c_.cost]));
    Cost cost = read_cost(cell, c_.unit, row.line);
    if (c_.low != kNone && c_.high < row.cells.size() && c_.low < row.cells.size()) {
      const Cost low = read_cost(plain(row.cells[c_.low]), c_.unit, row.line);
      const Cost high = read_cost(plain(row.cells[c_.high]), c_.unit, row.line);
      if (low.reading == Cost::Reading::hours && high.reading == Cost::Reading::hours) {
        cost = high;
        cost.gpu_hours.low = std::min(low.gpu_hours.low, high.gpu_hours.high);
      }
    }
    if (cost.reading == Cost::Reading::absurd) out_.warnings.push_back(absurd_warning(row.line));
    std::string label = first;  // "| | | **Total** | 146 |"
    for (std::size_t i = 1; i < c_.cost && i < row.cells.size(); ++i)
      if (const std::string t = plain(without_emphasis(row.cells[i]));
          says_total(t) && t.size() < 40 && first.size() < 2)
        label += t;
    take_wall_total(row, label);
    if (take_total(label, cost)) return;
    if (first.empty() || first == "-") return;
    const bool gpu_said =
        cost.reading == Cost::Reading::hours && cost.gpu_hours.high > 0 && !cost.gpu_hours.assumed;
    if (says_kill(first) || says_used(first) || says_part(first) || says_dropped(first) ||
        is_limit_row(first))
      return;
    if (says_reserve(first)) {
      if (cost.reading == Cost::Reading::hours && cost.gpu_hours.high > 0)
        out_.totals.push_back({StatedTotal::Kind::reserve, 40, cost.gpu_hours});
      return;
    }
    if (says_other_work(first) && !gpu_said && !has_word(first, {"gpu"})) return;
    multiply(row, cost, cell);
    bool optional = says_optional(first) || says_optional(cell);
    if (c_.priority != kNone && c_.priority < row.cells.size()) {
      const std::string priority = plain(row.cells[c_.priority]);
      optional = optional || says_optional(priority) || trim(priority) == "nice" || trim(priority) == "no" ||
                 trim(priority) == "p3";
    } else {
      optional = optional || has_word(plain(row.text), {"nice-to-have", "nice to have", "可选"});
    }
    out_.any_number = out_.any_number || (cost.reading == Cost::Reading::hours && cost.gpu_hours.high > 0);
    const std::string shown = without_secrets(clean_line(name, 60));
    if (cost.reading != Cost::Reading::hours) {
      out_.group.unread.push_back(shown);
    } else if (out_.group.costs.size() < kMaxCosts) {
      out_.group.costs.push_back(cost_entry(shown, cost, optional, cell));
      if (c_.score == 2 && says_cumulative(head_)) out_.group.costs.back().cumulative = true;
      out_.group.refs.push_back(block_refs(row, c_.cost));
    }
  }

  void set_head(std::string head) { head_ = std::move(head); }

 private:
  static bool is_limit_row(std::string_view first) {
    return says_limit(first) && !has_word(first, {"limited", "max-pooling"}) && !names_milestone(first);
  }

  void take_wall_total(const MarkLine& row, std::string_view label) {
    if (c_.wall == kNone || c_.wall >= row.cells.size() || !says_total(label) || c_.clock) return;
    const std::string t = plain(without_emphasis(row.cells[c_.wall]));
    for (const Amount& a : find_amounts(t))
      if (a.unit == Unit::hours && !a.absurd) {
        out_.totals.push_back({StatedTotal::Kind::wall, 40, {a.low, a.high, row.line, false}});
        return;
      }
  }

  bool take_total(std::string_view label, const Cost& cost) {
    const bool rest = says_rest(label) && !names_milestone(label);
    const bool total = says_total(label) || has_word(label, {"planned"});
    if (!(rest || total) || (names_milestone(label) && !rest)) return false;
    if (cost.reading != Cost::Reading::hours || cost.gpu_hours.high <= 0 || cost.wall) return true;
    if (says_part(label) || says_used(label) || (says_other_work(label) && !has_word(label, {"gpu"})))
      return true;
    using Kind = StatedTotal::Kind;
    Kind kind = Kind::all;
    if (says_reserve(label))
      kind = Kind::with_reserve;
    else if (is_limit_row(label))
      kind = Kind::ceiling;
    else if (rest)
      kind = Kind::rest;
    else if (says_must(label))
      kind = Kind::must_run;
    out_.totals.push_back({kind, 40, cost.gpu_hours});
    return true;
  }

  /// "2h" in a column of each run's hours, beside a column of runs; clock hours beside a column of cards.
  void multiply(const MarkLine& row, Cost& cost, const std::string& cell) const {
    if (cost.reading != Cost::Reading::hours || cost.gpu_hours.high <= 0) return;
    PlanNumber& h = cost.gpu_hours;
    const auto times = [&](double n, const char* what) {
      if (n <= 1) return;
      h.how += (h.how.empty() ? fixed(h.high, 2) + " h" : "") + " x " + fixed(n, 0) + what;
      h.low *= n;
      h.high *= n;
    };
    if (c_.each || cost.each)
      if (const auto n = small_number(row, c_.runs)) times(*n, " runs");
    const bool bare = h.assumed || c_.clock || cost.wall;
    if (bare && c_.gpus != kNone && cell.find("gpu") == std::string::npos)
      if (const auto n = small_number(row, c_.gpus)) {
        times(*n, " GPUs");
        h.assumed = false;
      }
  }

  const Columns& c_;
  TableCosts& out_;
  std::string head_;
};

}  // namespace

double CostGroup::high() const {
  double all = 0;
  for (const PlanCost& c : costs)
    all = c.cumulative ? std::max(all, c.gpu_hours.high) : all + c.gpu_hours.high;
  return all;
}

std::string absurd_warning(int line) {
  return "line " + std::to_string(line) + " holds a number of hours that makes no sense: it was ignored";
}

PlanCost cost_entry(std::string_view name, const Cost& cost, bool optional, std::string_view cell) {
  std::string shown = without_secrets(clean_line(name, 60));
  std::string key = key_of(plain(shown));
  return {std::move(shown), std::move(key), cost.gpu_hours, says_cumulative(cell), optional};
}

TableCosts read_cost_table(const std::vector<MarkLine>& lines, std::size_t head, std::size_t last) {
  TableCosts out;
  const Columns columns = find_columns(lines[head]);
  if (columns.cost == kNone) return out;
  Table table(columns, out);
  const std::string title = plain(without_emphasis(lines[head].cells[columns.cost]));
  table.set_head(title);
  for (std::size_t i = head + 1; i <= last; ++i) table.take(lines[i]);
  out.is_cost_table = out.any_number || columns.score >= 4;
  return out;
}

}  // namespace vastgpu
