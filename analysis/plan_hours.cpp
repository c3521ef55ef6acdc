#include "analysis/plan_hours.h"

#include <algorithm>

#include "analysis/amounts.h"
#include "analysis/plan_cost.h"
#include "analysis/plan_settle.h"
#include "analysis/plan_table.h"
#include "analysis/plan_words.h"
#include "core/text.h"

namespace vastgpu {
namespace {

using namespace plan_words;
using Kind = StatedTotal::Kind;

class HoursReader {
 public:
  explicit HoursReader(const std::vector<MarkLine>& lines) : lines_(lines) {}

  FoundHours read() {
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
        case MarkKind::code:
          if (!section_.skipped) take_code(line);
          break;
        case MarkKind::table_row:
          break;
      }
    }
    leave_block();
    return std::move(found_);
  }

 private:
  /// What the headings above say.
  struct Section {
    bool skipped = false;  ///< of what was spent or given up
    bool budget = false, rest = false, optional = false, order = false;
  };
  /// The milestone or block whose heading stands above.
  struct Block {
    std::string name;
    bool soft = false;  ///< any other heading: only GPU-hours in so many words are its cost
    int level = 0;
    int gpus = 0;
    std::optional<Cost> cost;
    std::string cell;
    bool unread = false;
  };

  void enter(const MarkLine& line) {
    leave_block();
    const std::string t = plain(line.text);
    while (!above_.empty() && above_.back().first >= line.level) above_.pop_back();
    section_ = above_.empty() ? Section{} : above_.back().second;
    section_.skipped = section_.skipped || (says_used(t) && !says_rest(t)) || says_dropped(t);
    section_.rest = section_.rest || says_rest(t);
    section_.optional = section_.optional || (says_optional(t) && !names_milestone(t));
    section_.budget = section_.budget ||
                      has_word(t, {"budget", "compute", "cost", "costs", "estimate", "estimates", "resource",
                                   "resources", "gpu", "ledger", "预算", "算力", "资源", "总计", "成本"});
    section_.order =
        section_.order || has_word(t, {"run order", "milestone", "milestones", "timeline", "schedule",
                                       "roadmap", "phases", "order", "plan", "experiments", "blocks",
                                       "运行顺序", "里程碑", "计划", "排期", "时间线"});
    above_.emplace_back(line.level, section_);
    item_level_ = -1;
    list_unit_.reset();
    if (section_.skipped) return;
    if (names_milestone(t)) {
      block_.name = line.text;
      block_.level = line.level;
      if (says_optional(t) || section_.optional) found_.optional.insert(key_of(t));
      // "### Phase 1 (20 GPU-hours)"
      const std::size_t open = std::min(t.find('('), t.size());
      const Cost cost = read_cost(t, {}, line.line);
      const bool said = cost.reading == Cost::Reading::hours && cost.gpu_hours.high > 0 &&
                        (!cost.gpu_hours.assumed ||
                         (open < t.size() && read_cost(t.substr(open), {}, line.line).gpu_hours.high > 0));
      if (said && !is_limit(t)) set_block(cost, t);
      return;
    }
    if (line.level >= 2 && !section_.budget && !section_.order && !section_.rest) {
      block_.name = line.text;
      block_.level = line.level;
      block_.soft = true;
    }
    // "## Budget: 490 GPU-hours"
    if (section_.budget && speaks_of_gpu_hours(t) && !is_no_estimate(t))
      if (const Cost cost = read_cost(t, {}, line.line);
          cost.reading == Cost::Reading::hours && cost.gpu_hours.high > 0 && !cost.gpu_hours.assumed)
        found_.offer({Kind::all, 35, cost.gpu_hours});
  }

  static bool is_limit(std::string_view t) { return says_limit(t) || says_kill(t) || says_reserve(t); }

  bool in_block() const { return !block_.name.empty() && !block_.soft; }

  void set_block(const Cost& cost, std::string cell) {
    if (block_.cost && !block_.cost->gpu_hours.assumed) return;
    block_.cost = cost;
    block_.cell = std::move(cell);
  }

  /// "Phase 1 (about 40 GPU-hours)" is called "Phase 1".
  static std::string_view without_cost(std::string_view name) {
    const std::size_t open = name.find('(');
    if (open == std::string_view::npos || open == 0) return name;
    return read_cost(plain(name.substr(open)), {}, 0).reading == Cost::Reading::hours
               ? trim(name.substr(0, open))
               : name;
  }

