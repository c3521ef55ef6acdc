// Renting: PUT asks/{id} and POST asks/bulk.
#include <cmath>

#include "core/text.h"
#include "sandbox/shop.h"

namespace vastgpu::sandbox {
namespace {

Reply bad_args(const std::string& msg) { return refuse(400, "invalid_args", msg); }

Reply gateway_timeout() {
  return {.status = 504, .body = "<html><h1>504 Gateway Time-out</h1></html>", .content_type = "text/html"};
}

Reply no_such_ask(int status, std::int64_t ask) {
  const std::string id = std::to_string(ask);
  const json more = {{"ask_id", ask}};
  if (status == 410)
    return refuse(410, "no_such_ask", "error 410/3907: Offer " + id + " is no longer available.", more);
  return refuse(status, "invalid_args",
                "error 404/3603: no_such_ask  Instance type by id " + id + " is not available.", more);
}

/// What is wrong with the body; nullopt when it can be an order.
std::optional<Reply> check(const json& in, const Shop& shop) {
  const auto image = read_field<std::string>(in, "image");
  const auto hash = read_field<std::string>(in, "template_hash_id");
  if ((!image || image->empty()) && !hash && !read_integer(in, "template_id"))
    return bad_args("error 400/3467: Invalid args: image is required");
  if (image && image->size() > 1024) return bad_args("error 400/3467: Invalid args: image is too long");
  if (read_field<std::string>(in, "label").value_or("").size() > 256)
    return refuse(400, "label_too_long", "The label is longer than 256 characters.");
  const auto env = in.find("env");
  if (env != in.end() && !env->is_null() && !env->is_object())
    return bad_args("error 400/3467: Invalid args: env must be a dictionary");
  std::size_t script = read_field<std::string>(in, "onstart").value_or("").size();
  if (const auto args = in.find("args"); args != in.end() && args->is_array())
    for (const json& a : *args) script += a.is_string() ? a.get_ref<const std::string&>().size() + 1 : 1;
  if (script > 4096) return bad_args("error 400/3471: onstart and args are longer than 4096 characters");
  if (const auto price = in.find("price"); price != in.end() && !price->is_null()) {
    const auto dollars = read_number(in, "price");
    if (!dollars || *dollars < 0.001 || *dollars > 128)
      return refuse(400, "invalid_price", "The price must be between 0.001 and 128.");
  }
  if (read_field<bool>(in, "vm").value_or(false))
    return shop.account.ssh_keys.empty()
               ? refuse(400, "no_ssh_key_for_vm", "Add an SSH key to the account before renting a VM.")
               : bad_args("error 400/3467: Invalid args: this machine has no virtual machines");
  return std::nullopt;
}

Reply rent(Shop& shop, std::int64_t ask_id, const json& in) {
  World& world = shop.world;
  auto ask = world.rentable(ask_id);
  const Scope scope{{},
                    ask ? std::optional(world.boxes()[ask->box_index].machine_id) : std::nullopt,
                    "PUT /api/v0/asks/" + std::to_string(ask_id) + "/"};
  if (auto wrong = check(in, shop)) return *wrong;
  if (world.credit() <= 0 || shop.faults.fire("no-credit", scope))
    return refuse(400, "insufficient_credit", "Your account lacks credit; see the billing page.");
  if (ask) {
    if (const auto status = shop.faults.fire("offer-gone", scope)) {
      world.take_away(*ask);
      return no_such_ask(*status == "410" ? 410 : *status == "404" ? 404 : 400, ask_id);
    }
  }
  if (!ask) return no_such_ask(400, ask_id);
  if (shop.faults.fire("create-504-lost", scope)) return gateway_timeout();

  const Box& box = world.boxes()[ask->box_index];
  const double disk = read_number(in, "disk").value_or(10);
  const double room = box.disk_gb * ask->chunk.count / box.gpus;
  if (disk < 8) return bad_args("error 400/3467: Invalid args: disk must be at least 8");
  if (disk > room + 0.1) return bad_args("error 400/3467: Invalid args: disk is larger than the offer has");

  Order order;
  order.ask = *ask;
  order.ask_id = ask_id;
  order.label = read_field<std::string>(in, "label");
  order.template_hash = read_field<std::string>(in, "template_hash_id");
  order.image = read_field<std::string>(in, "image").value_or("vastai/base-image:cuda");
  order.runtype =
      read_field<std::string>(in, "runtype").value_or(order.template_hash ? "ssh_direc ssh_proxy" : "ssh");
  // The OpenAPI text spells it ssh_direct; both are taken, and this is how it is kept.
  if (const auto at = order.runtype.find("ssh_direct"); at != std::string::npos)
    order.runtype.replace(at, 10, "ssh_direc");
  order.onstart = read_field<std::string>(in, "onstart").value_or("");
  if (const auto args = in.find("args"); args != in.end() && args->is_array()) order.args = *args;
  if (const auto env = in.find("env"); env != in.end() && env->is_object()) order.env = *env;
  order.disk_gb = disk;
  order.bid = read_number(in, "price");
  const double floor = world.offer_row_of(*ask, disk, false).at("min_bid").get<double>();
  order.parked_at_once = (order.bid && *order.bid < floor - 1e-9) || shop.faults.fire("low-bid", scope) ||
                         read_field<std::string>(in, "target_state") == "stopped";
  const bool lost_bid = order.parked_at_once && read_field<std::string>(in, "target_state") != "stopped";

  const Contract& c = world.create(order, shop.account.ssh_keys);
  if (shop.faults.fire("create-504", scope)) return gateway_timeout();
  return answer_with({{"success", !lost_bid}, {"new_contract", c.id}, {"instance_api_key", c.api_key}});
}

Reply create(Shop& shop, const Call& call) { return rent(shop, call.id(), call.input); }

Reply create_many(Shop& shop, const Call& call) {
  const json ids = call.input.value("ids", json::array());
  if (!ids.is_array() || ids.empty()) return bad_args("error 400/3467: Invalid args: ids");
  json results = json::array();
  bool all = true;
  for (const json& id : ids) {
    if (!id.is_number_integer()) return bad_args("error 400/3467: Invalid args: ids");
    const Reply one = rent(shop, id.get<std::int64_t>(), call.input);
    json entry = parse_json(one.body, "reply").value_or(json::object());
    entry["ask_id"] = id;
    all = all && one.status == 200;
    results.push_back(entry);
  }
  return answer_with({{"success", all}, {"results", results}});
}

}  // namespace

void add_create_routes(std::vector<Route>& routes) {
  routes.push_back({"PUT", "/api/v0/asks/{}", create, true});
  routes.push_back({"POST", "/api/v0/asks/bulk", create_many, true});
}

}  // namespace vastgpu::sandbox
