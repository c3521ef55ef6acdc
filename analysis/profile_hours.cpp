// How long the work takes.

#include "analysis/profile_builder.h"

#include <algorithm>

#include "core/text.h"

namespace vastgpu {
namespace {
constexpr double kHoursHeadroom = 1.3;
constexpr double kSameTotal = 1.15;  // a plan's total and its costs may differ so much before it is said
}  // namespace

std::vector<Evidence> ProfileBuilder::plan_hours() {
  std::vector<Evidence> found;
  const PlanHours& h = plan_.hours;
  const auto sum = h.sum();
  const auto range_note = [](const PlanNumber& n) {
    return n.low < n.high ? " (upper end of " + fixed(n.low, 1) + " to " + fixed(n.high, 1) + ")" : "";
  };
  std::optional<Evidence> total;
  if (h.total && h.total->high > 0)
    total = witness("gpu_hours", h.total->high, plan_.at(h.total->line) + range_note(*h.total), rank::kPlan,
                    h.total->assumed);
  std::optional<Evidence> costs;
  if (sum && sum->high > 0) {
    costs = witness(
        "gpu_hours", sum->high,
        plan_.at(sum->line) + " ff., sum of " + std::to_string(h.costs.size()) + " costs" + range_note(*sum),
        rank::kPlanSum, sum->assumed);
    for (const std::string& name : h.unread)
      warn(plan_.source + ": the cost of \"" + name + "\" is no number; it is not in the sum of the costs");
    if (sum->assumed && !total && profile_.gpus > 1)
      warn(plan_.at(sum->line) +
           ": bare hours were taken for GPU-hours; if they are wall-clock hours, the work takes " +
           std::to_string(profile_.gpus) + " times as long");
  }
  if (total && costs && !h.total_is_rest) {
    const double stated = total->value.get<double>();
    const double added = costs->value.get<double>();
    if (added > stated * kSameTotal || stated > added * kSameTotal) {
      warn(plan_.at(h.total->line) + " states " + shown(*total) + ", but its costs add up to " +
           shown(*costs) + ": the larger was taken");
      if (added > stated) costs->rank = rank::kPlan;
    }
  }
  if (h.total && h.total->high <= 0)
    warn(plan_.at(h.total->line) + " states a total of 0 GPU-hours: it may need no GPU at all");
  if (h.costs.empty() && !h.unread.empty() && !h.total)
    warn(plan_.source + ": its costs are words, not numbers");
  else if (h.sum_is_partial && !h.total)
    warn(plan_.source + ": some of its steps have no hours (" + clean_line(join(h.unread, ", "), 200) +
         "), so it gives no total");
  if (costs) found.push_back(*costs);
  if (total) found.push_back(*total);
  if (const auto must = h.must_run_sum(); must && costs)
    keep(witness("gpu_hours_must_run", *must, costs->source + ", without what is nice to have",
                 rank::kPlanSum));
  return found;
}

void ProfileBuilder::settle_hours() {
  for (const std::string& w : plan_.hours.warnings) warn(plan_.source + ", " + w);
  auto planned = settle(plan_hours());
  const auto wall = request_.hours ? request_.hours : said_.gpu_hours ? std::nullopt : said_.hours;
  if (wall) {
    Evidence& e = keep(user_says("hours", *wall));
    e.headroom = kHoursHeadroom;
    if (planned) e.overruled.push_back(planned->source + ": " + shown(*planned));
    profile_.hours = Hours{*wall * kHoursHeadroom};
    profile_.hours_without_card = !said_.card;
    profile_.gpu_hours = Hours{*wall * profile_.gpus};
    return;
  }
  if (said_.gpu_hours) {
    std::vector<Evidence> both{user_says("gpu_hours", *said_.gpu_hours)};
    if (planned) both.push_back(*planned);
    planned = settle(std::move(both));
  }
  if (!planned) {
    keep(witness("hours", nullptr, "default", rank::kDefault, true));
    profile_.unknown.push_back("hours: say how long one run takes, or give the plan a total");
    return;
  }
  const double gpu_hours = planned->value.get<double>();
  profile_.gpu_hours = Hours{gpu_hours};
  profile_.hours = Hours{gpu_hours / profile_.gpus * kHoursHeadroom};
  const Evidence& e = keep(std::move(*planned));
  const Evidence hours = witness("hours", gpu_hours / profile_.gpus,
                                 e.source + ", over " + std::to_string(profile_.gpus) + " GPUs", e.rank,
                                 e.guess, kHoursHeadroom);
  keep(profile_.gpus > 1 ? hours : witness("hours", gpu_hours, e.source, e.rank, e.guess, kHoursHeadroom));
}

}  // namespace vastgpu
