#include "tools/resource_uri.h"

#include <charconv>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::string_view kInstances = "vast-gpu://instances";
constexpr std::string_view kCosts = "vast-gpu://costs";
constexpr std::string_view kRental = "vast-gpu://rentals/";
constexpr std::string_view kCost = "vast-gpu://costs/";
constexpr std::string_view kLog = "vast-gpu://logs/";

/// A number as we write it: no sign, no zero in front.
std::optional<InstanceId> read_id(std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (bad != std::errc{} || end != digits.data() + digits.size() || value < 1) return std::nullopt;
  if (std::to_string(value) != digits) return std::nullopt;
  return InstanceId{value};
}

}  // namespace

std::optional<ResourceAddress> parse_resource(const std::string& uri) {
  using enum ResourceAddress::Kind;
  const std::string_view all = uri;
  if (all == kInstances) return ResourceAddress{instance_file};
  if (all == kCosts) return ResourceAddress{all_costs};
  if (all.starts_with(kLog)) {
    const std::string_view rest = all.substr(kLog.size());
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto id = read_id(rest.substr(0, slash));
    const std::string experiment(rest.substr(slash + 1));
    if (!id || !is_plain_name(experiment)) return std::nullopt;
    return ResourceAddress{log, *id, experiment};
  }
  const bool cost_of_one = all.starts_with(kCost);
  if (!cost_of_one && !all.starts_with(kRental)) return std::nullopt;
  const auto id = read_id(all.substr(cost_of_one ? kCost.size() : kRental.size()));
  return id ? std::optional(ResourceAddress{cost_of_one ? cost : rental, *id}) : std::nullopt;
}

std::string instance_file_uri() { return std::string(kInstances); }
std::string all_costs_uri() { return std::string(kCosts); }
std::string rental_uri(InstanceId id) { return std::string(kRental) + to_string(id); }
std::string cost_uri(InstanceId id) { return std::string(kCost) + to_string(id); }
std::string log_uri(InstanceId id, const std::string& experiment) {
  return std::string(kLog) + to_string(id) + "/" + experiment;
}

}  // namespace vastgpu
