#pragma once
// One type per kind of id: an offer passed for an instance must not compile.

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

#include "core/json.h"

namespace vastgpu {

template <class Tag>
struct Id {
  std::int64_t value = 0;
  auto operator<=>(const Id&) const = default;
};
template <class Tag>
std::string to_string(Id<Tag> id) {
  return std::to_string(id.value);
}
template <class Tag>
void to_json(json& j, const Id<Tag>& id) {
  j = id.value;
}
template <class Tag>
void from_json(const json& j, Id<Tag>& id) {
  j.get_to(id.value);
}

using OfferId = Id<struct OfferTag>;        ///< lives minutes
using InstanceId = Id<struct InstanceTag>;  ///< the contract; what create calls new_contract
using MachineId = Id<struct MachineTag>;    ///< the physical box; what a blocklist remembers
using HostId = Id<struct HostTag>;
using AccountId = Id<struct AccountTag>;

}  // namespace vastgpu

template <class Tag>
struct std::hash<vastgpu::Id<Tag>> {
  std::size_t operator()(vastgpu::Id<Tag> id) const noexcept { return std::hash<std::int64_t>{}(id.value); }
};