  void leave_block() {
    if (!block_.name.empty() && block_.cost) {
      Cost& cost = *block_.cost;
      PlanNumber& h = cost.gpu_hours;
      if (h.assumed && block_.gpus > 1) {
        h.how = fixed(h.high, 2) + " h x " + std::to_string(block_.gpus) + " GPUs";
        h.low *= block_.gpus;
        h.high *= block_.gpus;
        h.assumed = false;
      }
      found_.add(found_.blocks, without_cost(block_.name), cost, false, block_.cell);
    } else if (in_block() && block_.unread) {
      found_.blocks.unread.push_back(without_secrets(clean_line(without_emphasis(block_.name), 60)));
    }
    block_ = {};
  }

  void take_text(const MarkLine& line) {
    if (section_.skipped) return;
    if (line.kind == MarkKind::item && line.level <= item_level_) {
      item_level_ = -1;
      list_unit_.reset();
    }
    const std::string_view whole = line.text;
    std::size_t from = 0;
    while (from <= whole.size()) {  // "Priority: MUST-RUN | GPU-hours: ~6"
      const std::size_t to = std::min(whole.find(" | ", from), whole.size());
      take_piece(whole.substr(from, to - from), line);
      from = to + 3;
    }
  }

  void take_code(const MarkLine& line) {
    const std::string t = plain(line.text);
    if (!speaks_of_gpu_hours(t) || !says_total(t) || is_no_estimate(t)) return;
    if (const Cost cost = read_cost(t, {}, line.line);
        cost.reading == Cost::Reading::hours && !cost.gpu_hours.assumed && cost.gpu_hours.high > 0)
      found_.offer({Kind::all, 8, cost.gpu_hours});
  }

  void take_piece(std::string_view piece, const MarkLine& line) {
    const Label label = read_label(piece);
    if (!label.found) {
      if (!take_whole_cost(piece, line) && !take_loose_item(piece, line)) take_prose(piece, line.line);
      return;
    }
    const std::string name = plain(label.name);
    const std::string value = plain(without_emphasis(label.value));
    if (in_block() && has_word(name, {"priority", "优先级"}) && says_optional(value))
      found_.optional.insert(key_of(plain(block_.name)));
    if (in_block() &&
        has_word(name, {"gpus", "gpu count", "num gpus", "hardware", "gpu", "gpus per run", "硬件"}))
      take_block_gpus(value);
    if (take_total(name, value, line)) return;
    // "Each run: 1 GPU, 3.5 h; 180 runs -> 630 GPU-hours" comes to all of them.
    const bool each_added_up =
        says_each(name) &&
        (value.find("= ") != std::string::npos || value.find(">> ") != std::string::npos) &&
        !says_limit(name) && !says_kill(name);
    if (is_no_estimate(name) && !names_milestone(name) && !each_added_up) {
      if (says_wall(name)) take_wall(name, value, line.line);
      return;
    }
    if (!block_.name.empty() && take_block_cost(name, value, line)) return;
    if (take_item(label.name, name, value, line)) return;
    take_prose(piece, line.line);
  }

  void take_block_gpus(std::string_view value) {
    if (const auto cards = find_gpu_mentions(value); !cards.empty() && cards[0].count)
      block_.gpus = *cards[0].count;
    for (const Amount& a : find_amounts(value))
      if (block_.gpus == 0 && !a.absurd && (a.unit == Unit::gpus || (a.unit == Unit::none && a.at < 2)) &&
          a.high >= 1 && a.high <= 64)
        block_.gpus = static_cast<int>(a.high);
  }

