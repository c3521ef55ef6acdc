#include <charconv>

#include "market/wire.h"
#include "market/wire_fields.h"

namespace vastgpu {
namespace {

/// A host name or address, nothing that a shell or a terminal could take for something else; else empty.
std::string host_of(const json& row, const char* name) {
  std::string host = line(row, name, 253);
  const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':';
  });
  return plain && !host.empty() && host[0] != '-' ? host : "";
}

std::optional<Endpoint> endpoint(std::string host, std::optional<std::int64_t> port) {
  if (host.empty() || !port || *port < 1 || *port > 65535) return std::nullopt;
  return Endpoint{std::move(host), static_cast<std::uint16_t>(*port)};
}

/// The port outside that leads to sshd: {"22/tcp":[{"HostIp":"0.0.0.0","HostPort":"40022"}]}, HostPort being
/// text.
std::optional<std::int64_t> mapped_ssh_port(const json& row) {
  const auto ports = row.find("ports");
  if (ports == row.end() || !ports->is_object()) return std::nullopt;
  const auto ssh = ports->find("22/tcp");
  if (ssh == ports->end() || !ssh->is_array() || ssh->empty()) return std::nullopt;
  return read_integer(ssh->front(), "HostPort");
}

std::optional<Endpoint> relay_of(const json& row) {
  auto port = read_integer(row, "ssh_port");
  const bool jupyter = line(row, "image_runtype").find("jupyter") != std::string::npos;
  if (port && jupyter) *port += 1;  // the vendor's own client adds it: jupyter takes the port itself
  return endpoint(host_of(row, "ssh_host"), port);
}

/// [["TZ","UTC"],["-p 8080:8080","1"]]
std::vector<std::pair<std::string, std::string>> env_of(const json& row) {
  constexpr std::size_t kMostPairs = 64;
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto list = row.find("extra_env");
  if (list == row.end() || !list->is_array()) return pairs;
  for (const json& pair : *list) {
    if (pairs.size() == kMostPairs) break;
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) continue;
    std::string name = clean_line(pair[0].get_ref<const std::string&>(), 64);
    if (name.empty() || name[0] == '-') continue;
    pairs.emplace_back(std::move(name), clean_line(pair[1].get_ref<const std::string&>(), 256));
  }
  return pairs;
}

/// What is paid while nothing runs. Only a stopped row tells it outright.
double storage_price_of(const json& row, const Instance& i) {
  if (i.cur_state == "stopped")
    if (const auto now = number_in(row, "instance", "totalHour"); now && *now >= 0) return *now;
  if (const auto total = amount_if_known(row, "storage_total_cost")) return *total;
  return amount(row, "storage_cost") * i.disk_space.value / (30 * 24);  // $ per GB and month of 30 days
}

}  // namespace

json rent_body(const RentRequest& r) {
  json env = json::object();
  for (const auto& [name, value] : r.env) env[name] = value;
  return {{"client_id", "me"},
          {"image", r.image},
          {"disk", r.disk},
          {"label", r.label},
          {"onstart", r.onstart.empty() ? json() : json(r.onstart)},
          {"price", r.bid ? json(*r.bid) : json()},  // null rents on demand
          {"env", std::move(env)},
          {"runtype", "ssh_direc ssh_proxy"},  // the vendor's spelling for "direct, and the relay too"
          {"cancel_unavail", true},  // without it, what cannot be scheduled stays: stopped, and billed
          {"force", false},
          {"python_utf8", false},
          {"lang_utf8", false},
          {"use_jupyter_lab", false}};
}

Result<Instance> read_instance(const json& row) {
  const auto id = read_integer(row, "id");
  if (!id || *id <= 0)
    return fail({.code = Code::corrupt,
                 .what = "an instance without an id is on the list, so what runs is unknown",
                 .next_step = "look at cloud.vast.ai, page Instances; report this if it stays"});
  Instance i;
  i.id = {*id};
  i.machine = {read_integer(row, "machine_id").value_or(0)};
  i.label = line(row, "label");
  i.actual_status = line(row, "actual_status", 40);
  i.intended_status = line(row, "intended_status", 40);
  i.cur_state = line(row, "cur_state", 40);
  i.status_msg = line(row, "status_msg", 600);
  i.image = line(row, "image_uuid");
  if (i.image.empty()) i.image = line(row, "image");
  i.gpu_name = line(row, "gpu_name", 80);
  i.num_gpus = count(row, "num_gpus", 1, 1024, 1);
  i.gpu_ram = {amount(row, "gpu_ram")};
  i.gpu_util = amount_if_known(row, "gpu_util");
  i.is_bid = flag(row, "is_bid");
  i.disk_space = {amount(row, "disk_space")};
  if (const auto used = amount_if_known(row, "disk_usage")) i.disk_used = Gigabytes{*used};
  i.storage_price = {storage_price_of(row, i)};
  i.price = {amount(row, "dph_total")};
  if (i.price.value == 0)
    if (const double base = amount(row, "dph_base"); base > 0) i.price = UsdPerHour{base} + i.storage_price;
  i.direct = endpoint(host_of(row, "public_ipaddr"), mapped_ssh_port(row));
  i.relay = relay_of(row);
  i.started = moment(row, "start_date");
  i.end_date = moment(row, "end_date");
  i.inet_up_cost = {amount(row, "inet_up_cost")};
  i.inet_down_cost = {amount(row, "inet_down_cost")};
  i.env = env_of(row);
  return i;
}

}  // namespace vastgpu
