#include "analysis/evidence.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace vastgpu {
namespace {

std::string unit_of(const std::string& quantity) {
  if (quantity == "vram_gib") return " GiB";
  if (quantity == "gpu_hours" || quantity == "gpu_hours_must_run") return " GPU-hours";
  if (quantity == "hours") return " h";
  if (quantity == "gpus") return " GPUs";
  if (quantity == "disk_gb") return " GB";
  return "";
}

bool same(const json& a, const json& b) {
  if (a.is_number() && b.is_number()) return std::abs(a.get<double>() - b.get<double>()) < 1e-6;
  return a == b;
}

/// Two decimals are more than any of these numbers is worth.
json rounded(const json& value) {
  if (!value.is_number_float()) return value;
  const double v = value.get<double>();
  return std::isfinite(v) ? json(std::round(v * 100) / 100) : json(nullptr);
}

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

}  // namespace

Evidence witness(std::string quantity, json value, std::string source, int of_rank, bool guess,
                 double headroom) {
  return {std::move(quantity), std::move(value), std::move(source), of_rank, guess, {}, headroom};
}
Evidence user_says(std::string quantity, json value) {
  return witness(std::move(quantity), std::move(value), "user", rank::kUser);
}

std::string shown(const Evidence& e) {
  if (e.value.is_string()) return e.value.get<std::string>();
  const json value = rounded(e.value);
  if (e.quantity == "gpus" && value == 1) return "1 GPU";
  return dump(value.is_number_float() && value.get<double>() == std::floor(value.get<double>()) &&
                      std::abs(value.get<double>()) < 1e15
                  ? json(static_cast<long long>(value.get<double>()))
                  : value) +
         unit_of(e.quantity);
}

std::optional<Evidence> settle(std::vector<Evidence> candidates) {
  if (candidates.empty()) return std::nullopt;
  std::ranges::stable_sort(candidates, {}, &Evidence::rank);
  Evidence chosen = candidates.front();
  for (std::size_t i = 1; i < candidates.size(); ++i)
    if (!same(candidates[i].value, chosen.value) && candidates[i].rank < rank::kDefault)
      chosen.overruled.push_back(candidates[i].source + ": " + shown(candidates[i]));
  return chosen;
}

void to_json(json& j, const Evidence& e) {
  j = {{"quantity", e.quantity}, {"value", rounded(e.value)}, {"source", e.source},
       {"rank", e.rank},         {"guess", e.guess},          {"overruled", e.overruled}};
  if (e.headroom != 1) j["headroom"] = rounded(e.headroom);
}

namespace {
/// Hours keep what is left of a minute: short jobs are measured in seconds.
json precise(Hours h) { return std::round(h.count() * 1e4) / 1e4; }
json hours_range(const TaskProfile& p) {
  if (!p.hours_range) return nullptr;
  return {{"low", precise(p.hours_range->low)},
          {"likely", precise(p.hours_range->likely)},
          {"high", precise(p.hours_range->high)},
          {"gpu", p.reference_gpu},
          {"num_gpus", p.gpus}};
}
}  // namespace

void to_json(json& j, const TaskProfile& p) {
  const auto count = [](const std::optional<Hours>& h) { return h ? precise(*h) : json(nullptr); };
  j = {{"task", p.task},
       {"model", or_null(p.model)},
       {"params_b", p.params_b ? json(*p.params_b) : json(nullptr)},
       {"vram_gib",
        {{"low", rounded(json(p.vram_low.value))},
         {"likely", rounded(json(p.vram_likely.value))},
         {"safe", rounded(json(p.vram.value))}}},
       {"gpus", p.gpus},
       {"one_machine", p.one_machine},
       {"gpu_hours", count(p.gpu_hours)},
       {"hours", hours_range(p)},
       {"reference_gpu", p.reference_gpu},
       {"disk_gb", rounded(json(p.disk.value))},
       {"cuda", p.min_cuda},
       {"min_compute_cap", p.min_compute_cap > 0 ? json(p.min_compute_cap) : json(nullptr)},
       {"max_compute_cap", p.max_compute_cap > 0 ? json(p.max_compute_cap) : json(nullptr)},
       {"host_ram_gb", p.host_ram ? json(p.host_ram->value) : json(nullptr)},
       {"image", p.image},
       {"checkpoints", p.checkpoints},
       {"evidence", p.evidence},
       {"unknown", p.unknown},
       {"warnings", p.warnings}};
  if (p.plan) j["plan"] = *p.plan;
}

}  // namespace vastgpu
