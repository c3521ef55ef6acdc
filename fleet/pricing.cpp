#include "fleet/pricing.h"

#include <algorithm>

#include "core/gpu_table.h"

namespace vastgpu {
namespace {
// DLPerf of one RTX 3090 in listings: turns the score of an unknown card into a relative speed.
constexpr double kDlperfOf3090 = 53;
// One node of several GPUs does not scale fully (estimation.md: 0.92 per node of 2-8).
constexpr double kScaling = 0.92;
}  // namespace

CostBreakdown cost_of(const Offer& offer, Hours running, const TrafficGuess& traffic) {
  CostBreakdown cost;
  const UsdPerHour without_disk = offer.price_without_disk.value > 0 ? offer.price_without_disk : offer.price;
  cost.gpu = without_disk * running;
  cost.disk = (offer.price - without_disk) * running;
  cost.traffic = offer.inet_down_cost * traffic.down + offer.inet_up_cost * traffic.up;
  cost.total = cost.gpu + cost.disk + cost.traffic;
  return cost;
}

Hours lease_for(std::optional<Hours> work) {
  if (!work) return Hours(4);
  return std::max(Hours(1), *work * 1.1 + Hours(0.5));
}

Usd disk_cost_per_day(const Offer& offer, Gigabytes disk) {
  return {offer.storage_usd_per_gb_month * disk.value / 30};
}

double relative_speed(const Offer& offer) {
  const GpuModel* model = find_gpu(offer.gpu_name);
  if (model != nullptr && model->relative_speed > 0) {
    const double n = std::max(1, offer.num_gpus);
    return model->relative_speed * (n > 1 ? n * kScaling : 1);
  }
  return offer.dlperf > 0 ? offer.dlperf / kDlperfOf3090 : 0;
}

}  // namespace vastgpu
