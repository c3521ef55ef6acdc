#pragma once
// The addresses of what can be read. Pure; any thread.

#include <optional>
#include <string>

#include "core/ids.h"

namespace vastgpu {

struct ResourceAddress {
  enum class Kind { instance_file, rental, all_costs, cost, log };
  Kind kind = Kind::instance_file;
  InstanceId instance{};        ///< of a rental, a cost and a log
  std::string experiment = {};  ///< of a log
};

/// nullopt: no address of ours, or not in its one spelling.
std::optional<ResourceAddress> parse_resource(const std::string& uri);

std::string instance_file_uri();
std::string all_costs_uri();
std::string rental_uri(InstanceId id);
std::string cost_uri(InstanceId id);
std::string log_uri(InstanceId id, const std::string& experiment);

}  // namespace vastgpu
