#pragma once
// Offers and needs that fit each other, for tests that change one thing.

#include "analysis/task_profile.h"
#include "core/gpu_table.h"
#include "market/offer.h"

namespace vastgpu {

/// On machine id + 1000, without a fault: verified, reliable, fast network, nobody else on the box.
inline Offer sample_offer(std::int64_t id, const std::string& gpu, double usd_per_hour, double ram_mb) {
  Offer o;
  o.id = {id};
  o.machine = {id + 1000};
  o.gpu_name = gpu;
  o.gpu_arch = "nvidia";
  o.gpu_ram = {ram_mb};
  o.price_without_disk = {usd_per_hour};
  o.price = {usd_per_hour + 0.01};
  o.storage_usd_per_gb_month = 0.144;  // a cent an hour for 50 GB
  o.cuda_max = 12.8;
  o.disk_space = {500};
  o.inet_down = {800};
  o.inet_down_cost = {0.002};
  o.inet_up_cost = {0.004};
  o.reliability = 0.99;
  o.verified = true;
  o.direct_ports = 100;
  o.location = "Oregon, US";
  const GpuModel* model = find_gpu(gpu);
  o.compute_cap = model != nullptr ? model->compute_cap : 0;
  return o;
}

inline TaskProfile sample_needs(double vram_gib, std::optional<Hours> hours) {
  TaskProfile p;
  p.vram = {vram_gib};
  p.hours = hours;
  p.max_compute_cap = 900;
  return p;
}

}  // namespace vastgpu