  /// A label that states a total, a limit or what is left; true when it was understood as one.
  bool take_total(const std::string& name, const std::string& value, const MarkLine& line) {
    const bool hours_label = speaks_of_gpu_hours(name);
    const ColumnUnit unit{hours_label, hours_label, hours_label && speaks_of_days(name) ? 24.0 : 1.0};
    const bool gpu_written =
        std::ranges::any_of(find_amounts(value), [](const Amount& a) { return a.unit == Unit::gpu_hours; });
    if (names_milestone(name) || says_used(name) || says_part(name) || says_each(name) ||
        says_dropped(name) || (says_other_work(name) && !has_word(name, {"gpu"})))
      return false;
    const bool budget_label =
        has_word(name, {"budget", "compute", "compute budget", "compute estimate", "compute needed",
                        "gpu budget", "预算", "算力", "算力预算", "资源预算"});
    const bool wall = says_wall(name);
    if (wall && !hours_label) return false;
    const Cost cost = read_cost(value, unit, line.line);
    if (says_limit(name) || (says_kill(name) && has_word(name, {"exceed", "limit", "budget"}))) {
      const bool of_all = hours_label || budget_label || says_total(name) || says_limit(name);
      if (of_all && (hours_label || gpu_written) && !in_block() && cost.reading == Cost::Reading::hours &&
          !says_kill(name))
        found_.offer({Kind::ceiling, 50, cost.gpu_hours});
      return true;
    }
    if (says_reserve(name)) {
      const bool with = says_total(name) || has_word(name, {"with", "incl", "including", "plus"});
      if ((hours_label || gpu_written) && cost.reading == Cost::Reading::hours)
        found_.offer({with ? Kind::with_reserve : Kind::reserve, 50, cost.gpu_hours});
      return true;
    }
    int score = 0;
    Kind kind = Kind::all;
    const bool labelled_total = says_total(name);
    if (says_rest(name)) {
      kind = Kind::rest;
      score = hours_label ? 100 : 60;
    } else if (says_must(name) && (hours_label || labelled_total || gpu_written) && !in_block()) {
      kind = Kind::must_run;
      score = 50;
    } else if (hours_label && labelled_total) {
      score = 50;
    } else if (has_word(name, {"planned"}) && !names_milestone(name)) {
      score = 45;
    } else if (budget_label || (hours_label && has_word(name, {"estimated", "预估", "expected"}))) {
      score = !in_block() ? 30 : 0;
    } else if (labelled_total && (section_.budget || gpu_written)) {
      score = 25;
    } else if (hours_label && !in_block() && (section_.budget || above_.size() <= 1) &&
               line.kind != MarkKind::item) {
      score = 20;
    } else if (hours_label && !in_block() && section_.budget) {
      score = 20;
    }
    if (score == 0) return false;
    if (cost.reading == Cost::Reading::absurd) found_.warn_absurd(line.line);
    // "Budget: 3 days" is a calendar, "Total: 12 h" in a budget section is the sum of it.
    const bool counts = hours_label || gpu_written || score == 25 || (kind == Kind::rest && !section_.rest);
    const bool by_cards = cost.reading == Cost::Reading::hours && !cost.gpu_hours.assumed;
    if (cost.reading == Cost::Reading::hours && (counts || by_cards) && !cost.wall) {
      const auto limit = limit_in(value, line.line);
      const bool limited =
          limit && limit->high == cost.gpu_hours.high && kind == Kind::all && !labelled_total;
      if (limit && (limited || limit->high > cost.gpu_hours.high)) found_.offer({Kind::ceiling, 45, *limit});
      if (limited) return true;
      if (cost.gpu_hours.high > 0 || score >= 50) found_.offer({kind, score, cost.gpu_hours});
      if (score == 30 && budget_label && (!found_.budget || found_.budget->high < cost.gpu_hours.high))
        found_.budget = cost.gpu_hours;
    }
    if (cost.wall_hours) found_.offer({Kind::wall, score, *cost.wall_hours});
    if (const auto must = must_in(value, line.line);
        must && kind == Kind::all && must->high < cost.gpu_hours.high)
      found_.offer({Kind::must_run, score, *must});
    if (cost.reading != Cost::Reading::hours && hours_label && line.kind == MarkKind::item) {
      // "- Total estimated GPU-hours:" with a list below: its numbers are GPU-hours.
      list_unit_ = unit;
      item_level_ = line.level;
    }
    return counts || list_unit_.has_value();
  }

  void take_wall(const std::string& name, const std::string& value, int line) {
    if (in_block() && !says_total(name)) return;
    for (const Amount& a : find_amounts(value))
      if (a.unit == Unit::hours && !a.absurd && a.high > 0) {
        found_.offer({Kind::wall, says_total(name) ? 50 : 30, {a.low, a.high, line, false}});
        // "Wall-clock: 30h on 4 GPUs" says the work, too.
        if (const Cost cost = read_cost(value, {}, line);
            cost.reading == Cost::Reading::hours && !cost.gpu_hours.assumed && cost.gpu_hours.high > 0) {
          PlanNumber hours = cost.gpu_hours;
          hours.how = "wall-clock hours x GPUs";
          found_.offer({Kind::all, 5, hours});
        }
        return;
      }
  }

