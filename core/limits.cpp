#include "core/limits.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr const char* kMachinesKey = "max_machines";

std::string cents_up(double dollars) { return fixed(std::ceil(dollars * 100 - 1e-6) / 100, 2); }

}  // namespace

IntentLimits limits_for(const AccountLimits& set, const std::filesystem::path& settings_file,
                        std::optional<Usd> project_budget, std::optional<Usd> call_limit) {
  IntentLimits limits{project_budget, set, false, settings_file.string()};
  if (set.sets_dollars()) return limits;
  limits.by_default = true;
  limits.account.per_day = std::max(kDefaultPerDay, project_budget.value_or(Usd{}));
  if (!project_budget && !call_limit) limits.account.per_rental = kDefaultPerRental;
  return limits;
}

std::string how_to_raise(const IntentLimits& limits, const std::string& key, double least) {
  const std::string amount = key == kMachinesKey ? fixed(least, 0) : cents_up(least);
  if (!limits.by_default || key == kMachinesKey)
    return text("raise ", key, " in ", limits.settings_file, " to at least ", amount);
  // With such a file the defaults end, so the example keeps those that are not in the way. A day holds its
  // rentals.
  std::string example;
  for (const DollarKey& k : kDollarKeys) {
    const auto& now = limits.account.*(k.field);
    if (!now) continue;
    const bool grows = key == k.name || k.field == &AccountLimits::per_day;
    example += text(example.empty() ? "" : ", ", "\"", k.name,
                    "\": ", cents_up(grows ? std::max(now->value, least) : now->value));
  }
  return text("set ", key, " to at least ", amount, " in ", limits.settings_file, ", as in {", example, "}");
}

}  // namespace vastgpu
