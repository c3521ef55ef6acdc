#include "fleet/cost_causes.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr double kWorthSaying = 0.005;  // half a cent: less is rounding

double micro(Usd usd) { return std::round(usd.value * 1e6) / 1e6; }

std::string instead(Hours now, Hours before) { return hours(now) + " instead of " + hours(before); }

}  // namespace

EstimateParts estimate_parts(const std::string& quote_facts) {
  const auto facts = parse_json(quote_facts, "quote facts");
  if (!facts || !facts->is_object()) return {};
  const auto parts = facts->find("estimate");
  if (parts == facts->end() || !parts->is_object()) return {};
  const auto part = [&](const char* name) { return Usd{read_number(*parts, name).value_or(0)}; };
  return {part("gpu_usd"), part("disk_usd"), part("traffic_usd"), part("boot_usd"),
          UsdPerHour{read_number(*facts, "gpu_usd_per_hour").value_or(0)}};
}

std::vector<CostCause> cost_causes(const EstimateParts& e, const ChargedParts& c,
                                   std::optional<Hours> worked) {
  std::vector<CostCause> causes;
  const UsdPerHour quoted = e.gpu_price;
  if (c.gpu_hours && *c.gpu_hours > Hours(0) && quoted.value > 0) {
    const Hours total = *c.gpu_hours;
    const Hours boot = worked ? std::max(Hours(0), total - *worked) : Hours(0);
    const Hours work = total - boot;
    const UsdPerHour paid{c.gpu.value / total.count()};
    causes.push_back({"gpu", e.gpu, quoted * work, instead(work, Hours(e.gpu / Usd{quoted.value}))});
    causes.push_back({"boot", e.boot, quoted * boot, instead(boot, Hours(e.boot / Usd{quoted.value}))});
    causes.push_back({"price", {}, c.gpu - quoted * total, money(paid) + " instead of " + money(quoted)});
  } else {
    causes.push_back({"gpu", e.gpu + e.boot, c.gpu, "GPU and boot together: the provider gives no hours"});
  }
  causes.push_back({"disk", e.disk, c.disk, "billed from create until gone"});
  causes.push_back({"traffic", e.traffic, c.traffic, "the estimate is a guess of what will cross the wire"});
  if (c.other.value != 0)
    causes.push_back({"other", {}, c.other, "lines of another kind on the provider's bill"});
  return causes;
}

json to_facts(const std::vector<CostCause>& causes) {
  json facts = json::array();
  for (const CostCause& c : causes)
    facts.push_back({{"cause", c.name},
                     {"usd_estimated", micro(c.estimated)},
                     {"usd_charged", micro(c.charged)},
                     {"usd_difference", micro(c.difference())},
                     {"why", c.why}});
  return facts;
}

std::string to_words(const std::vector<CostCause>& causes) {
  std::vector<std::string> words;
  for (const CostCause& c : causes) {
    const double difference = c.difference().value;
    if (std::abs(difference) < kWorthSaying) continue;
    words.push_back(c.name + (difference > 0 ? " +" : " -") + money(Usd{std::abs(difference)}) +
                    (c.name == "gpu" || c.name == "boot" || c.name == "price" ? " (" + c.why + ")" : ""));
  }
  return join(words, ", ");
}

}  // namespace vastgpu