  bool take_block_cost(const std::string& name, const std::string& value, const MarkLine& line) {
    const bool hours_label = speaks_of_gpu_hours(name);
    if (!hours_label &&
        !has_word(name, {"cost", "est", "est.", "estimate", "estimated cost", "estimated time", "runtime",
                         "compute", "estimated compute", "duration", "time", "budget", "耗时", "预估耗时",
                         "预估", "时间", "算力", "成本"}))
      return false;
    const ColumnUnit unit{hours_label, hours_label, hours_label && speaks_of_days(name) ? 24.0 : 1.0};
    const Cost cost = read_cost(value, unit, line.line);
    if (cost.reading == Cost::Reading::absurd) found_.warn_absurd(line.line);
    if (block_.soft && (cost.reading != Cost::Reading::hours || cost.gpu_hours.assumed || cost.each ||
                        cost.gpu_hours.high <= 0))
      return false;
    if (cost.reading == Cost::Reading::hours && !cost.wall)
      set_block(cost, value);
    else
      block_.unread = true;
    if (says_optional(value)) found_.optional.insert(key_of(plain(block_.name)));
    return true;
  }

  /// "- M0: 2 GPUh" in a budget section, "- Baselines: 40 GPU-hours".
  bool take_item(std::string_view shown, const std::string& name, const std::string& value,
                 const MarkLine& line) {
    if (line.kind != MarkKind::item && !names_milestone(name)) return false;
    const bool in_list = list_unit_ && line.level > item_level_;
    const Cost cost = read_cost(value, in_list ? *list_unit_ : ColumnUnit{}, line.line);
    const bool gpu_said =
        cost.reading == Cost::Reading::hours && !cost.gpu_hours.assumed && cost.gpu_hours.high > 0;
    const bool here = section_.budget || section_.rest || section_.order || in_list;
    if (!(names_milestone(name) && here) && !(gpu_said && (section_.budget || section_.rest || in_list)))
      return false;
    if (cost.each && !gpu_said) return false;
    if (has_word(name, {"risk", "mitigation", "note", "if", "rule"})) return false;
    if (!in_list && item_level_ >= 0 && line.level > item_level_) return true;  // a part of the item above
    // A budget names its costs; an order of runs names them only here and there.
    const bool must_have_number = section_.budget || section_.rest || in_list;
    if (cost.reading != Cost::Reading::hours && !must_have_number) return false;
    if (cost.wall) return false;
    found_.add(found_.items, shown, cost, says_optional(value) || says_optional(name) || section_.optional,
               value);
    if (cost.reading == Cost::Reading::hours && !in_list) item_level_ = line.level;
    return true;
  }

  /// "- ~6 GPU-hours" and nothing else, below a heading.
  bool take_whole_cost(std::string_view piece, const MarkLine& line) {
    if (block_.name.empty()) return false;
    const std::string t = plain(without_emphasis(piece));
    const auto amounts = find_amounts(t);
    if (amounts.empty() || amounts[0].unit != Unit::gpu_hours || amounts[0].absurd || amounts[0].limit)
      return false;
    const std::string_view behind = trim(std::string_view(t).substr(amounts[0].end));
    const bool alone = trim(std::string_view(t).substr(0, amounts[0].at)).find_first_not_of("~<= ") ==
                           std::string_view::npos &&
                       (behind.empty() || behind == "." || behind[0] == '(');
    if (!alone) return false;
    set_block(read_cost(t, {}, line.line), t);
    return true;
  }

  /// "- M0 sanity (0.5 GPU-h)", "1. Wave 2 - about 30 GPU-hours": a cost without a label.
  bool take_loose_item(std::string_view piece, const MarkLine& line) {
    const std::string t = plain(without_emphasis(piece));
    if (!names_milestone(t) || line.kind != MarkKind::item ||
        !(section_.order || section_.budget || section_.rest))
      return false;
    if (says_kill(t) || says_limit(t)) return false;
    const std::size_t open = t.find('(');
    Cost cost = read_cost(open == std::string::npos ? std::string_view(t) : std::string_view(t).substr(open),
                          {}, line.line);
    if (cost.reading != Cost::Reading::hours) cost = read_cost(t, {}, line.line);
    if (cost.reading != Cost::Reading::hours || cost.gpu_hours.high <= 0 || cost.wall || cost.each)
      return false;
    const std::string_view name = piece.substr(0, std::min(piece.find_first_of("(["), piece.size()));
    found_.add(found_.items, trim(name), cost, says_optional(t) || section_.optional, t);
    return true;
  }

