#include "sandbox/contract.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace vastgpu::sandbox {
namespace {

constexpr double kDay = 86400;

std::int64_t day_of(double t) { return static_cast<std::int64_t>(std::floor(t / kDay)); }

json item(const char* type, const std::string& description, double amount, double start, double end) {
  return {{"type", type}, {"description", description}, {"amount", amount}, {"start", start},
          {"end", end},   {"items", json::array()}};
}

}  // namespace

bool Contract::gpu_billed() const {
  return alive && !destroying && (actual == "running" || actual == "rebooting");
}

double Contract::dollars_per_second() const {
  return ((gpu_billed() ? gpu_rate : 0) + (storage_billed() ? storage_rate : 0)) / 3600;
}

DayUsage Contract::total() const {
  DayUsage sum;
  for (const auto& [day, d] : days) {
    sum.gpu_seconds += d.gpu_seconds;
    sum.gpu += d.gpu;
    sum.disk_seconds += d.disk_seconds;
    sum.disk += d.disk;
    sum.down_gb += d.down_gb;
    sum.down += d.down;
    sum.up_gb += d.up_gb;
    sum.up += d.up;
  }
  return sum;
}

const std::string* Contract::fault(const std::string& name) const {
  const auto at = faults.find(name);
  return at == faults.end() ? nullptr : &at->second;
}

std::vector<std::string> Contract::key_texts() const {
  std::vector<std::string> out;
  if (!keys_accepted) return out;
  for (const SshKey& k : keys) out.push_back(k.text);
  return out;
}

double charge_time(Contract& c, double from, double to) {
  double dollars = 0;
  while (from < to) {
    const std::int64_t day = day_of(from);
    const double until = std::min(to, static_cast<double>(day + 1) * kDay);
    const double seconds = until - from;
    if (c.gpu_billed()) {
      DayUsage& d = c.days[day];
      d.gpu_seconds += seconds;
      d.gpu += seconds * c.gpu_rate / 3600;
      dollars += seconds * c.gpu_rate / 3600;
    }
    if (c.storage_billed()) {
      DayUsage& d = c.days[day];
      d.disk_seconds += seconds;
      d.disk += seconds * c.storage_rate / 3600;
      dollars += seconds * c.storage_rate / 3600;
    }
    from = until;
  }
  return dollars;
}

double charge_traffic(Contract& c, double at, double down_gb, double up_gb) {
  const double down = down_gb * read_number(c.offer, "inet_down_cost").value_or(0);
  const double up = up_gb * read_number(c.offer, "inet_up_cost").value_or(0);
  DayUsage& d = c.days[day_of(at)];
  d.down_gb += down_gb;
  d.down += down;
  d.up_gb += up_gb;
  d.up += up;
  return down + up;
}

double image_gigabytes(const std::string& image) {
  std::uint32_t mix = 2166136261u;
  for (const char c : image) mix = (mix ^ static_cast<unsigned char>(c)) * 16777619u;
  return 4.0 + static_cast<double>(mix % 401) / 100;
}

std::vector<json> charge_rows(const Contract& c) {
  std::vector<json> rows;
  for (const auto& [day, d] : c.days) {
    const double start = static_cast<double>(day) * kDay;
    const double end = start + kDay;
    json items = json::array();
    if (d.gpu_seconds > 0)
      items.push_back(item(
          "gpu",
          fixed(d.gpu_seconds / 3600, 3) + " hours at $" + fixed(d.gpu * 3600 / d.gpu_seconds, 3) + "/hour",
          d.gpu, start, end));
    if (d.disk_seconds > 0)
      items.push_back(item("disk",
                           fixed(c.disk_gb, 1) + " GB for " + fixed(d.disk_seconds / 3600, 3) + " hours",
                           d.disk, start, end));
    if (d.down_gb > 0)
      items.push_back(item("bwd", fixed(d.down_gb, 3) + " GB downloaded", d.down, start, end));
    if (d.up_gb > 0) items.push_back(item("bwu", fixed(d.up_gb, 3) + " GB uploaded", d.up, start, end));
    rows.push_back({{"start", static_cast<std::int64_t>(start)},
                    {"end", static_cast<std::int64_t>(end)},
                    {"type", "instance"},
                    {"source", "instance-" + std::to_string(c.id)},
                    {"description", "Instance " + std::to_string(c.id)},
                    {"amount", d.total()},
                    {"metadata", {{"label", c.label ? json(*c.label) : json()}}},
                    {"items", items}});
  }
  return rows;
}

}  // namespace vastgpu::sandbox
