// The plan's facts as a caller sees them.

#include <algorithm>
#include <cmath>

#include "analysis/plan.h"

namespace vastgpu {
namespace {

json rounded(double v) {
  if (!std::isfinite(v)) return nullptr;
  const double r = std::round(v * 1000) / 1000;
  return r == std::floor(r) && std::abs(r) < 1e15 ? json(static_cast<long long>(r)) : json(r);
}

json number(const std::optional<PlanNumber>& n) {
  if (!n) return nullptr;
  json j = {{"low", rounded(n->low)}, {"high", rounded(n->high)}, {"line", n->line}};
  if (n->assumed) j["assumed"] = true;
  if (!n->how.empty()) j["how"] = n->how;
  return j;
}

/// One value where a range is no use: counts, sizes, limits.
json value(const std::optional<PlanNumber>& n) {
  if (!n) return nullptr;
  json j = {{"value", rounded(n->high)}, {"line", n->line}};
  if (n->assumed) j["assumed"] = true;
  if (!n->how.empty()) j["how"] = n->how;
  return j;
}

json hours_of(const PlanHours& h, int gpus) {
  const auto sum = h.sum();
  const auto planned = h.total ? h.total : sum;
  json j = {{"low", nullptr}, {"high", nullptr}, {"total", nullptr}, {"stated", nullptr}, {"sum", nullptr}};
  if (h.total) j["stated"] = rounded(h.total->high);
  if (sum) j["sum"] = rounded(sum->high);
  if (!planned) return j;
  const auto must = h.must_run ? std::optional(h.must_run->low) : h.must_run_sum();
  double low = planned->low, high = planned->high;
  if (must && *must > 0) low = std::min(low, *must);
  if (h.with_reserve) high = std::max(high, h.with_reserve->high);
  if (h.total && sum && !h.total_is_rest && sum->high > h.total->high * 1.15)
    high = std::max(high, sum->high);
  if (planned->assumed && !h.total && gpus > 1) {
    high *= gpus;  // clock hours, if the writer meant those
    j["how"] = "bare hours: GPU-hours, or clock hours of " + std::to_string(gpus) + " GPUs";
  }
  j["low"] = rounded(low);
  j["high"] = rounded(high);
  if (planned->low == planned->high && !j.contains("how")) j["total"] = rounded(planned->high);
  j["line"] = planned->line;
  j["assumed"] = planned->assumed;
  if (!planned->how.empty()) j["how"] = planned->how;
  if (h.total_is_rest) j["remaining_only"] = true;
  if (h.with_reserve) j["with_reserve"] = number(h.with_reserve);
  return j;
}

}  // namespace

void to_json(json& j, const Plan& plan) {
  const PlanHours& h = plan.hours;
  json milestones = json::array();
  for (const PlanCost& c : h.costs) {
    json m = {
        {"name", c.name},           {"low", rounded(c.gpu_hours.low)}, {"high", rounded(c.gpu_hours.high)},
        {"line", c.gpu_hours.line}, {"cumulative", c.cumulative},      {"optional", c.optional}};
    if (c.gpu_hours.assumed) m["assumed"] = true;
    if (!c.gpu_hours.how.empty()) m["how"] = c.gpu_hours.how;
    milestones.push_back(std::move(m));
  }
  json cards = json::array();
  for (const PlanCard& c : plan.cards)
    cards.push_back({{"gpu", c.card.written},
                     {"count", c.count ? json(*c.count) : json(nullptr)},
                     {"vram_gb", rounded(c.card.vram_gib)},
                     {"rentable_as", c.card.name},
                     {"line", c.line}});
  json models = json::array();
  for (const PlanModel& m : plan.models) models.push_back({{"name", m.model.name}, {"line", m.line}});
  json datasets = json::array();
  for (const PlanDataset& d : plan.datasets) {
    json entry = {{"name", d.name}, {"line", d.line}};
    if (d.gb) entry["gb"] = rounded(*d.gb);
    datasets.push_back(std::move(entry));
  }
  const auto must = h.must_run ? std::optional(h.must_run->high) : h.must_run_sum();
  j = {{"source", plan.source},
       {"gpu_hours", hours_of(h, plan.hardware ? plan.hardware->gpus.value_or(1) : 1)},
       {"must_run_gpu_hours", must ? rounded(*must) : json(nullptr)},
       {"wall_hours", value(h.wall)},
       {"ceiling_gpu_hours", value(h.ceiling)},
       {"milestones", milestones},
       {"hardware", cards},
       {"hardware_are_alternatives", plan.hardware && plan.hardware->alternatives},
       {"needs_no_gpu", plan.needs_no_gpu},
       {"models", models},
       {"datasets", datasets},
       {"measured_vram_gib", value(plan.measured_gib)},
       {"min_vram_gib", value(plan.min_vram_gib)},
       {"dataset_gb", value(plan.data_gb)},
       {"disk_gb", value(plan.disk_gb)},
       {"gpus_per_run", value(plan.gpus_per_run)},
       {"runs", value(plan.runs)},
       {"seeds", value(plan.seeds)},
       {"notes", plan.notes}};
  if (!h.unread.empty()) j["without_hours"] = h.unread;
}

}  // namespace vastgpu
