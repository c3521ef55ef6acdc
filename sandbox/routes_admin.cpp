// Routes that only the sandbox has: faults, and the truth for tests.
#include <algorithm>
#include <cstdlib>

#include "core/text.h"
#include "sandbox/shop.h"

namespace vastgpu::sandbox {
namespace {

Reply list_faults(Shop& shop, const Call&) { return answer_with(shop.faults.list()); }

Reply add_fault(Shop& shop, const Call& call) {
  const auto read = Faults::read(call.input);
  if (!read) return refuse(400, "invalid_args", read.error().what + "; " + read.error().next_step);
  const std::string name(read->info->name);
  if (read->info->kind == FaultKind::instance && read->instance) {
    Contract* c = shop.world.find(*read->instance);
    if (!c) return no_such_instance(*read->instance);
    shop.world.apply_fault_now(*c, name, read->value);
  } else if (name == "credit-out") {
    shop.world.set_credit(std::atof(read->value.c_str()));
  } else {
    shop.faults.keep(*read);
  }
  return answer_with({{"success", true}, {"name", name}, {"value", read->value}});
}

Reply remove_fault(Shop& shop, const Call& call) {
  return shop.faults.remove(call.word) ? success()
                                       : refuse(404, "not_found", "this fault is not switched on");
}

Reply state(Shop& shop, const Call&) {
  json contracts = json::array();
  std::int64_t live = 0, billing = 0;
  DayUsage all;
  for (const auto& [id, c] : shop.world.contracts()) {
    const DayUsage sum = c.total();
    const bool bills = c.dollars_per_second() > 0;
    live += c.alive;
    billing += bills;
    all.gpu += sum.gpu;
    all.disk += sum.disk;
    all.down += sum.down;
    all.up += sum.up;
    contracts.push_back({{"id", id},
                         {"label", c.label ? json(*c.label) : json()},
                         {"ask_id", c.ask},
                         {"machine_id", shop.world.boxes()[c.box].machine_id},
                         {"alive", c.alive},
                         {"bills", bills},
                         {"dollars_per_hour", c.dollars_per_second() * 3600},
                         {"actual_status", c.actual ? json(*c.actual) : json()},
                         {"intended_status", c.intended},
                         {"created", c.created},
                         {"gone_at", c.alive ? json() : json(c.gone_at)},
                         {"listen_address", c.listen_address},
                         {"ssh_port", c.ssh_port},
                         {"gpu_seconds", sum.gpu_seconds},
                         {"disk_seconds", sum.disk_seconds},
                         {"billed",
                          {{"gpu", sum.gpu},
                           {"disk", sum.disk},
                           {"down", sum.down},
                           {"up", sum.up},
                           {"total", sum.total()}}}});
  }
  return answer_with({{"now", shop.world.now()},
                      {"origin", shop.world.origin()},
                      {"credit", shop.world.credit()},
                      {"live_contracts", live},
                      {"billing_contracts", billing},
                      {"billed_total", all.total()},
                      {"contracts", contracts},
                      {"machines_running", shop.room.running()},
                      {"requests", shop.requests},
                      {"reports", shop.account.reports},
                      {"faults", shop.faults.list()["active"]}});
}

Reply outbid(Shop& shop, const Call& call) {
  const auto id = read_integer(call.input, "instance").value_or(0);
  Contract* c = shop.world.find(id);
  if (!c) return no_such_instance(id);
  shop.world.lose_bid(*c, read_number(call.input, "seconds").value_or(600),
                      read_number(call.input, "floor").value_or(0));
  return success();
}

/// Small pushes: the status words as a host would report them, traffic, the end date.
Reply push(Shop& shop, const Call& call) {
  Contract* c = shop.world.find(call.id());
  if (!c) return no_such_instance(call.id());
  const json& in = call.input;
  if (const auto word = read_field<std::string>(in, "actual_status")) c->actual = *word;
  if (const auto word = read_field<std::string>(in, "intended_status")) c->intended = *word;
  if (const auto words = read_field<std::string>(in, "status_msg")) c->status_msg = *words;
  const double down = read_number(in, "downloaded_gb").value_or(0);
  const double up = read_number(in, "uploaded_gb").value_or(0);
  if (down > 0 || up > 0) shop.world.charge_traffic_of(*c, std::max(0.0, down), std::max(0.0, up));
  return success();
}

Reply set_credit(Shop& shop, const Call& call) {
  const auto dollars = read_number(call.input, "credit");
  if (!dollars) return refuse(400, "invalid_args", "credit: dollars");
  shop.world.set_credit(*dollars);
  return success();
}

}  // namespace

void add_admin_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/admin/faults", list_faults});
  routes.push_back({"POST", "/admin/faults", add_fault});
  routes.push_back({"DELETE", "/admin/faults/{word}", remove_fault});
  routes.push_back({"GET", "/admin/state", state});
  routes.push_back({"POST", "/admin/outbid", outbid});
  routes.push_back({"POST", "/admin/instance/{}", push});
  routes.push_back({"POST", "/admin/credit", set_credit});
}

}  // namespace vastgpu::sandbox
