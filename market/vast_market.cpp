// Offers and instances. Keys, logs and money are in vast_account.cpp.
#include "market/vast_market.h"

#include <cmath>
#include <unordered_set>

#include "core/log.h"
#include "core/text.h"
#include "market/offer_page.h"
#include "market/vast_pages.h"
#include "market/wire.h"

namespace vastgpu {
namespace {

std::string instance_path(InstanceId id) { return "/api/v0/instances/" + to_string(id) + "/"; }

Error bad_request(const std::string& what, const std::string& next_step) {
  return {.code = Code::invalid_argument, .what = what, .next_step = next_step};
}

/// What the marketplace would refuse anyway, or worse, would not.
Result<void> check(const RentRequest& r) {
  if (r.offer.value <= 0)
    return fail(bad_request("an offer id is a positive number", "call provision and use its ids"));
  if (r.image.empty() || r.image.size() > 1024)
    return fail(bad_request("the image name must have 1 to 1024 characters",
                            "name an image such as pytorch/pytorch"));
  if (!std::isfinite(r.disk.value) || r.disk.value < 8)
    return fail(bad_request("the disk must have at least 8 GB", "ask for more disk; it cannot grow later"));
  if (r.label.empty() || r.label.size() > 256)
    return fail(bad_request("the label must have 1 to 256 characters", "use a shorter label"));
  if (r.onstart.size() > 4048)
    return fail(bad_request("the start script is longer than 4048 bytes", "let it fetch its longer part"));
  if (r.bid && !(r.bid->value >= 0.001 && r.bid->value <= 128))
    return fail(
        bad_request("a bid must lie between $0.001 and $128 an hour", "bid at least the offer's min_bid"));
  return {};
}

/// A create whose answer settles nothing.
Error lost(const std::string& said) {
  return {
      .code = Code::unavailable,
      .what = "whether the machine was rented is unknown (" + said + ")",
      .next_step = "call list: the rental shows up under its label if it exists; do not rent again before",
      .effect = Effect::unknown};
}

}  // namespace

VastMarket::VastMarket(VastMarketOptions options, Clock& clock)
    : options_(std::move(options)),
      api_({options_.base_url, options_.api_key, options_.ca_file, options_.connect_timeout}, clock) {}

ApiCall VastMarket::call(std::string method, std::string path) const {
  ApiCall c;
  c.method = std::move(method);
  c.path = std::move(path);
  c.timeout = options_.answer_timeout;
  return c;
}

Result<void> VastMarket::change(std::string method, std::string path, json body, Route route,
                                const std::stop_token& stop) {
  ApiCall c = call(std::move(method), std::move(path));
  c.body = std::move(body);
  c.route = route;
  c.changes = true;
  auto done = api_.ask(c, stop);
  if (!done) return fail(std::move(done).error());
  return {};
}

Result<std::vector<Offer>> VastMarket::search(const OfferQuery& query, std::stop_token stop) {
  ApiCall c = call("POST", "/api/v0/bundles/");
  c.body = search_body(query);
  c.max_answer = 128'000'000;  // everything on offer at once is about 70 MB
  for (bool again = false;; again = true) {
    auto answer = api_.send(c, stop);
    if (!answer) return fail(std::move(answer).error());
    if (answer->status < 200 || answer->status > 299) return fail(api_.refusal(*answer, false));
    auto page = read_offer_page(answer->body);
    if (page && page->refused) return fail(api_.refusal(*answer, false));
    if (page) {
      if (query.kind ==
          RentalKind::interruptible)  // their prices are bids, whatever the rows say of themselves
        for (Offer& o : page->offers) o.is_bid = true;
      return std::move(page->offers);
    }
    if (again) return fail(std::move(page).error());
    log_fact("search answer unreadable, asking again");  // cut short on its way, or half written
  }
}

Result<RentAnswer> VastMarket::rent(const RentRequest& request, std::stop_token stop) {
  if (auto fine = check(request); !fine) return fail(std::move(fine).error());
  ApiCall c = call("PUT", "/api/v0/asks/" + to_string(request.offer) + "/");
  c.body = rent_body(request);
  c.route = Route::create;
  c.changes = true;
  c.once = true;
  c.timeout = options_.create_timeout;
  auto answer = api_.send(c, stop);
  if (!answer) {
    Error e = std::move(answer).error();
    if (e.effect == Effect::none) return fail(std::move(e));
    Error unknown = lost(e.what);
    if (e.code == Code::cancelled) unknown.code = Code::cancelled;
    return fail(std::move(unknown));
  }

  const bool accepted = answer->status >= 200 && answer->status <= 299;
  const auto body = parse_json(answer->body, "the answer to a create");
  if (body) {
    // A contract is ours and bills, whatever status or `success` say.
    if (const auto contract = read_integer(*body, "new_contract"); contract && *contract > 0)
      return RentAnswer{
          .contract = {*contract},
          .running = accepted && !says_failed(*body),
          .instance_key = Secret(read_field<std::string>(*body, "instance_api_key").value_or(""))};
  }
  const Error refused = api_.refusal(*answer, true);
  // A number we cannot read is a contract all the same.
  const bool names_contract = answer->body.find("new_contract") != std::string::npos &&
                              !(body && body->contains("new_contract") && (*body)["new_contract"].is_null());
  if (accepted || names_contract)
    return fail(
        lost(accepted ? "HTTP " + std::to_string(answer->status) + " without a contract" : refused.what));
  if (refused.effect != Effect::none) return fail(lost(refused.what));
  return fail(refused);
}

Result<InstanceList> VastMarket::instances(std::stop_token stop) {
  auto got = pages("/api/v1/instances/",
                   {{"select_filters", "{}"}, {"order_by", R"([{"col":"id","dir":"asc"}])"}, {"limit", "25"}},
                   "instances", Route::read_list, stop);
  if (!got) return fail(std::move(got).error());
  InstanceList list;
  std::unordered_set<InstanceId> seen;  // a row can move from one page to the next
  for (const json& row : got->rows) {
    auto one = read_instance(row);
    if (!one) return fail(std::move(one).error());
    if (seen.insert(one->id).second) list.push_back(*std::move(one));
  }
  if (got->total && *got->total > static_cast<std::int64_t>(list.size()))
    return fail(nonsense(
        text("the account has ", *got->total, " instances but only ", list.size(), " were listed"), false));
  return list;
}

Result<std::optional<Instance>> VastMarket::instance(InstanceId id, std::stop_token stop) {
  ApiCall c = call("GET", instance_path(id) + "?owner=me");
  c.route = Route::read_one;
  auto answer = api_.send(c, stop);
  if (!answer) return fail(std::move(answer).error());
  const Refusal said = api_.read(*answer);
  if (is_gone(answer->status, said)) return std::nullopt;
  if (answer->status < 200 || answer->status > 299) return fail(api_.refusal(*answer, false));

  const auto body = parse_json(answer->body, "instance " + to_string(id));
  if (!body) return fail(nonsense(body.error().what, false));
  if (says_failed(*body))
    return said.error == "no_such_instance" ? Result<std::optional<Instance>>(std::nullopt)
                                            : fail(api_.refusal(*answer, false));
  const auto row = body->is_object() ? body->find("instances") : body->end();
  if (!body->is_object() || row == body->end())
    return fail(nonsense("no field 'instances' for instance " + to_string(id), false));
  if (row->is_null() || (row->is_array() && row->empty())) return std::nullopt;
  auto one = read_instance(row->is_array() ? row->front() : *row);
  if (!one) return fail(std::move(one).error());
  if (one->id != id)
    return fail(nonsense("asked for instance " + to_string(id) + ", got " + to_string(one->id), false));
  return *std::move(one);
}

Result<void> VastMarket::destroy(InstanceId id, std::stop_token stop) {
  ApiCall c = call("DELETE", instance_path(id));
  c.body = json::object();
  c.route = Route::destroy;
  c.changes = true;
  auto answer = api_.send(c, stop);
  if (!answer) return fail(std::move(answer).error());
  const bool accepted = answer->status >= 200 && answer->status <= 299;
  const Refusal said = api_.read(*answer);
  if (is_gone(answer->status, said)) return {};
  if (!accepted) return fail(api_.refusal(*answer, true));
  const auto body = parse_json(answer->body, "the answer to a destroy");
  if (body && says_failed(*body) && said.error != "no_such_instance")
    return fail(api_.refusal(*answer, true));
  return {};  // also for an empty or unreadable 2xx: the caller reads the list back anyway
}

Result<void> VastMarket::stop_instance(InstanceId id, std::stop_token stop) {
  return change("PUT", instance_path(id), {{"state", "stopped"}}, Route::change, stop);
}

Result<void> VastMarket::start_instance(InstanceId id, std::stop_token stop) {
  return change("PUT", instance_path(id), {{"state", "running"}}, Route::change, stop);
}

Result<void> VastMarket::set_label(InstanceId id, const std::string& label, std::stop_token stop) {
  if (label.size() > 256)
    return fail(bad_request("the label is longer than 256 characters", "use a shorter label"));
  return change("PUT", instance_path(id), {{"label", label}}, Route::change, stop);
}

Result<void> VastMarket::change_bid(InstanceId id, UsdPerHour bid, std::stop_token stop) {
  if (!(bid.value >= 0.001 && bid.value <= 128 * 32))
    return fail(bad_request("a bid must be at least $0.001 an hour", "bid at least the offer's min_bid"));
  return change("PUT", "/api/v0/instances/bid_price/" + to_string(id) + "/",
                {{"client_id", "me"}, {"price", bid}}, Route::bid, stop);
}

}  // namespace vastgpu
