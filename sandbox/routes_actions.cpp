// Acting on instances: state, label, destroy, reboot, recycle, bids, price increases.
#include "core/text.h"
#include "sandbox/shop.h"

namespace vastgpu::sandbox {
namespace {

Reply set_state(Shop& shop, Contract& c, const std::string& state) {
  if (state == "stopped") {
    shop.world.stop(c);
    return success();
  }
  if (state != "running") return refuse(400, "invalid_args", "error 400/3467: Invalid args: state");
  const StartAnswer answer =
      shop.faults.fire("no-credit", {c.id, {}, ""}) ? StartAnswer::no_credit : shop.world.start(c);
  switch (answer) {
    case StartAnswer::started:
      return success();
    case StartAnswer::queued:
      return {.status = 200,
              .body = dump({{"success", false},
                            {"error", "resources_unavailable"},
                            {"msg", "Required resources are currently unavailable, state change queued."}})};
    case StartAnswer::no_credit:
      break;
  }
  return refuse(400, "insufficient_credit", "Your account lacks credit; see the billing page.");
}

Reply change(Shop& shop, const Call& call) {
  Contract* c = shop.world.find(call.id());
  if (!c) return no_such_instance(call.id());
  const auto state = read_field<std::string>(call.input, "state");
  const auto label = read_field<std::string>(call.input, "label");
  if (call.own_instance && !state) return refuse(403, "forbidden", "this key may not change the label");
  if (label) {
    if (label->size() > 256) return refuse(400, "label_too_long", "The label is longer than 256 characters.");
    c->label = *label;
  }
  if (state) return set_state(shop, *c, *state);
  return label ? success() : refuse(400, "invalid_args", "error 400/3467: Invalid args: nothing to change");
}

Reply change_many(Shop& shop, const Call& call) {
  const json ids = call.input.value("ids", json::array());
  if (!ids.is_array() || ids.empty()) return refuse(400, "invalid_args", "error 400/3467: Invalid args: ids");
  const auto state = read_field<std::string>(call.input, "state");
  const auto label = read_field<std::string>(call.input, "label");
  if (!state && !label) return refuse(400, "invalid_args", "error 400/3467: Invalid args: nothing to change");
  Reply last = success();
  for (const json& id : ids) {
    Contract* c = id.is_number_integer() ? shop.world.find(id.get<std::int64_t>()) : nullptr;
    if (!c) return no_such_instance(id.is_number_integer() ? id.get<std::int64_t>() : 0);
    if (label) c->label = label->substr(0, 256);
    if (!state) continue;
    Reply one = set_state(shop, *c, *state);
    if (one.body != success().body) last = std::move(one);
  }
  return last;
}

Reply destroy(Shop& shop, const Call& call) {
  Contract* c = shop.world.find(call.id());
  if (!c) return no_such_instance(call.id());
  shop.world.destroy(*c);
  return success();
}

Reply destroy_many(Shop& shop, const Call& call) {
  const json ids = call.input.value("instance_ids", json::array());
  if (!ids.is_array() || ids.empty())
    return refuse(400, "invalid_args", "error 400/3467: Invalid args: instance_ids");
  for (const json& id : ids)
    if (id.is_number_integer())
      if (Contract* c = shop.world.find(id.get<std::int64_t>())) shop.world.destroy(*c);
  return success();
}

Reply reboot(Shop& shop, const Call& call) {
  Contract* c = shop.world.find(call.id());
  if (!c) return no_such_instance(call.id());
  shop.world.reboot(*c);
  return success();
}

Reply recycle(Shop& shop, const Call& call) {
  Contract* c = shop.world.find(call.id());
  if (!c) return no_such_instance(call.id());
  shop.world.recycle(*c);
  return success();
}

Reply bid_price(Shop& shop, const Call& call) {
  Contract* c = shop.world.find(call.id());
  if (!c) return no_such_instance(call.id());
  const double floor = read_number(c->offer, "min_bid").value_or(0.01);
  const bool choose_for_me = !call.input.contains("price") || call.input["price"].is_null();
  const double price = choose_for_me ? floor * 1.05 : read_number(call.input, "price").value_or(0);
  if (price < 0.001) return refuse(400, "invalid_price", "Please set a bid price >= 0.001.");
  if (price > 32.0 * c->chunk.count)
    return refuse(400, "invalid_price", "Please set a bid price of at most 32 for each GPU.");
  if (!c->bid)
    return refuse(400, "invalid_args", "error 400/3467: Invalid args: this instance is not interruptible");
  shop.world.change_bid(*c, price);
  return success();
}

Reply balance(Shop& shop, const Call& call) {
  if (!shop.world.find(call.id())) return no_such_instance(call.id());
  return answer_with(
      {{"success", true}, {"refundable_deposit", 0}, {"total_discount", 0}, {"discount_months", 0}});
}

Reply price_increases(Shop& shop, const Call&) {
  json out = json::array();
  for (const auto& [id, c] : shop.world.contracts()) {
    if (!c.alive || c.pending_gpu_rate <= 0) continue;
    const double old_rate = read_number(c.offer, "dph_base").value_or(c.gpu_rate);
    out.push_back({{"pending_price_increase_id", id},
                   {"contract_id", id},
                   {"host_id", shop.world.boxes()[c.box].host_id},
                   {"new_gpu_costpersec", c.pending_gpu_rate / 3600},
                   {"old_gpu_costpersec", old_rate / 3600},
                   {"new_disk_ram_costpersec", nullptr},
                   {"old_disk_ram_costpersec", nullptr},
                   {"contract_end_date", c.end_date},
                   {"ask_end_date", c.end_date},
                   {"created_at", c.created}});
  }
  if (out.empty()) return refuse(404, "no_pending_price_increase", "There is no pending price increase.");
  return answer_with(
      {{"success", true}, {"count", out.size()}, {"truncated", false}, {"pending_price_increases", out}});
}

Reply settle_increase(Shop& shop, const Call& call, bool accept) {
  const auto id = read_integer(call.input, "pending_price_increase_id");
  if (!id || call.input.size() != 1)
    return refuse(400, "invalid_args", "pending_price_increase_id is the only key");
  Contract* c = shop.world.find(*id);
  if (!c || c->pending_gpu_rate <= 0)
    return refuse(404, "no_pending_price_increase", "There is no pending price increase.");
  if (accept) c->gpu_rate = c->pending_gpu_rate;
  c->pending_gpu_rate = 0;
  return success();
}

Reply accept_increase(Shop& shop, const Call& call) { return settle_increase(shop, call, true); }
Reply reject_increase(Shop& shop, const Call& call) { return settle_increase(shop, call, false); }

}  // namespace

void add_action_routes(std::vector<Route>& routes) {
  routes.push_back({"PUT", "/api/v0/instances/accept-price-increase", accept_increase, true});
  routes.push_back({"PUT", "/api/v0/instances/reject-price-increase", reject_increase});
  routes.push_back({"GET", "/api/v0/instances/pending-price-increases", price_increases});
  routes.push_back({"PUT", "/api/v0/instances/reboot/{}", reboot});
  routes.push_back({"PUT", "/api/v0/instances/recycle/{}", recycle});
  routes.push_back({"PUT", "/api/v0/instances/bid_price/{}", bid_price, true});
  routes.push_back({"GET", "/api/v0/instances/balance/{}", balance});
  routes.push_back({"PUT", "/api/v0/instances/{}", change, false, true});
  routes.push_back({"PUT", "/api/v0/instances", change_many});
  routes.push_back({"DELETE", "/api/v0/instances/{}", destroy, false, true});
  routes.push_back({"DELETE", "/api/v0/instances", destroy_many});
}

}  // namespace vastgpu::sandbox
