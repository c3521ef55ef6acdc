#include <charconv>

#include "market/wire.h"
#include "market/wire_fields.h"

namespace vastgpu {
namespace {

constexpr int kMaxItemDepth = 8;

/// "instance-38210455" to its number.
std::optional<InstanceId> instance_of(const json& row) {
  const std::string source = line(row, "source", 80);
  constexpr std::string_view kPrefix = "instance-";
  if (!source.starts_with(kPrefix)) return std::nullopt;
  InstanceId id;
  const char* end = source.data() + source.size();
  const auto [stop, bad] = std::from_chars(source.data() + kPrefix.size(), end, id.value);
  if (bad != std::errc{} || stop != end || id.value <= 0) return std::nullopt;
  return id;
}

/// "24.000 hours at $0.400/hour" -> 24
std::optional<Hours> hours_in(const std::string& description) {
  double count = 0;
  const char* end = description.data() + description.size();
  const auto [stop, bad] = std::from_chars(description.data(), end, count);
  if (bad != std::errc{} || !(count >= 0 && count < 1e5)) return std::nullopt;
  return std::string_view(stop, static_cast<std::size_t>(end - stop)).starts_with(" hours at ")
             ? std::optional(Hours(count))
             : std::nullopt;
}

/// Leaves carry the money; what has items of its own repeats their sum.
void flatten(const json& item, InstanceId instance, int depth, std::vector<Charge>& into) {
  if (!item.is_object()) return;
  const auto items = item.find("items");
  if (items != item.end() && items->is_array() && !items->empty() && depth < kMaxItemDepth) {
    for (const json& part : *items) flatten(part, instance, depth + 1, into);
    return;
  }
  if (const auto paid = read_number(item, "amount"))
    into.push_back({instance, line(item, "type", 40), Usd{*paid}, line(item, "description"),
                    hours_in(line(item, "description"))});
}

}  // namespace

Result<Account> read_account(const json& answer) {
  const auto credit = read_number(answer, "credit");
  const auto balance = read_number(answer, "balance");
  if (!credit && !balance)
    return fail({.code = Code::corrupt,
                 .what = "the account's answer holds no credit, so what can be spent is unknown",
                 .next_step = "look at cloud.vast.ai, page Billing; report this if it stays"});
  return Account{.id = {read_integer(answer, "id").value_or(0)},
                 .credit = {credit.value_or(0) + balance.value_or(0)},
                 .email = line(answer, "email", 254)};
}

Result<std::vector<SshKey>> read_ssh_keys(const json& answer) {
  json list = answer;
  if (answer.is_object()) {
    list = json();
    for (const char* name : {"ssh_keys", "keys", "data"})
      if (const auto at = answer.find(name); at != answer.end()) list = *at;
  }
  if (list.is_string()) {
    auto inner = parse_json(list.get_ref<const std::string&>(), "list of SSH keys");
    if (!inner) return fail(std::move(inner).error());
    list = *std::move(inner);
  }
  if (!list.is_array())
    return fail({.code = Code::corrupt,
                 .what = "the answer holds no list of SSH keys",
                 .next_step = "call again; report this if it stays"});
  std::vector<SshKey> keys;
  for (const json& row : list) {
    if (!row.is_object()) continue;
    if (const auto deleted = row.find("deleted_at"); deleted != row.end() && !deleted->is_null()) continue;
    SshKey key{.id = read_integer(row, "id").value_or(0), .public_key = {}};
    for (const char* name : {"public_key", "ssh_key", "key"})
      if (key.public_key.empty()) key.public_key = line(row, name, 8000);
    if (!key.public_key.empty()) keys.push_back(std::move(key));
  }
  return keys;
}

std::vector<Charge> read_charges(const json& row, TimePoint from, TimePoint to) {
  std::vector<Charge> charges;
  if (!row.is_object()) return charges;
  const auto instance = instance_of(row);
  const auto begins = moment(row, "start");
  const auto ends = moment(row, "end");
  // Rows are whole UTC days, and the filter may have been ignored.
  if (!instance || !begins || *begins > to || ends.value_or(*begins + std::chrono::hours(24)) <= from)
    return charges;
  flatten(row, *instance, 0, charges);
  return charges;
}

}  // namespace vastgpu
