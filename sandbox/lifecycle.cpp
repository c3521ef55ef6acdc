// How a contract moves: each event at its own moment, and what the owner may do to it.
#include <algorithm>
#include <cstdlib>

#include "core/text.h"
#include "sandbox/world.h"

namespace vastgpu::sandbox {
namespace {

/// "60:600" -> 60 and 600.
std::pair<double, double> after_and_back(const std::string& value) {
  const auto colon = value.find(':');
  const double after = std::atof(value.c_str());
  return {after, colon == std::string::npos ? 0 : std::atof(value.c_str() + colon + 1)};
}

std::string bad_host_words(const std::string& which) {
  if (which == "space") return "write /var/lib/docker/tmp/GetImageBlob: no space left on device\n";
  if (which == "cdi") return "failed to inject CDI devices: unresolvable CDI devices nvidia.com/gpu=0\n";
  if (which == "memory") return "fork/exec /usr/bin/dockerd: cannot allocate memory\n";
  return "Error response from daemon: failed to create task for container: OCI runtime create failed: "
         "runc create failed: unable to start container process\n";
}

std::string success_words(const Contract& c) {
  std::string image = c.image;
  std::ranges::replace(image, ':', '_');
  return "success, running " + image + (c.ssh_wanted ? "/ssh\n" : "\n");
}

}  // namespace

void World::at(const Contract& c, double when, Happens what) {
  events_.emplace(when, Event{c.id, c.generation, what});
}
void World::always_at(const Contract& c, double when, Happens what) {
  events_.emplace(when, Event{c.id, 0, what});
}

void World::happen(const Event& event) {
  const auto found = contracts_.find(event.contract);
  if (found == contracts_.end()) return;
  if (event.generation != 0 && event.generation != found->second.generation) return;
  happen_to(found->second, event.what);
}

void World::happen_to(Contract& c, Happens what) {
  switch (what) {
    case Happens::load:
      return load(c);
    case Happens::loaded:
      return loaded(c);
    case Happens::ports:
      c.ports_open = true;
      return;
    case Happens::ssh:
      room_.open_ssh(c.id);
      if (const auto* v = c.fault("key-lost")) at(c, now_ + std::atof(v->c_str()), Happens::keys_lost);
      return;
    case Happens::exited:
      return come_down(c);
    case Happens::gone:
      return vanish(c);
    case Happens::back_from_grave:
      return rise_again(c);
    case Happens::host_ends:
      return end_by_host(c);
    case Happens::forgotten:
      if (c.alive) vanish(c);
      return;
    case Happens::forgotten_unpaid:
      if (c.alive && credit_ <= 0) vanish(c);
      return;
    case Happens::intended_flips:
      c.intended = "stopped";
      return;
    case Happens::outbid:
      return lose_bid(c, after_and_back(c.faults["outbid"]).second);
    case Happens::outbid_over:
      c.outbid = false;
      return try_queued(c);
    case Happens::offline:
      return go_offline(c);
    case Happens::offline_over:
      return come_online(c);
    case Happens::keys_lost:
      c.keys_accepted = false;
      return set_keys(c);
    case Happens::start_again:
      return try_queued(c);
    case Happens::rebooted:
      return run(c);
  }
}

void World::load(Contract& c) {
  if (const auto* v = c.fault("bad-host")) {
    c.actual = "created";
    c.status_msg = bad_host_words(*v);
    return;
  }
  c.actual = "loading";
  c.intended = c.cur = "running";
  if (const auto* v = c.fault("bad-image")) {
    c.status_msg = "Error response from daemon: manifest for " + c.image + " not found: manifest unknown\n";
    return at(c, c.created + std::atof(v->c_str()), Happens::intended_flips);
  }
  c.loading_from = now_;
  const Box& box = boxes_[c.box];
  double whole = box.boot_seconds(options_.timing.boot) - options_.timing.load;
  if (const auto* v = c.fault("slow-boot")) whole *= std::max(0.01, std::atof(v->c_str()));
  c.loading_until = now_ + whole;
  if (const auto* v = c.fault("never-boots")) {
    if (const double flip = std::atof(v->c_str()); flip > 0) at(c, c.created + flip, Happens::intended_flips);
    return;
  }
  at(c, c.loading_until, Happens::loaded);
}

void World::loaded(Contract& c) {
  if (!c.pulled) {
    c.pulled = true;
    charge_traffic_of(c, image_gigabytes(c.image), 0);
    if (c.actual == "exited") return;  // that took the last of the credit
  }
  if (!c.fault("parked")) return run(c);
  c.faults.erase("parked");
  c.actual = "created";
  c.intended = c.cur = "stopped";
  c.holds_gpus = false;
  c.status_msg = success_words(c);
}

void World::run(Contract& c) {
  const Timing& t = options_.timing;
  c.actual = "running";
  c.running_since = now_;
  c.status_msg = success_words(c);
  room_.start(c.id);
  if (c.direct) at(c, now_ + t.ports, Happens::ports);
  if (c.ssh_wanted) at(c, now_ + t.ssh, Happens::ssh);
  if (const auto* v = c.fault("outbid")) at(c, now_ + after_and_back(*v).first, Happens::outbid);
  if (const auto* v = c.fault("offline")) at(c, now_ + after_and_back(*v).first, Happens::offline);
}

/// The container ends; what the owner intends is not touched.
void World::come_down(Contract& c) {
  c.actual = "exited";
  c.cur = "stopped";
  c.ports_open = false;
  c.holds_gpus = false;
  c.running_since = 0;
  room_.stop(c.id);
}

void World::end_by_host(Contract& c) {
  if (!c.alive || c.destroying || now_ + 0.001 < c.end_date) return;
  ++c.generation;
  c.intended = "stopped";
  c.queued = false;
  come_down(c);
  c.status_msg = "stopped: the contract reached its end date";
  always_at(c, now_ + options_.timing.kept_after_end, Happens::forgotten);
}

void World::vanish(Contract& c) {
  ++c.generation;
  c.alive = false;
  c.gone_at = now_;
  c.holds_gpus = false;
  c.cur = "unloaded";
  room_.remove(c.id);
  const Scope scope{c.id, boxes_[c.box].machine_id, ""};
  if (!c.destroying) return;
  if (const auto v = faults_.fire("destroy-resurrects", scope))
    at(c, now_ + std::atof(v->c_str()), Happens::back_from_grave);
}

void World::rise_again(Contract& c) {
  c.alive = true;
  c.destroying = false;
  c.actual = "exited";
  c.intended = c.cur = "stopped";
  prepare_machine(c);
}

void World::go_offline(Contract& c) {
  if (c.actual == "offline" || !c.actual) return;
  const double back = after_and_back(c.faults["offline"]).second;
  c.faults.erase("offline");
  c.before_offline = *c.actual;
  c.actual = "offline";
  room_.stop(c.id);
  if (back > 0) at(c, now_ + back, Happens::offline_over);
}

void World::come_online(Contract& c) {
  if (c.actual != "offline") return;
  c.actual = c.before_offline;
  if (c.actual != "running") return;
  room_.start(c.id);
  if (c.ssh_wanted) at(c, now_ + options_.timing.ssh, Happens::ssh);
}

void World::lose_bid(Contract& c, double back_after, double to_beat) {
  c.faults.erase("outbid");
  ++c.generation;
  come_down(c);
  c.outbid = true;
  c.queued = true;
  c.intended = "running";
  c.bid_to_beat = to_beat > 0 ? to_beat : c.gpu_rate * 1.1;
  c.status_msg = "outbid: waiting for the price to fall\n";
  if (back_after > 0) at(c, now_ + back_after, Happens::outbid_over);
}

void World::begin_restart(Contract& c) {
  ++c.generation;
  c.queued = false;
  c.outbid = false;
  c.holds_gpus = true;
  c.intended = c.cur = "running";
  if (c.bid_to_beat > 0) {  // somebody else ran there meanwhile: the old port may be theirs
    c.bid_to_beat = 0;
    c.ssh_port = 40000 + machines_made_++ % 20000;
    room_.move_ssh(c.id, static_cast<std::uint16_t>(c.ssh_port));
  }
  if (!c.pulled) return load(c);
  c.actual = "loading";
  c.loading_from = now_;
  c.loading_until = now_ + options_.timing.restart;
  at(c, c.loading_until, Happens::loaded);
}

void World::try_queued(Contract& c) {
  if (!c.queued || c.outbid || c.destroying || broke_) return;
  if (gpus_free(c)) return begin_restart(c);
  at(c, now_ + options_.timing.retry_start, Happens::start_again);
}

StartAnswer World::start(Contract& c) {
  if (credit_ <= 0) return StartAnswer::no_credit;
  const bool up = c.holds_gpus && c.intended == "running" && c.actual != "exited";
  if (up || c.destroying) return StartAnswer::started;
  c.intended = "running";
  const double floor = read_number(c.offer, "min_bid").value_or(0);
  if (c.outbid || (c.bid && *c.bid < floor)) {
    c.queued = true;
    return StartAnswer::queued;
  }
  if (const auto v = faults_.fire("start-refused", {c.id, boxes_[c.box].machine_id, ""})) {
    c.queued = true;
    ++c.generation;
    if (const double wait = std::atof(v->c_str()); wait > 0) at(c, now_ + wait, Happens::start_again);
    return StartAnswer::queued;
  }
  // A stop that is still under way ends now; its own GPUs do not stand in its way.
  if (c.actual != "exited" && c.actual != "created") come_down(c);
  c.holds_gpus = false;
  c.queued = true;
  ++c.generation;
  try_queued(c);
  return c.queued ? StartAnswer::queued : StartAnswer::started;
}

void World::stop(Contract& c) {
  if (c.destroying) return;
  c.intended = "stopped";
  c.queued = false;
  if (c.actual == "exited" || (c.actual == "created" && !c.holds_gpus)) return;
  ++c.generation;
  at(c, now_ + options_.timing.stop, Happens::exited);
}

void World::destroy(Contract& c) {
  if (c.destroying) return;
  const auto lag = faults_.fire("destroy-lag", {c.id, boxes_[c.box].machine_id, ""});
  ++c.generation;
  c.destroying = true;
  c.queued = false;
  c.intended = "stopped";
  c.cur = "unloaded";
  room_.stop(c.id);
  at(c, now_ + (lag ? std::atof(lag->c_str()) : options_.timing.destroy), Happens::gone);
}

void World::reboot(Contract& c) {
  if (c.actual != "running" || c.destroying) return;
  ++c.generation;
  c.actual = "rebooting";
  c.ports_open = false;
  room_.stop(c.id);
  at(c, now_ + options_.timing.restart, Happens::rebooted);
}

void World::recycle(Contract& c) {
  if (c.actual != "running" || c.destroying) return;
  ++c.generation;
  c.actual = "recycling";
  c.ports_open = false;
  c.counted_bytes = 0;
  prepare_machine(c);
  at(c, now_ + options_.timing.restart, Happens::rebooted);
}

void World::change_bid(Contract& c, double price) {
  c.bid = price;
  c.gpu_rate = price;
  const double floor = std::max(c.bid_to_beat, read_number(c.offer, "min_bid").value_or(0));
  if (c.intended != "running" || c.actual != "exited" || price < floor) return;
  c.outbid = false;
  c.queued = true;
  try_queued(c);
}

void World::set_keys(Contract& c) { room_.set_keys(c.id, c.key_texts()); }

void World::apply_fault_now(Contract& c, const std::string& name, const std::string& value) {
  c.faults[name] = value;
  if (name == "outbid") return lose_bid(c, after_and_back(value).second);
  if (name == "offline") return go_offline(c);
  if (name == "clock-skew") room_.set_clock_skew(c.id, std::atof(value.c_str()));
  if (name == "not-visible") c.visible_at = now_ + std::atof(value.c_str());
  if (name == "proxy-only") c.direct = c.ports_open = false;
  if (name == "ssh-denied" || name == "key-lost") {
    c.keys_accepted = false;
    set_keys(c);
  }
  if (name == "end-date-soon") {
    c.end_date = now_ + std::atof(value.c_str());
    always_at(c, c.end_date, Happens::host_ends);
  }
  if (name == "repricing") c.pending_gpu_rate = c.gpu_rate * std::atof(value.c_str());
}

}  // namespace vastgpu::sandbox
