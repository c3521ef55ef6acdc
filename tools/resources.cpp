// What can be read without a tool call: the instance file, each rental with its cost, each job's log as it is
// at home.

#include "core/files.h"
#include "core/text.h"
#include "fleet/bring_home.h"
#include "fleet/report.h"
#include "tools/all_tools.h"
#include "tools/pages.h"

namespace vastgpu {
namespace {

constexpr std::string_view kRentals = "vast-gpu://rentals/";
constexpr std::string_view kCosts = "vast-gpu://costs/";
constexpr std::string_view kLogs = "vast-gpu://logs/";
constexpr std::string_view kInstanceFile = "vast-gpu://instances";
constexpr std::size_t kLogTail = 64 * 1024;

Error no_resource(const std::string& uri) {
  return {.code = Code::not_found,
          .what = "there is no resource " + clean_line(uri, 200),
          .next_step = "list the resources"};
}

std::optional<InstanceId> id_in(std::string_view uri, std::string_view prefix) {
  const auto value = read_integer(json{{"id", std::string(uri.substr(prefix.size()))}}, "id");
  return value ? std::optional(InstanceId{*value}) : std::nullopt;
}

Result<std::vector<ResourceInfo>> list_resources(Workplace& w) {
  std::vector<ResourceInfo> found{{std::string(kInstanceFile), "instances", "vast-instances.json",
                                   "The public record of rented machines of this project",
                                   "application/json"}};
  const auto deps = w.open_known();  // clients list before anybody wants anything: no network for that
  if (!deps) return found;
  auto rentals = deps->ledger.rentals(false);
  if (!rentals) return fail(std::move(rentals).error());
  for (const Rental& r : *rentals) {
    if (!r.instance || found.size() > 100) continue;
    const std::string id = to_string(*r.instance);
    found.push_back({std::string(kRentals) + id, "rental-" + id, r.gpu_name + ", " + to_string(r.status),
                     "One rental", "application/json"});
    found.push_back({std::string(kCosts) + id, "cost-" + id, "Cost of instance " + id,
                     "Estimate, own count and the provider's charges", "application/json"});
  }
  return found;
}

Result<Rental> rental_at(Workplace& w, InstanceId id, const std::string& uri, std::optional<Deps>& deps) {
  auto opened = w.open({});
  if (!opened) return fail(std::move(opened).error());
  deps.emplace(*opened);
  auto rental = deps->ledger.rental_by_instance(id);
  if (!rental) return fail(std::move(rental).error());
  if (!*rental) return fail(no_resource(uri));
  return **std::move(rental);
}

Result<ResourceContent> read_log(Workplace& w, const std::string& uri) {
  const auto parts = split(std::string_view(uri).substr(kLogs.size()), '/');
  const auto id = parts.size() == 2 ? id_in("/" + parts[0], "/") : std::nullopt;
  if (!id || !is_plain_name(parts[1])) return fail(no_resource(uri));
  std::optional<Deps> deps;
  auto rental = rental_at(w, *id, uri, deps);
  if (!rental) return fail(std::move(rental).error());
  const auto logs = home_folders(*rental).logs;
  // Its own folder first: there it is where another rental of the project has a log of that name.
  auto log = read_file(logs / parts[0] / (parts[1] + ".log"), 256u << 20);
  if (!log && log.error().code == Code::not_found) log = read_file(logs / (parts[1] + ".log"), 256u << 20);
  if (!log && log.error().code == Code::not_found) return fail(no_resource(uri + " (not collected yet)"));
  if (!log) return fail(std::move(log).error());
  const std::string_view tail =
      std::string_view(*log).substr(log->size() > kLogTail ? log->size() - kLogTail : 0);
  return ResourceContent{uri, "text/plain", clean(tail, kLogTail)};
}

Result<ResourceContent> read_resource(Workplace& w, const std::string& uri) {
  if (auto page = read_page(uri)) return *std::move(page);
  if (uri == kInstanceFile) {
    auto project = w.project(std::nullopt);
    if (!project) return fail(std::move(project).error());
    auto content = read_file(*project / "vast-instances.json", 8u << 20);
    if (!content && content.error().code == Code::not_found)
      return ResourceContent{uri, "application/json", "[]"};
    if (!content) return fail(std::move(content).error());
    return ResourceContent{uri, "application/json", clean(*content, 8u << 20)};
  }
  if (uri.starts_with(kLogs)) return read_log(w, uri);
  const bool cost = uri.starts_with(kCosts);
  if (!cost && !uri.starts_with(kRentals)) return fail(no_resource(uri));
  const auto id = id_in(uri, cost ? kCosts : kRentals);
  if (!id) return fail(no_resource(uri));
  std::optional<Deps> deps;
  auto rental = rental_at(w, *id, uri, deps);
  if (!rental) return fail(std::move(rental).error());
  json facts = rental_facts(*rental, deps->clock.now());
  if (cost) facts["cost"] = to_facts(report(*deps, *rental, {}));
  return ResourceContent{uri, "application/json", facts.dump(2, ' ', false, json::error_handler_t::replace)};
}

}  // namespace

ResourceCatalogue all_resources(Workplace& w) {
  return {[&w] { return list_resources(w); },
          {{"vast-gpu://rentals/{instance_id}", "rental", "One rental",
            "State, cost so far and lease of one rental", "application/json"},
           {"vast-gpu://costs/{instance_id}", "cost", "Cost report",
            "Estimate, own count and the provider's charges", "application/json"},
           {"vast-gpu://logs/{instance_id}/{experiment}", "log", "Log of an experiment",
            "The end of a collected log", "text/plain"}},
          [&w](const std::string& uri) { return read_resource(w, uri); }};
}

}  // namespace vastgpu
