#include "fleet/needs.h"

namespace vastgpu {

json needs_facts(const QuoteRequest& request) {
  const TaskProfile& p = request.profile;
  json j{{"vram_gib", p.vram},
         {"gpus", p.gpus},
         {"reference_gpu", p.reference_gpu},
         {"scales_with_card", p.scales_with_card},
         {"disk_gb", p.disk},
         {"download_gb", p.download},
         {"upload_gb", p.upload},
         {"min_cuda", p.min_cuda},
         {"min_compute_cap", p.min_compute_cap},
         {"max_compute_cap", p.max_compute_cap},
         {"image", p.image},
         {"checkpoints", p.checkpoints},
         {"min_reliability", request.demands.min_reliability},
         {"min_inet_down_mbps", request.demands.min_inet_down},
         {"verified_only", request.demands.verified_only},
         {"countries", request.demands.countries}};
  if (p.hours) j["hours"] = p.hours->count();
  if (p.host_ram) j["host_ram_gb"] = *p.host_ram;
  if (p.newer_image) j["newer_image"] = *p.newer_image;
  if (p.params_b) j["params_b"] = *p.params_b;
  return j;
}

QuoteRequest needs_of(const Quote& quote) {
  QuoteRequest r;
  r.project = quote.project;
  r.interruptible = quote.interruptible;
  TaskProfile& p = r.profile;
  p.vram = to_gibibytes(quote.gpu_ram);
  p.gpus = quote.num_gpus;
  p.disk = quote.disk;
  p.image = quote.image;
  p.hours = quote.work;
  p.reference_gpu = quote.gpu_name;
  const auto facts = parse_json(quote.facts, "quote facts");
  if (!facts || !facts->contains("needs")) return r;
  const json& j = (*facts)["needs"];
  const auto number = [&](const char* key, double otherwise) {
    return read_number(j, key).value_or(otherwise);
  };
  const auto whole = [&](const char* key, int otherwise) {
    return static_cast<int>(read_integer(j, key).value_or(otherwise));
  };
  const auto yes = [&](const char* key, bool otherwise) {
    return read_field<bool>(j, key).value_or(otherwise);
  };
  p.vram = {number("vram_gib", p.vram.value)};
  p.gpus = whole("gpus", p.gpus);
  p.reference_gpu = read_field<std::string>(j, "reference_gpu").value_or(p.reference_gpu);
  p.scales_with_card = yes("scales_with_card", p.scales_with_card);
  p.disk = {number("disk_gb", p.disk.value)};
  p.download = {number("download_gb", p.download.value)};
  p.upload = {number("upload_gb", p.upload.value)};
  p.min_cuda = number("min_cuda", p.min_cuda);
  p.min_compute_cap = whole("min_compute_cap", p.min_compute_cap);
  p.max_compute_cap = whole("max_compute_cap", p.max_compute_cap);
  p.image = read_field<std::string>(j, "image").value_or(p.image);
  p.newer_image = read_field<std::string>(j, "newer_image");
  p.checkpoints = yes("checkpoints", p.checkpoints);
  p.hours.reset();
  if (const auto h = read_number(j, "hours")) p.hours = Hours(*h);
  if (const auto ram = read_number(j, "host_ram_gb")) p.host_ram = Gigabytes{*ram};
  p.params_b = read_number(j, "params_b");
  r.demands.min_reliability = number("min_reliability", r.demands.min_reliability);
  r.demands.min_inet_down = {number("min_inet_down_mbps", r.demands.min_inet_down.value)};
  r.demands.verified_only = yes("verified_only", r.demands.verified_only);
  r.demands.countries =
      read_field<std::vector<std::string>>(j, "countries").value_or(std::vector<std::string>{});
  return r;
}

}  // namespace vastgpu
