#include "tools/suggest.h"

#include "tools/workplace.h"

#include <algorithm>
#include <set>

#include "core/text.h"
#include "fleet/lifecycle.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostRentals = 200;  // that one keystroke looks at
constexpr int kMostQuotes = 50;

/// Newest first, those that may bill before the others.
std::vector<Rental> rentals_for_people(Ledger& ledger, bool open_only) {
  auto all = ledger.rentals(open_only);
  if (!all) return {};
  std::ranges::stable_partition(*all, [](const Rental& r) { return may_bill(r.status); });
  if (all->size() > kMostRentals) all->resize(kMostRentals);
  return *std::move(all);
}

std::vector<std::string> instances(Ledger& ledger, bool open_only) {
  std::vector<std::string> ids;
  for (const Rental& r : rentals_for_people(ledger, open_only))
    if (r.instance) ids.push_back(to_string(*r.instance));
  return ids;
}

/// Of one machine where one was chosen; else of all.
std::vector<std::string> experiments(Ledger& ledger, const std::string& instance) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const Rental& r : rentals_for_people(ledger, false)) {
    if (!instance.empty() && (!r.instance || to_string(*r.instance) != instance)) continue;
    const auto jobs = ledger.jobs(r.label);
    if (!jobs) continue;
    for (const Job& job : *jobs)
      if (seen.insert(job.experiment).second) names.push_back(job.experiment);
  }
  return names;
}

/// That can still be rented.
std::vector<std::string> quotes(Workplace& w, Ledger& ledger) {
  std::vector<std::string> ids;
  const auto project = w.project(std::nullopt);
  const auto found = project ? ledger.quotes(project->string(), kMostQuotes) : fail({});
  if (!found) return ids;
  for (const Quote& q : *found) {
    if (q.expires <= w.clock().now()) continue;
    const auto user = ledger.rental_by_quote(q.id);
    if (user && (!*user || (*user)->status == Status::refused)) ids.push_back(q.id);
  }
  return ids;
}

std::vector<std::string> behind(const std::string& verb, std::vector<std::string> values) {
  for (std::string& value : values) value = verb + " " + value;
  return values;
}

/// "destroy 12" -> "destroy 123": what may stand behind the verb that was typed.
std::vector<std::string> requests(Workplace& w, Ledger& ledger, const std::string& typed) {
  const auto space = typed.find(' ');
  if (space == std::string::npos) return {};
  const std::string verb = typed.substr(0, space), key = to_lower(verb);
  if (key == "rent") return behind(verb, quotes(w, ledger));
  static constexpr std::string_view kOnMachines[] = {"setup", "run", "collect", "extend", "destroy"};
  if (std::ranges::find(kOnMachines, key) != std::end(kOnMachines))
    return behind(verb, instances(ledger, true));
  if (key != "monitor") return {};
  auto out = behind(verb, instances(ledger, true));
  for (std::string& name : behind(verb, experiments(ledger, ""))) out.push_back(std::move(name));
  return out;
}

std::vector<std::string> suggest(Workplace& w, const SuggestRequest& r) {
  Ledger* const ledger = w.known_ledger();
  if (ledger == nullptr) return {};
  if (r.what == "request") return requests(w, *ledger, r.typed);
  if (r.what == "instance_id") return instances(*ledger, false);
  if (r.what == "experiment_or_instance") {
    auto all = experiments(*ledger, "");
    for (std::string& id : instances(*ledger, true)) all.push_back(std::move(id));
    return all;
  }
  if (r.what == "quote_id") return quotes(w, *ledger);
  if (r.what != "experiment") return {};
  const auto chosen = r.chosen.find("instance_id");
  return experiments(*ledger, chosen == r.chosen.end() ? "" : chosen->second);
}

}  // namespace

Suggest suggest_from(Workplace& w) {
  return [&w](const SuggestRequest& request) { return suggest(w, request); };
}

}  // namespace vastgpu
