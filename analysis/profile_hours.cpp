// How long the work takes.

#include "analysis/profile_builder.h"

#include <algorithm>
#include <cmath>

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

std::optional<Evidence> ProfileBuilder::computed_hours() {
  if (!need_) return std::nullopt;
  const GpuModel* card = find_gpu(profile_.reference_gpu);
  if (card == nullptr) return std::nullopt;
  estimated_ = estimate_hours(need_->work, *card, profile_.gpus, &missing_);
  if (!estimated_) return std::nullopt;
  if (const auto samples = claims_.settle("samples"); samples && samples->guess)
    estimated_->assumed.emplace_back("samples");
  return witness("gpu_hours", estimated_->likely.count() * profile_.gpus,
                 text("computed: ", estimated_->how, ", ", card->name), rank::kScript,
                 !estimated_->assumed.empty());
}

void ProfileBuilder::take_hours(const Evidence& chosen, double low, double likely, double high) {
  profile_.hours_range = HoursRange{Hours(low), Hours(likely), Hours(high)};
  profile_.hours = Hours(likely * kHoursHeadroom);
  keep(witness("hours", likely, chosen.source, chosen.rank, chosen.guess, kHoursHeadroom));
}

void ProfileBuilder::settle_hours() {
  for (const std::string& w : plan_.hours.warnings) warn(plan_.source + ", " + w);
  auto planned = settle(plan_hours());
  const auto computed = computed_hours();
  // What the user said in this call of the amount of work beats the plan's total.
  const bool users_amount = computed && said_by_user({"tokens", "steps", "samples", "epochs"});
  if (users_amount && planned) planned->rank = std::max(planned->rank, rank::kPlanSum);
  if (estimated_) profile_.scales_with_card = estimated_->scales_with_card;
  std::vector<Evidence> totals;
  const auto stated_total = claims_.settle("gpu_hours");
  if (stated_total) totals.push_back(*stated_total);
  if (said_.gpu_hours) totals.push_back(user_says("gpu_hours", *said_.gpu_hours));
  if (auto e = past_hours()) {
    // A smoke run is no measure of a whole plan, nor what ran then of another amount that the user names now.
    const double past = e->value.get<double>();
    const double n = profile_.gpus;
    if (planned && past < planned->value.get<double>() / 3) e->rank = rank::kRule;
    if (computed &&
        (past < estimated_->low.count() * n / 3 || (users_amount && past > estimated_->high.count() * n * 3)))
      e->rank = rank::kRule;
    totals.push_back(*std::move(e));
  }
  if (planned) totals.push_back(*planned);
  if (computed) totals.push_back(*computed);
  auto total = settle(std::move(totals));

  const auto stated_wall = claims_.settle("hours");
  std::optional<double> wall = request_.hours;
  if (!wall && stated_wall) wall = stated_wall->value.get<double>();
  if (!wall && !stated_total && !said_.gpu_hours) wall = said_.hours;
  if (wall) {
    profile_.gpu_hours = Hours{*wall * profile_.gpus};
    profile_.hours_without_card = !said_.card && !claims_.has("gpu");
    take_hours(user_says("hours", *wall), *wall, *wall, *wall * kHoursHeadroom);
    if (total) profile_.evidence.back().overruled.push_back(total->source + ": " + shown(*total));
    return;
  }
  if (!total) {
    keep(witness("hours", nullptr, "default", rank::kDefault, true));
    const bool asks_amount = need_ && !missing_.empty() && missing_ != "hours";
    profile_.unknown.push_back(asks_amount
                                   ? "hours: say how many " + missing_ +
                                         " the run has, how long one run takes, or give the plan a total"
                                   : "hours: say how long one run takes, or give the plan a total");
    return;
  }
  const double gpu_hours = total->value.get<double>();
  profile_.gpu_hours = Hours{gpu_hours};
  const bool is_computed = computed && total->source == computed->source;
  const Evidence e = keep(*std::move(total));
  const double n = profile_.gpus;
  if (is_computed) {
    take_hours(e, estimated_->low.count(), estimated_->likely.count(), estimated_->high.count());
    if (!estimated_->assumed.empty())
      profile_.unknown.push_back("hours: " + join(estimated_->assumed, ", ") + " assumed; say " +
                                 estimated_->assumed.front() + " to settle most of it");
    return;
  }
  double low = gpu_hours;
  for (const auto& range : {plan_.hours.total, plan_.hours.sum()})
    if (e.rank >= rank::kPlan && range && std::abs(range->high - gpu_hours) < 1e-6)
      low = std::min(low, range->low);
  Evidence per_gpu = e;
  if (profile_.gpus > 1) per_gpu.source += ", over " + std::to_string(profile_.gpus) + " GPUs";
  take_hours(per_gpu, low / n, gpu_hours / n, gpu_hours / n * kHoursHeadroom);
}

}  // namespace vastgpu
