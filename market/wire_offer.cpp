#include <unordered_map>

#include "market/wire.h"
#include "market/wire_fields.h"

namespace vastgpu {
namespace {

bool is_verified(const json& row) {
  const std::string word = line(row, "verification");
  if (!word.empty()) return word == "verified";
  return line(row, "verified") == "verified" || flag(row, "verified");
}

/// "Oregon, US"; rows also say ", US" or null.
std::string location_of(const json& row) {
  std::string s = line(row, "geolocation", 80);
  const auto first = s.find_first_not_of(", ");
  return first == std::string::npos ? "" : s.substr(first);
}

std::optional<double> price_of(const json& row) {
  for (const auto& price : {read_number(row, "dph_total"), number_in(row, "search", "totalHour")})
    if (price && *price > 0) return price;
  return std::nullopt;
}

}  // namespace

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

std::optional<Offer> read_offer(const json& row) {
  if (!row.is_object()) return std::nullopt;
  const auto id = read_integer(row, "id");
  const auto price = price_of(row);
  Offer o;
  o.gpu_name = line(row, "gpu_name", 80);
  if (!id || *id <= 0 || !price || o.gpu_name.empty()) return std::nullopt;
  o.id = {*id};
  o.price = {*price};
  o.machine = {read_integer(row, "machine_id").value_or(0)};
  o.host = {read_integer(row, "host_id").value_or(0)};
  o.gpu_arch = line(row, "gpu_arch", 40);
  o.num_gpus = count(row, "num_gpus", 1, 1024, 1);
  if (const double share = amount(row, "gpu_frac"); share > 0) o.gpu_fraction = std::min(share, 1.0);
  o.gpu_ram = {amount(row, "gpu_ram")};
  o.compute_cap = count(row, "compute_cap", 0, 100'000, 0);
  o.cuda_max = amount(row, "cuda_max_good");
  o.price_without_disk = {amount(row, "dph_base")};
  o.storage_usd_per_gb_month = amount(row, "storage_cost");
  if (const double bid = amount(row, "min_bid"); bid > 0) o.min_bid = UsdPerHour{bid};
  o.is_bid = flag(row, "is_bid");
  o.disk_space = {amount(row, "disk_space")};
  o.inet_up = {amount(row, "inet_up")};
  o.inet_down = {amount(row, "inet_down")};
  o.inet_up_cost = {amount(row, "inet_up_cost")};
  o.inet_down_cost = {amount(row, "inet_down_cost")};
  o.reliability = amount(row, "reliability2");
  if (o.reliability == 0) o.reliability = amount(row, "reliability");
  o.verified = is_verified(row);
  o.datacenter = amount(row, "hosting_type") >= 1;
  o.static_ip = flag(row, "static_ip");
  o.direct_ports = count(row, "direct_port_count", 0, 1'000'000, 0);
  o.dlperf = amount(row, "dlperf");
  if (const auto left = amount_if_known(row, "duration"))
    o.max_duration = std::chrono::duration<double>(*left);
  o.location = location_of(row);
  return o;
}

Result<std::vector<Offer>> read_offers(const json& answer) {
  const auto rows = answer.is_object() ? answer.find("offers") : answer.end();
  if (!answer.is_object() || rows == answer.end() || !rows->is_array())
    return fail({.code = Code::corrupt,
                 .what = "the search's answer holds no list of offers, so what is on offer is unknown",
                 .next_step = "call again; report this if it stays"});
  struct Seen {
    std::size_t at;
    double score;
  };
  std::unordered_map<std::int64_t, Seen> seen;
  std::vector<Offer> offers;
  offers.reserve(rows->size());
  for (const json& row : *rows) {
    auto offer = read_offer(row);
    if (!offer) continue;
    const double score = read_number(row, "score").value_or(0);
    const auto [known, is_new] = seen.try_emplace(offer->id.value, Seen{offers.size(), score});
    if (is_new) {
      offers.push_back(*std::move(offer));
    } else if (score > known->second.score) {
      known->second.score = score;
      offers[known->second.at] = *std::move(offer);
    }
  }
  if (offers.empty() && !rows->empty())
    return fail({.code = Code::corrupt,
                 .what = "none of " + std::to_string(rows->size()) + " offers can be read",
                 .next_step = "report this: the offers changed their shape"});
  return offers;
}

}  // namespace vastgpu
