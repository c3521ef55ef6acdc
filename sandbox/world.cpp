#include "sandbox/world.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "sandbox/rows.h"

namespace vastgpu::sandbox {
namespace {

/// "pytorch/pytorch:2.4.0-cuda12.4" -> "2.4.0".
std::string torch_of(const std::string& image) {
  const auto colon = image.rfind(':');
  if (image.find("pytorch") == std::string::npos || colon == std::string::npos) return "2.1.0";
  const std::string tag = image.substr(colon + 1);
  const std::string version = tag.substr(0, tag.find('-'));
  const bool looks_right = !version.empty() && version.find('.') != std::string::npos &&
                           version.find_first_not_of("0123456789.") == std::string::npos;
  return looks_right ? version : "2.1.0";
}

}  // namespace

World::World(const WorldOptions& options, double now, Room& room, Faults& faults)
    : options_(options),
      room_(room),
      faults_(faults),
      origin_(now),
      now_(now),
      credit_(options.credit),
      boxes_(make_boxes(options.seed, options.offers, now)) {}

void World::advance(double now) {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  for (;;) {
    const double next = events_.empty() ? kNever : events_.begin()->first;
    const double burn = burn_per_second();
    const double empty = !broke_ && burn > 0 ? now_ + std::max(0.0, credit_) / burn : kNever;
    if (std::min(next, empty) > now) break;
    charge_until(std::min(next, empty));
    if (empty <= next) {
      run_out_of_credit();
      continue;
    }
    const Event event = events_.begin()->second;
    events_.erase(events_.begin());
    happen(event);
  }
  charge_until(now);
}

void World::charge_until(double when) {
  if (when <= now_) return;
  for (auto& [id, c] : contracts_) credit_ -= charge_time(c, now_, when);
  now_ = when;
}

double World::burn_per_second() const {
  double sum = 0;
  for (const auto& [id, c] : contracts_) sum += c.dollars_per_second();
  return sum;
}

void World::set_credit(double dollars) {
  credit_ = dollars;
  broke_ = false;
  if (credit_ <= 0) run_out_of_credit();
}

void World::run_out_of_credit() {
  broke_ = true;
  credit_ = std::min(credit_, 0.0);
  for (auto& [id, c] : contracts_) {
    if (!c.alive || c.destroying) continue;
    ++c.generation;
    c.queued = false;
    c.intended = "stopped";
    if (c.actual != "exited") come_down(c);
    c.status_msg = "stopped: the account has no credit left";
    always_at(c, now_ + options_.timing.kept_after_end, Happens::forgotten_unpaid);
  }
}

std::vector<Chunk> World::rented_chunks(std::size_t box) const {
  std::vector<Chunk> out;
  for (const auto& [id, c] : contracts_)
    if (c.alive && c.holds_gpus && c.box == box) out.push_back(c.chunk);
  for (const auto& [index, chunk] : foreign_)
    if (index == box) out.push_back(chunk);
  return out;
}

bool World::gpus_free(const Contract& c) const {
  const auto rented = rented_chunks(c.box);
  return boxes_[c.box].end_date(now_) &&
         std::ranges::none_of(rented, [&](const Chunk& r) { return r.overlaps(c.chunk); });
}

std::vector<json> World::offer_rows(double storage_gb, bool bids) const {
  std::vector<json> rows;
  for (std::size_t i = 0; i < boxes_.size(); ++i) {
    const Box& box = boxes_[i];
    if (!box.end_date(now_)) continue;
    for (const Chunk& chunk : free_chunks(box, rented_chunks(i)))
      rows.push_back(offer_row_of({i, chunk}, storage_gb, bids));
  }
  return rows;
}

json World::offer_row_of(const Ask& ask, double storage_gb, bool bid) const {
  const Box& box = boxes_[ask.box_index];
  double to_beat = 0;  // somebody pays this much already
  for (const auto& [id, c] : contracts_)
    if (c.alive && c.outbid && c.box == ask.box_index && c.chunk.overlaps(ask.chunk))
      to_beat = std::max(to_beat, c.bid_to_beat);
  return offer_row(box, ask.chunk, ask_id(box, ask.box_index, ask.chunk, now_ - origin_), now_, storage_gb,
                   bid, to_beat);
}

std::optional<Ask> World::rentable(std::int64_t id) const {
  const auto ask = find_ask(boxes_, id, now_ - origin_);
  if (!ask) return std::nullopt;
  const Box& box = boxes_[ask->box_index];
  if (box.taken || !box.end_date(now_)) return std::nullopt;
  const auto rented = rented_chunks(ask->box_index);
  if (std::ranges::any_of(rented, [&](const Chunk& r) { return r.overlaps(ask->chunk); }))
    return std::nullopt;
  return ask;
}

void World::take_faults(Contract& c) {
  const Scope scope{{}, boxes_[c.box].machine_id, ""};
  for (const FaultInfo& f : known_faults()) {
    if (f.kind != FaultKind::instance) continue;
    if (auto value = faults_.fire(f.name, scope)) c.faults.emplace(f.name, *value);
  }
}

Contract& World::create(const Order& order, const std::vector<SshKey>& account_keys) {
  const Box& box = boxes_[order.ask.box_index];
  const std::int64_t id = next_contract_;
  next_contract_ += 3;
  Contract& c = contracts_[id];
  c.id = id;
  c.ask = order.ask_id;
  c.box = order.ask.box_index;
  c.chunk = order.ask.chunk;
  c.offer = offer_row_of(order.ask, order.disk_gb, false);
  c.label = order.label;
  c.template_hash = order.template_hash;
  c.image = order.image;
  c.runtype = order.runtype;
  c.onstart = order.onstart;
  c.args = order.args;
  c.env = order.env;
  c.disk_gb = order.disk_gb;
  c.bid = order.bid;
  c.api_key = random_hex(32);
  c.jupyter_token = random_hex(32);
  c.keys = account_keys;
  c.created = now_;
  c.visible_at = now_ + options_.timing.listed;
  c.end_date = box.end_date(now_).value_or(now_ + 86400);
  c.generation = 1;
  take_faults(c);
  if (c.fault("full-price")) c.bid.reset();
  c.ssh_wanted = c.runtype.empty() || c.runtype.find("ssh") != std::string::npos;
  c.direct = box.direct_ports > 0 && c.runtype.find("ssh_direc") != std::string::npos;
  c.gpu_rate = c.bid.value_or(box.gpu_price * c.chunk.count);
  c.storage_rate = box.storage_cost * c.disk_gb / 720;
  const int n = machines_made_++;
  c.listen_address = text("127.", options_.net / 256 % 256, ".", options_.net % 256, ".", n % 254 + 1);
  c.ssh_port = 40000 + n % 20000;
  if (const auto* v = c.fault("not-visible")) c.visible_at = now_ + std::atof(v->c_str());
  if (const auto* v = c.fault("end-date-soon")) c.end_date = now_ + std::atof(v->c_str());
  if (const auto* v = c.fault("repricing")) {
    c.pending_gpu_rate = c.gpu_rate * std::atof(v->c_str());
    c.gpu_rate = c.pending_gpu_rate;
  }
  if (c.fault("ssh-denied")) c.keys_accepted = false;
  if (c.fault("proxy-only")) c.direct = false;
  always_at(c, c.end_date, Happens::host_ends);
  prepare_machine(c);
  if (order.parked_at_once) {
    c.actual = "exited";
    c.intended = c.cur = "stopped";
    c.holds_gpus = false;
  } else {
    at(c, now_ + options_.timing.load, Happens::load);
  }
  return c;
}

void World::prepare_machine(Contract& c) {
  const Box& box = boxes_[c.box];
  MachineSpec spec;
  spec.id = c.id;
  spec.gpu_name = box.card->driver_name;
  if (const auto* v = c.fault("wrong-gpu")) spec.gpu_name = *v;
  spec.num_gpus = c.chunk.count;
  spec.gpu_ram_mib = box.card->ram_mib;
  spec.driver_version = box.driver;
  spec.cuda_version = fixed(box.cuda, 1);
  spec.torch_version = torch_of(c.image);
  spec.disk_gb = c.disk_gb;
  spec.listen_address = c.listen_address;
  spec.ssh_port = static_cast<std::uint16_t>(c.ssh_port);
  spec.onstart = c.onstart;
  spec.authorized_keys = c.key_texts();
  spec.clock_speed = options_.clock_speed;
  spec.clock_origin = origin_;
  if (const auto* v = c.fault("clock-skew")) spec.clock_skew_seconds = std::atof(v->c_str());
  spec.no_curl = c.fault("no-curl") != nullptr;
  spec.intruder = c.fault("intruder") != nullptr;
  std::vector<std::string> all_keys;
  for (const SshKey& k : c.keys) all_keys.push_back(k.text);
  spec.env = {{"CONTAINER_ID", std::to_string(c.id)},
              {"CONTAINER_API_KEY", c.api_key},
              {"VAST_CONTAINERLABEL", "C." + std::to_string(c.id)},
              {"PUBLIC_IPADDR", c.listen_address},
              {"SSH_PUBLIC_KEY", join(all_keys, "\n")},
              {"GPU_COUNT", std::to_string(c.chunk.count)},
              {"DATA_DIRECTORY", "/workspace"},
              {"JUPYTER_TOKEN", c.jupyter_token}};
  if (c.fault("no-container-key")) spec.env.erase("CONTAINER_API_KEY");
  if (c.direct) spec.env["VAST_TCP_PORT_22"] = std::to_string(c.ssh_port);
  for (const auto& [name, value] : c.env.items())
    if (!name.starts_with("-") && value.is_string()) spec.env[name] = value.get<std::string>();
  const SshMood mood = c.fault("ssh-refused")     ? SshMood::refuses
                       : c.fault("ssh-no-banner") ? SshMood::silent
                                                  : SshMood::answers;
  room_.prepare(std::move(spec), mood);
}

Contract* World::find(std::int64_t id) {
  const auto found = contracts_.find(id);
  return found == contracts_.end() || !found->second.alive ? nullptr : &found->second;
}

Contract* World::find_by_key(const std::string& api_key) {
  for (auto& [id, c] : contracts_)
    if (c.alive && c.api_key == api_key) return &c;
  return nullptr;
}

void World::charge_traffic_of(Contract& c, double down_gb, double up_gb) {
  credit_ -= charge_traffic(c, now_, down_gb, up_gb);
  if (credit_ <= 0 && !broke_) run_out_of_credit();
}

void World::count_traffic() {
  for (auto& [id, c] : contracts_) {
    if (!c.alive || c.actual != "running") continue;
    const std::uint64_t used = room_.disk_used(id);
    if (used > c.counted_bytes && c.counted_bytes > 0)
      charge_traffic_of(c, static_cast<double>(used - c.counted_bytes) / 1e9, 0);
    c.counted_bytes = std::max(c.counted_bytes, used);
  }
}

void World::notice_trouble() {
  for (auto& [id, c] : contracts_) {
    if (!c.alive || c.destroying || c.actual == "created") continue;
    const std::string why = room_.trouble(id);
    if (why.empty()) continue;
    ++c.generation;
    come_down(c);
    c.actual = "created";
    c.status_msg = "Error response from daemon: OCI runtime create failed: " + clean_line(why);
  }
}

}  // namespace vastgpu::sandbox
