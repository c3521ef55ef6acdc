#include "fleet/pricing.h"

#include <algorithm>

#include "core/gpu_table.h"

namespace vastgpu {
namespace {

// DLPerf of one RTX 3090 in listings: turns the score of an unknown card into a relative speed.
constexpr double kDlperfOf3090 = 53;
// One node of several GPUs does not scale fully (measured: about 0.92 per node of 2-8).
constexpr double kScaling = 0.92;
// What another card changes where the card is not what the work waits for.
constexpr double kLeastGain = 0.8, kMostGain = 1.5;
constexpr double kBootHours = 3.0 / 60;  // create, container, sshd: one minute to five
constexpr double kUsualShare = 0.7;      // of the advertised speed, over a download of minutes
constexpr double kUnpackMbps = 800;      // layers are unpacked as they come, and that is not faster
constexpr double kLeastMbps = 20;        // unknown or absurd speeds must not make the start endless

}  // namespace

UsdPerHour gpu_price(const Offer& offer) {
  return offer.price_without_disk.value > 0 ? offer.price_without_disk : offer.price;
}

CostBreakdown cost_of(const Offer& offer, const Timing& timing, const TrafficGuess& traffic) {
  CostBreakdown cost;
  const UsdPerHour gpu = gpu_price(offer);
  const UsdPerHour disk = disk_price(offer);
  cost.gpu = gpu * timing.work;
  cost.boot = gpu * timing.start;
  cost.disk = disk * timing.lease;
  cost.traffic = offer.inet_down_cost * traffic.down + offer.inet_up_cost * traffic.up;
  cost.total = cost.gpu + cost.disk + cost.traffic + cost.boot;
  return cost;
}

CostBreakdown cost_of(const Offer& offer, Hours running, const TrafficGuess& traffic) {
  return cost_of(offer, Timing{.start = Hours(0), .work = running, .lease = running}, traffic);
}

Hours start_time(const Offer& offer, Gigabytes download) {
  const double usual = offer.inet_down.value > 0 ? offer.inet_down.value * kUsualShare : 100 * kUsualShare;
  const double mbps = std::clamp(usual, kLeastMbps, kUnpackMbps);
  return Hours(kBootHours + download.value * 8000 / mbps / 3600);
}

Hours lease_for(std::optional<Hours> work, Hours start) {
  if (!work) return Hours(4);
  return std::max(Hours(1), *work * 1.1 + std::max(Hours(0.5), start + Hours(0.25)));
}

std::optional<Hours> work_on(const Offer& offer, const TaskProfile& profile) {
  if (!profile.hours) return std::nullopt;
  const GpuModel* reference = find_gpu(profile.reference_gpu);
  const double of_reference =
      reference != nullptr && reference->relative_speed > 0 ? reference->relative_speed : 1;
  const double speed = card_speed(offer);
  if (!(speed > 0)) return profile.hours;
  const double gain = speed / of_reference;
  return *profile.hours / (profile.scales_with_card ? gain : std::clamp(gain, kLeastGain, kMostGain));
}

UsdPerHour bid_floor(const Offer& bid_offer) {
  return std::max(gpu_price(bid_offer), bid_offer.min_bid.value_or(UsdPerHour{}));
}

UsdPerHour disk_price(const Offer& offer) { return {std::max(0.0, (offer.price - gpu_price(offer)).value)}; }

Usd disk_cost_per_day(const Offer& offer, Gigabytes disk) {
  return {offer.storage_usd_per_gb_month * disk.value / 30};
}

double card_speed(const Offer& offer) {
  const GpuModel* model = find_gpu(offer.gpu_name);
  if (model != nullptr && model->relative_speed > 0) return model->relative_speed;
  return offer.dlperf / std::max(1, offer.num_gpus) / kDlperfOf3090;
}

double relative_speed(const Offer& offer) {
  const int n = std::max(1, offer.num_gpus);
  return card_speed(offer) * (n > 1 ? n * kScaling : 1);
}

}  // namespace vastgpu