  /// "In total this needs about 30 GPU-hours."
  void take_prose(std::string_view piece, int line) {
    const std::string t = plain(without_emphasis(piece));
    if (!speaks_of_gpu_hours(t) && find_gpu_mentions(t).empty()) return;
    std::size_t from = 0;
    while (from < t.size()) {  // one sentence after the other
      std::size_t to = from;
      while (to < t.size() && !((t[to] == '.' || t[to] == ';') && (to + 1 == t.size() || t[to + 1] == ' ')))
        ++to;
      take_sentence(std::string_view(t).substr(from, to - from), line);
      from = to + 1;
    }
  }

  void take_sentence(std::string_view t, int line) {
    if (!says_total(t) &&
        !has_word(t, {"budget", "we estimate", "estimated at", "we expect", "needs about", "预算", "预计"}) &&
        !says_limit(t))
      return;
    const auto amounts = find_amounts(t);
    const auto hours =
        std::ranges::find_if(amounts, [](const Amount& a) { return a.unit == Unit::gpu_hours && !a.absurd; });
    if (hours == amounts.end() || says_each(t.substr(hours->end, 16)) || names_milestone(t)) return;
    const PlanNumber number{hours->low, hours->high, line, false};
    if (says_kill(t) && !has_word(t, {"exceed", "不超过"})) return;
    if (hours->limit || says_used(t)) return;
    if (says_limit(t)) {
      if ((says_total(t) || has_word(t, {"budget", "project", "预算"})) &&
          !says_kill(t.substr(0, t.find("exceed"))))
        found_.offer({Kind::ceiling, 10, number});
      return;
    }
    if (says_reserve(t) || says_other_work(t)) return;
    found_.offer({says_rest(t)   ? Kind::rest
                  : says_must(t) ? Kind::must_run
                                 : Kind::all,
                  says_total(t) ? 10 : 6, number});
  }

  /// Reads the table whose head is line `head`; returns its last line.
  std::size_t take_table(std::size_t head) {
    const int table = lines_[head].table;
    std::size_t last = head;
    while (last + 1 < lines_.size() && lines_[last + 1].table == table) ++last;
    if (section_.skipped || found_.tables.size() >= 200) return last;
    TableCosts read = read_cost_table(lines_, head, last);
    for (StatedTotal& total : read.totals) {
      // The total of one block's table is that block's.
      if (in_block() && total.kind == Kind::all) {
        Cost cost{.reading = Cost::Reading::hours, .gpu_hours = total.hours};
        set_block(cost, "");
      } else {
        found_.offer(std::move(total));
      }
    }
    for (std::string& w : read.warnings)
      if (found_.warnings.size() < 10) found_.warnings.push_back(std::move(w));
    if (section_.optional)
      for (PlanCost& c : read.group.costs) c.optional = true;
    if (!read.is_cost_table && lines_[head].cells.size() == 2) take_facts(head, last);
    if (read.any_number)
      found_.tables.push_back({std::move(read.group), in_block() ? block_.name : ""});
    else if (read.is_cost_table)
      found_.wordy.insert(found_.wordy.end(), read.group.unread.begin(), read.group.unread.end());
    return last;
  }

  /// A table of names and values: "| GPU-hours (planned) | 64 |".
  void take_facts(std::size_t head, std::size_t last) {
    for (std::size_t i = head; i <= last; ++i) {
      const MarkLine& row = lines_[i];
      if (row.cells.size() != 2 || row.cells[0].empty()) continue;
      const std::string name = plain(without_emphasis(row.cells[0]));
      const std::string value = plain(without_emphasis(row.cells[1]));
      const bool plain_hours = speaks_of_gpu_hours(name) && !is_no_estimate(name) && !names_milestone(name);
      if (!take_total(name, value, row) && plain_hours)
        if (const Cost cost = read_cost(value, {true, true, speaks_of_days(name) ? 24.0 : 1.0}, row.line);
            cost.gpu_hours.high > 0)
          found_.offer({Kind::all, 20, cost.gpu_hours});
      if (says_wall(name) && !says_limit(name)) take_wall(name, value, row.line);
    }
    list_unit_.reset();
  }

  const std::vector<MarkLine>& lines_;
  FoundHours found_;
  std::vector<std::pair<int, Section>> above_;
  Section section_;
  Block block_;
  int item_level_ = -1;
  std::optional<ColumnUnit> list_unit_;
};

}  // namespace

PlanHours read_plan_hours(const std::vector<MarkLine>& lines, int gpus) {
  return settle_hours(HoursReader(lines).read(), lines, gpus);
}

}  // namespace vastgpu
