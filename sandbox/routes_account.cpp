// The account: user, charges, templates, host reports, and lists that are empty here.
#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "sandbox/query.h"
#include "sandbox/shop.h"

namespace vastgpu::sandbox {
namespace {

Reply user(Shop& shop, const Call&) {
  const double credit = shop.world.credit();
  return answer_with({{"id", 7},
                      {"email", "sandbox@example.com"},
                      {"username", "sandbox"},
                      {"fullname", "Sandbox User"},
                      {"balance", 0.0},
                      {"credit", credit},
                      {"balance_threshold", 0.0},
                      {"balance_threshold_enabled", false},
                      {"autobill_threshold", nullptr},
                      {"autobill_amount", nullptr},
                      {"billed_expected", 0.0},
                      {"billed_verified", 0.0},
                      {"billing_creditonly", 1},
                      {"can_pay", true},
                      {"has_billing", true},
                      {"has_payout", false},
                      {"got_signup_credit", 1},
                      {"ssh_key", nullptr},
                      {"api_key", shop.account.api_key},
                      {"sid", "sandbox-session"}});
}

/// A day filter in seconds; some clients send the number of the day instead.
std::optional<double> day_bound(const json& day, const char* op) {
  const auto value = read_number(day, op);
  if (!value) return std::nullopt;
  return *value < 1e6 ? *value * 86400 : *value;
}

std::size_t number_in(const std::string& words, std::size_t otherwise) {
  std::size_t n = 0;
  const auto [end, bad] = std::from_chars(words.data(), words.data() + words.size(), n);
  return bad == std::errc{} && !words.empty() ? n : otherwise;
}

Reply charges(Shop& shop, const Call& call) {
  const json filters = call.query_json("select_filters");
  const json day = filters.is_object() ? filters.value("day", json()) : json();
  const auto from = day_bound(day, "gte");
  const auto to = day_bound(day, "lte");
  if (!from || !to)
    return refuse(400, "invalid_request", "Error in query parameters: a day range is required");
  std::vector<json> rows;
  for (const auto& [id, c] : shop.world.contracts())
    for (json& row : charge_rows(c)) {
      const double start = row["start"].get<double>();
      if (start + 86400 > *from && start <= *to) rows.push_back(std::move(row));
    }
  if (filters.contains("type")) {
    const auto conditions = parse_conditions({{"type", filters["type"]}}, {});
    if (!conditions) return refuse(400, "invalid_request", conditions.error().what);
    std::erase_if(rows, [&](const json& row) { return !matches(row, *conditions); });
  }
  const bool latest_first = to_lower(call.query("latest_first")) == "true";
  sort_rows(rows, json::array({json::array({"start", latest_first ? "desc" : "asc"})}));
  const std::size_t total = rows.size();
  const std::size_t limit = std::clamp<std::size_t>(number_in(call.query("limit"), 20), 1, 100);
  const std::size_t first = std::min(total, number_in(call.query("after_token"), 0));
  const std::size_t last = std::min(total, first + limit);
  json page = json::array();
  for (std::size_t i = first; i < last; ++i) page.push_back(rows[i]);
  return answer_with({{"success", true},
                      {"count", page.size()},
                      {"total", total},
                      {"next_token", last < total ? json(std::to_string(last)) : json()},
                      {"results", page}});
}

Reply templates(Shop&, const Call& call) {
  std::vector<json> rows{{{"id", 194821},
                          {"hash_id", "4e17788f74f075dd9aab7d0d4427968f"},
                          {"name", "PyTorch"},
                          {"image", "pytorch/pytorch"},
                          {"tag", "2.4.0-cuda12.4-cudnn9-runtime"},
                          {"env", ""},
                          {"onstart", ""},
                          {"runtype", "ssh"},
                          {"use_ssh", true},
                          {"ssh_direct", true},
                          {"jup_direct", false},
                          {"use_jupyter_lab", false},
                          {"jupyter_dir", nullptr},
                          {"recommended_disk_space", 20},
                          {"extra_filters", "{}"},
                          {"readme", nullptr},
                          {"readme_visible", true},
                          {"desc", nullptr},
                          {"private", false},
                          {"creator_id", 1}}};
  const json filters = call.query_json("select_filters");
  if (filters.is_object()) {
    const auto conditions = parse_conditions(filters, {});
    if (!conditions) return refuse(400, "invalid_request", conditions.error().what);
    std::erase_if(rows, [&](const json& row) { return !matches(row, *conditions); });
  }
  return answer_with({{"success", true}, {"templates_found", rows.size()}, {"templates", rows}});
}

Reply report_host(Shop& shop, const Call& call) {
  const bool known =
      std::ranges::find(shop.world.boxes(), call.id(), &Box::machine_id) != shop.world.boxes().end();
  if (!known) return refuse(404, "not_found", "No such machine.");
  shop.account.reports.push_back({{"machine_id", call.id()}, {"report", call.input}});
  return success();
}

Reply addresses(Shop& shop, const Call&) {
  return answer_with(
      {{"success", true},
       {"results",
        {{{"ip", "127.0.0.1"}, {"first_seen", shop.world.origin()}, {"first_location", "loopback"}}}}});
}

Reply audit(Shop& shop, const Call&) { return answer_with(shop.audit); }

Reply invoices(Shop& shop, const Call&) {
  return answer_with(
      {{"success", true},
       {"count", 1},
       {"total", 1},
       {"next_token", nullptr},
       {"results", {{{"type", "payment"}, {"source", "sandbox"}, {"amount", shop.world.credit()}}}}});
}

// What the sandbox has none of; clients that only look are content.
Reply no_volumes(Shop&, const Call&) { return answer_with({{"success", true}, {"volumes", json::array()}}); }
Reply no_offers(Shop&, const Call&) { return answer_with({{"offers", json::array()}}); }
Reply no_results(Shop&, const Call&) { return answer_with({{"success", true}, {"results", json::array()}}); }
Reply no_deployments(Shop&, const Call&) {
  return answer_with({{"success", true}, {"deployments", json::array()}});
}
Reply empty_list(Shop&, const Call&) { return answer_with(json::array()); }

}  // namespace

void add_account_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/api/v0/users/current", user});
  routes.push_back({"GET", "/api/v0/charges", charges});
  routes.push_back({"GET", "/api/v1/invoices", invoices});
  routes.push_back({"GET", "/api/v0/template", templates});
  routes.push_back({"PUT", "/api/v0/machines/{}/report", report_host});
  routes.push_back({"GET", "/api/v0/users/me/ipaddrs", addresses});
  routes.push_back({"GET", "/api/v0/audit_logs", audit});
  routes.push_back({"GET", "/api/v0/volumes", no_volumes});
  routes.push_back({"POST", "/api/v0/volumes/search", no_offers});
  routes.push_back({"GET", "/api/v0/endptjobs", no_results});
  routes.push_back({"GET", "/api/v0/autojobs", no_results});
  routes.push_back({"GET", "/api/v0/workergroups", no_results});
  routes.push_back({"GET", "/api/v0/deployments", no_deployments});
  routes.push_back({"GET", "/api/v0/users/cloud_integrations", empty_list});
}

}  // namespace vastgpu::sandbox
