#include "core/limits.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/files.h"
#include "core/json.h"
#include "core/spelling.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr double kMostDollars = 1'000'000;  // more is a slip of the finger
constexpr int kMostMachines = 1'000;

struct DollarKey {
  const char* name;
  std::optional<Usd> AccountLimits::*field;
};
constexpr std::array kDollarKeys{DollarKey{"max_usd_per_rental", &AccountLimits::per_rental},
                                 DollarKey{"max_usd_per_day", &AccountLimits::per_day},
                                 DollarKey{"max_usd_open", &AccountLimits::open}};
constexpr const char* kMachinesKey = "max_machines";

Error unreadable(const std::string& what, const std::string& next_step) {
  return {.code = Code::invalid_argument, .what = "nothing was spent: " + what, .next_step = next_step};
}

Error bad_value(const std::string& subject, const std::string& key, const json& value,
                const std::string& expected) {
  return unreadable(text(subject, ": ", key, " is ", clean_line(dump(value), 60), "; expected ", expected),
                    "correct " + key + ", or remove it to set no such limit");
}

Error unknown_key(const std::string& subject, const std::string& key) {
  std::vector<std::string> known{kMachinesKey};
  for (const DollarKey& k : kDollarKeys) known.emplace_back(k.name);
  const std::string meant = nearest_name(key, known);
  return unreadable(
      text(subject, ": there is no setting '", clean_line(key, 60), "'; expected ", join(known, ", ")),
      meant.empty() ? "remove it" : "did you mean " + meant + "?");
}

Result<void> take(AccountLimits& into, const std::string& key, const json& value,
                  const std::string& subject) {
  if (key == kMachinesKey) {
    const auto expected = text("an integer from 0 to ", kMostMachines);
    if (!value.is_number_integer()) return fail(bad_value(subject, key, value, expected));
    const auto count = read_integer({{"n", value}}, "n");
    if (!count || *count < 0 || *count > kMostMachines) return fail(bad_value(subject, key, value, expected));
    into.machines = static_cast<int>(*count);
    return {};
  }
  const auto known =
      std::ranges::find(kDollarKeys, key, [](const DollarKey& k) { return std::string(k.name); });
  if (known == kDollarKeys.end()) return fail(unknown_key(subject, key));
  const double dollars = value.is_number() ? value.get<double>() : std::nan("");
  if (!(dollars >= 0 && dollars <= kMostDollars))  // also false for NaN
    return fail(bad_value(subject, key, value, "a number of US dollars from 0 to 1000000"));
  into.*(known->field) = Usd{dollars};
  return {};
}

std::string cents_up(double dollars) { return fixed(std::ceil(dollars * 100 - 1e-6) / 100, 2); }

}  // namespace

Result<AccountLimits> parse_limits(std::string_view content, const std::string& subject) {
  const auto parsed = parse_json(content, subject, 4);
  if (!parsed || !parsed->is_object())
    return fail(unreadable((parsed ? subject + " is not a JSON object" : parsed.error().what),
                           "write it as in {\"max_usd_per_rental\": 10, \"max_usd_per_day\": 25}"));
  AccountLimits limits;
  for (const auto& [key, value] : parsed->items())
    if (auto taken = take(limits, key, value, subject); !taken) return fail(std::move(taken).error());
  return limits;
}

Result<AccountLimits> read_limits(const std::filesystem::path& file) {
  auto content = read_file(file, 64'000);
  if (content) return parse_limits(*content, file.string());
  if (content.error().code == Code::not_found) return AccountLimits{};
  return fail(std::move(content).error().during("nothing was spent"));
}

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
