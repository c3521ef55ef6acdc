#include "core/account_settings.h"

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
constexpr const char* kMachinesKey = "max_machines";
constexpr const char* kLeaseEndKey = "at_lease_end";

struct SwitchKey {
  const char* name;
  bool AccountSettings::*field;
};
constexpr std::array kSwitchKeys{SwitchKey{"allow_unguarded", &AccountSettings::allow_unguarded},
                                 SwitchKey{"keeper", &AccountSettings::keeper},
                                 SwitchKey{"auto_extend", &AccountSettings::auto_extend}};

Error unreadable(const std::string& what, const std::string& next_step) {
  return {.code = Code::invalid_argument, .what = "nothing was spent: " + what, .next_step = next_step};
}

Error bad_value(const std::string& subject, const std::string& key, const json& value,
                const std::string& expected) {
  return unreadable(text(subject, ": ", key, " is ", clean_line(dump(value), 60), "; expected ", expected),
                    "correct " + key + ", or remove it to have what holds without it");
}

Error unknown_key(const std::string& subject, const std::string& key) {
  std::vector<std::string> known{kMachinesKey, kLeaseEndKey};
  for (const DollarKey& k : kDollarKeys) known.emplace_back(k.name);
  for (const SwitchKey& k : kSwitchKeys) known.emplace_back(k.name);
  const std::string meant = nearest_name(key, known);
  return unreadable(
      text(subject, ": there is no setting '", clean_line(key, 60), "'; expected ", join(known, ", ")),
      meant.empty() ? "remove it" : "did you mean " + meant + "?");
}

Result<void> take(AccountSettings& into, const std::string& key, const json& value,
                  const std::string& subject) {
  const auto named = [&](const auto& k) { return key == k.name; };
  if (key == kMachinesKey) {
    const auto expected = text("an integer from 0 to ", kMostMachines);
    if (!value.is_number_integer()) return fail(bad_value(subject, key, value, expected));
    const auto count = read_integer({{"n", value}}, "n");
    if (!count || *count < 0 || *count > kMostMachines) return fail(bad_value(subject, key, value, expected));
    into.limits.machines = static_cast<int>(*count);
    return {};
  }
  if (key == kLeaseEndKey) {
    const auto word = value.is_string() ? parse_lease_end(value.get<std::string>()) : std::nullopt;
    if (!word) return fail(bad_value(subject, key, value, "\"stop\" or \"destroy\""));
    into.at_lease_end = *word;
    return {};
  }
  if (const auto known = std::ranges::find_if(kSwitchKeys, named); known != kSwitchKeys.end()) {
    if (!value.is_boolean()) return fail(bad_value(subject, key, value, "true or false"));
    into.*(known->field) = value.get<bool>();
    return {};
  }
  const auto known = std::ranges::find_if(kDollarKeys, named);
  if (known == kDollarKeys.end()) return fail(unknown_key(subject, key));
  const double dollars = value.is_number() ? value.get<double>() : std::nan("");
  if (!(dollars >= 0 && dollars <= kMostDollars))  // also false for NaN
    return fail(bad_value(subject, key, value, "a number of US dollars from 0 to 1000000"));
  into.limits.*(known->field) = Usd{dollars};
  return {};
}

}  // namespace

Result<AccountSettings> parse_settings(std::string_view content, const std::string& subject) {
  const auto parsed = parse_json(content, subject, 4);
  if (!parsed || !parsed->is_object())
    return fail(unreadable((parsed ? subject + " is not a JSON object" : parsed.error().what),
                           "write it as in {\"max_usd_per_rental\": 10, \"max_usd_per_day\": 25}"));
  AccountSettings settings;
  for (const auto& [key, value] : parsed->items())
    if (auto taken = take(settings, key, value, subject); !taken) return fail(std::move(taken).error());
  return settings;
}

Result<AccountSettings> read_settings(const std::filesystem::path& file) {
  auto content = read_file(file, 64'000);
  if (content) return parse_settings(*content, file.string());
  if (content.error().code == Code::not_found) return AccountSettings{};
  return fail(std::move(content).error().during("nothing was spent"));
}

}  // namespace vastgpu
