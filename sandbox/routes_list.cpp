// Reading instances: the paged v1 list, single lookups, and the dead v0 list.
#include <algorithm>
#include <charconv>
#include <set>

#include "core/files.h"
#include "core/text.h"
#include "sandbox/query.h"
#include "sandbox/rows.h"
#include "sandbox/shop.h"

namespace vastgpu::sandbox {
namespace {

/// Columns that the list can be filtered on; the others are computed when the answer is made.
const std::set<std::string> kSearchKeys{
    "id",          "label",       "actual_status",    "intended_status", "cur_state",
    "next_state",  "gpu_name",    "num_gpus",         "machine_id",      "host_id",
    "image_uuid",  "start_date",  "end_date",         "verification",    "is_bid",
    "geolocation", "template_id", "template_hash_id", "public_ipaddr"};
constexpr std::size_t kLargestPage = 25;

json row_of(Shop& shop, const Contract& c) {
  const Box& box = shop.world.boxes()[c.box];
  json row = instance_row(c, box, shop.world.now(), shop.room.relay_port(c.id));
  if (shop.faults.peek("dirty-data", {c.id, box.machine_id, ""})) {
    row["public_ipaddr"] = " " + c.listen_address + " \n";
    row["hosting_type"] = row["geolocation"] = row["cpu_cores"] = nullptr;
    row["gpu_temp"] = kNotANumber;
    if (c.actual == "loading") row["actual_status"] = "warming_up";
  }
  if (shop.faults.peek("hostile-words", {c.id, box.machine_id, ""})) write_hostile_words(row);
  return row;
}

bool listed(const Shop& shop, const Contract& c) { return c.alive && c.visible_at <= shop.world.now(); }

std::vector<json> all_rows(Shop& shop) {
  std::vector<json> rows;
  for (const auto& [id, c] : shop.world.contracts())
    if (listed(shop, c)) rows.push_back(row_of(shop, c));
  return rows;
}

/// An empty label is asked for as {"in": [null]}.
json label_filters_with_empty(json filters) {
  if (!filters.is_object() || !filters.contains("label") || !filters["label"].is_object()) return filters;
  for (auto& [op, value] : filters["label"].items())
    if (value.is_array() && std::ranges::find(value, json()) != value.end()) value.push_back("");
  return filters;
}

json order_of(const json& order_by) {
  json out = json::array();
  if (order_by.is_array())
    for (const json& o : order_by)
      if (o.is_object()) out.push_back(json::array({o.value("col", ""), o.value("dir", "asc")}));
  if (out.empty()) out.push_back(json::array({"id", "asc"}));
  return out;
}

/// The cursor is the number of rows before the page, with a few digits that make a made-up one fail.
std::string token_for(std::size_t offset) {
  const std::string n = std::to_string(offset);
  return n + "." + sha256_hex("page " + n).substr(0, 12);
}
std::optional<std::size_t> offset_of(const std::string& token) {
  std::size_t offset = 0;
  std::from_chars(token.data(), token.data() + token.size(), offset);
  return token_for(offset) == token ? std::optional(offset) : std::nullopt;
}

json only_columns(const json& row, const json& columns) {
  if (!columns.is_array() || std::ranges::find(columns, json("*")) != columns.end()) return row;
  json out = json::object();
  for (const json& name : columns)
    if (name.is_string()) out[name.get<std::string>()] = row.value(name.get<std::string>(), json());
  return out;
}

Reply list(Shop& shop, const Call& call) {
  std::int64_t limit = kLargestPage;
  if (const std::string words = call.query("limit"); !words.empty()) {
    const auto [end, bad] = std::from_chars(words.data(), words.data() + words.size(), limit);
    if (bad != std::errc{} || limit > static_cast<std::int64_t>(kLargestPage))
      return refuse(400, "invalid_request", "Error in query parameters: limit must be at most 25");
    if (limit <= 0) limit = 5;
  }
  std::size_t offset = 0;
  if (const std::string token = call.query("after_token"); !token.empty()) {
    const auto at = offset_of(token);
    if (!at) return refuse(400, "invalid_token", "The after_token is not valid.");
    offset = *at;
  }
  json filters = call.query_json("select_filters");
  if (filters.is_null()) filters = json::object();
  const auto conditions = parse_conditions(label_filters_with_empty(filters), {});
  if (!conditions)
    return refuse(400, "invalid_request", "Error in query parameters: " + conditions.error().what);
  for (const Condition& c : *conditions)
    if (!kSearchKeys.contains(c.column))
      return refuse(400, "invalid_request",
                    "Error in query parameters: " + clean_line(c.column, 60) + " is not a valid search key");

  std::vector<json> rows = all_rows(shop);
  const std::size_t total = rows.size();
  std::erase_if(rows, [&](const json& row) { return !matches(row, *conditions); });
  sort_rows(rows, order_of(call.query_json("order_by")));
  json labels = json::object();
  for (const json& row : rows) {
    const std::string label = row["label"].is_string() ? row["label"].get<std::string>() : "";
    labels[label] = labels.value(label, 0) + 1;
  }
  const std::size_t found = rows.size();
  if (const auto most = shop.faults.fire("short-list"))
    rows.resize(std::min<std::size_t>(rows.size(), std::strtoul(most->c_str(), nullptr, 10)));

  std::size_t first = std::min(offset, rows.size());
  const std::size_t last = std::min(first + static_cast<std::size_t>(limit), rows.size());
  json next = last < rows.size() ? json(token_for(last)) : json();
  if (first > 0 && first < last && shop.faults.fire("paging-shift")) ++first;
  if (found > static_cast<std::size_t>(limit) && shop.faults.fire("paging-repeated-token"))
    next = token_for(static_cast<std::size_t>(limit));
  json page = json::array();
  const json columns = call.query_json("select_cols");
  for (std::size_t i = first; i < last; ++i) page.push_back(only_columns(rows[i], columns));
  return {.status = 200,
          .body = text_with_nan({{"success", true},
                                 {"instances_found", found},
                                 {"total_instances", total},
                                 {"label_counts", labels},
                                 {"next_token", next},
                                 {"instances", page}})};
}

Reply dead_list(Shop&, const Call&) {
  return refuse(410, "deprecated_endpoint",
                "/api/v0/instances/ is deprecated. Use /api/v1/instances/ instead.");
}

Reply one(Shop& shop, const Call& call) {
  const Contract* c = shop.world.find(call.id());
  if (!c || !listed(shop, *c)) return answer_with({{"instances", nullptr}});
  return {.status = 200, .body = text_with_nan({{"instances", row_of(shop, *c)}})};
}

Reply filters(Shop& shop, const Call&) {
  json out = json::array();
  for (const json& row : all_rows(shop))
    out.push_back({{"id", row["id"]},
                   {"label", row["label"]},
                   {"actual_status", row["actual_status"]},
                   {"gpu_name", row["gpu_name"]},
                   {"verification", row["verification"]}});
  return answer_with({{"success", true}, {"filters", out}});
}

Reply count(Shop& shop, const Call&) {
  return answer_with({{"success", true}, {"count", all_rows(shop).size()}});
}

}  // namespace

void add_list_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/api/v1/instances", list});
  routes.push_back({"GET", "/api/v0/instances", dead_list});
  routes.push_back({"GET", "/api/v0/instances/filters", filters});
  routes.push_back({"GET", "/api/v0/instances/count", count});
  routes.push_back({"GET", "/api/v0/instances/{}", one, false, true});
}

}  // namespace vastgpu::sandbox
