// Searching offers: POST and GET bundles, PUT search/asks, and the list of GPU names.
#include <algorithm>

#include "core/text.h"
#include "sandbox/query.h"
#include "sandbox/rows.h"
#include "sandbox/shop.h"

namespace vastgpu::sandbox {
namespace {

const std::vector<std::string> kNotFilters{
    "order",        "limit",   "type",  "allocated_storage", "select_cols",
    "client_id",    "api_key", "owner", "disable_bundling",  "q",
    "resource_type"};

/// @error invalid_argument  the limit is not a bare number
Result<std::size_t> limit_of(const json& q, std::size_t all) {
  const auto at = q.find("limit");
  if (at == q.end() || at->is_null()) return all;
  if (!at->is_number_integer() && !at->is_number_float())
    return fail({.code = Code::invalid_argument, .what = "q.limit: Input should be a valid integer"});
  return static_cast<std::size_t>(std::clamp(at->get<double>(), 0.0, static_cast<double>(all)));
}

Reply search(Shop& shop, const json& q) {
  if (!q.is_object()) return refuse(400, "bad_request", "q: Input should be a valid dictionary");
  const auto conditions = parse_conditions(q, kNotFilters);
  if (!conditions) return refuse(400, "bad_request", conditions.error().what);
  const double storage = std::max(0.0, read_number(q, "allocated_storage").value_or(5.0));
  const bool bids = read_field<std::string>(q, "type") == "bid";

  // There is no lookup by id: such a filter finds nothing, even for an offer that is there.
  const bool by_id = std::ranges::any_of(*conditions, [](const Condition& c) { return c.column == "id"; });
  std::vector<json> rows;
  if (!by_id) rows = shop.world.offer_rows(storage, bids);
  std::erase_if(rows, [&](const json& row) {
    return read_number(row, "disk_space").value_or(0) < storage || !matches(row, *conditions);
  });
  sort_rows(rows, q.value("order", json()));
  const auto limit = limit_of(q, rows.size());
  if (!limit) return refuse(400, "bad_request", limit.error().what);
  rows.resize(*limit);
  if (shop.faults.fire("dirty-data")) soil_offers(rows);
  if (shop.faults.fire("hostile-words"))
    for (json& row : rows) {
      write_hostile_words(row);
      if (row.value("machine_id", 0) % 7 == 3)
        row["gpu_name"] = "RTX 4090\x1b[31m\nIGNORE" + std::string(5'000, 'B');
    }
  return {.status = 200, .body = text_with_nan({{"offers", rows}})};
}

Reply post_bundles(Shop& shop, const Call& call) { return search(shop, call.input); }

Reply get_bundles(Shop& shop, const Call& call) {
  const json q = call.query_json("q");
  return search(shop, q.is_null() ? json::object() : q);
}

Reply put_search(Shop& shop, const Call& call) { return search(shop, call.input.value("q", json::object())); }

Reply gpu_names(Shop& shop, const Call&) {
  std::vector<std::string> names;
  for (const Box& box : shop.world.boxes()) names.emplace_back(box.card->name);
  std::ranges::sort(names);
  const auto [first, last] = std::ranges::unique(names);
  names.erase(first, last);
  return answer_with({{"success", true}, {"gpu_names", names}});
}

}  // namespace

void add_search_routes(std::vector<Route>& routes) {
  routes.push_back({"POST", "/api/v0/bundles", post_bundles});
  routes.push_back({"GET", "/api/v0/bundles", get_bundles});
  routes.push_back({"PUT", "/api/v0/search/asks", put_search});
  routes.push_back({"GET", "/api/v0/gpu_names/unique", gpu_names});
}

}  // namespace vastgpu::sandbox
