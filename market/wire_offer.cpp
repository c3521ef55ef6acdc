#include <algorithm>

#include "market/wire.h"

namespace vastgpu {

json search_body(const OfferQuery& q) {
  const auto is = [](const char* op, const json& value) { return json{{op, value}}; };
  json body = {{"external", is("eq", false)},
               {"rentable", is("eq", true)},
               {"order", json::array({json::array({q.order_by, q.descending ? "desc" : "asc"})})},
               {"type", q.kind == RentalKind::interruptible ? "bid" : "on-demand"},
               {"limit", std::max(1, q.limit)},
               {"allocated_storage", q.disk}};
  if (q.disk.value > 0) body["disk_space"] = is("gte", q.disk);
  if (q.verified_only) body["verified"] = is("eq", true);
  if (q.direct_ssh) body["direct_port_count"] = is("gte", 1);
  if (q.min_gpu_ram) body["gpu_ram"] = is("gte", *q.min_gpu_ram);
  if (q.min_host_ram) body["cpu_ram"] = is("gte", *q.min_host_ram);
  if (q.min_compute_cap > 0) body["compute_cap"]["gte"] = q.min_compute_cap;
  if (q.max_compute_cap > 0) body["compute_cap"]["lte"] = q.max_compute_cap;
  if (!q.countries.empty()) body["geolocation"] = is("in", q.countries);
  if (q.num_gpus) body["num_gpus"] = is("eq", *q.num_gpus);
  if (!q.gpu_names.empty()) body["gpu_name"] = is("in", q.gpu_names);
  if (q.min_reliability > 0) body["reliability"] = is("gte", q.min_reliability);
  if (q.min_inet_down.value > 0) body["inet_down"] = is("gte", q.min_inet_down);
  if (q.min_cuda) body["cuda_max_good"] = is("gte", *q.min_cuda);
  if (q.max_price) body["dph_total"] = is("lte", *q.max_price);
  if (q.machine) body["machine_id"] = is("eq", *q.machine);
  if (q.ask) body["ask_contract_id"] = is("eq", *q.ask);
  return body;
}

}  // namespace vastgpu
