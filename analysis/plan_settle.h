#pragma once
// From everything a plan says about hours to what it comes to. Used by the plan reader only. Pure; any
// thread.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/plan_table.h"

namespace vastgpu {

/// What was found while reading, nothing of it decided yet.
struct FoundHours {
  struct Table {
    CostGroup group;
    std::string block;  ///< the block it stands in; empty outside
  };
  std::map<StatedTotal::Kind, StatedTotal> best;  ///< the highest score of each kind
  std::optional<PlanNumber> budget;               ///< of a line "Budget": an estimate, or what may be spent
  std::vector<Table> tables;
  CostGroup blocks, items;
  std::vector<std::string> wordy;  ///< rows of cost tables without any number
  std::set<std::string> optional;  ///< keys of blocks that are nice to have
  std::vector<std::string> warnings;

  void offer(StatedTotal total);
  void add(CostGroup& group, std::string_view name, const Cost& cost, bool is_optional,
           std::string_view cell);
  void warn_absurd(int line);
};

/// `gpus`: of the hardware line, 1 where it names none.
PlanHours settle_hours(FoundHours found, const std::vector<MarkLine>& lines, int gpus);

}  // namespace vastgpu
