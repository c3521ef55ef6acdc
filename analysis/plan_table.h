#pragma once
// Cost tables of a plan: which columns hold GPU time, which hold clocks, people or limits, and what each row
// costs. Used by the plan reader only. Pure; any thread.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analysis/markdown.h"
#include "analysis/plan_cost.h"

namespace vastgpu {

/// Costs that were found together: one table, the blocks, one list.
struct CostGroup {
  std::vector<PlanCost> costs;
  std::vector<std::string> unread;  ///< named without a number
  std::vector<std::string> refs;    ///< beside each cost: the blocks its row names, "1 3"

  double high() const;
};

/// A total that a row or line states. The highest score of each kind counts.
struct StatedTotal {
  enum class Kind { all, rest, must_run, with_reserve, ceiling, wall, reserve };
  Kind kind = Kind::all;
  int score = 0;
  PlanNumber hours;
};

struct TableCosts {
  bool is_cost_table = false;  ///< has a column of GPU time
  bool any_number = false;
  CostGroup group;
  std::vector<StatedTotal> totals;
  std::vector<std::string> warnings;
};

/// `lines[head]` is a table head; `last` its last row.
TableCosts read_cost_table(const std::vector<MarkLine>& lines, std::size_t head, std::size_t last);

/// The entry that a name and its cost make; `row` is what else stands beside it.
PlanCost cost_entry(std::string_view name, const Cost& cost, bool optional, std::string_view cell);
std::string absurd_warning(int line);

}  // namespace vastgpu
