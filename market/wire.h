#pragma once
// The marketplace's JSON, both ways: its names appear in wire_*.cpp and in VastMarket's requests, nowhere
// else. Pure; any thread. Rows come from thousands of hosts, so any field may be null, text, missing or
// absurd.

#include <optional>
#include <vector>

#include "core/json.h"
#include "market/instance.h"
#include "market/offer.h"

namespace vastgpu {

/// The body of a search.
json search_body(const OfferQuery& query);

/// The body of a create.
json rent_body(const RentRequest& request);

/// @error corrupt  no id
Result<Instance> read_instance(const json& row);

/// @error corrupt  neither credit nor balance
Result<Account> read_account(const json& answer);

/// A bare list, a list under `ssh_keys`, `keys` or `data`, or such a list as text. Deleted keys are left out.
/// @error corrupt
Result<std::vector<SshKey>> read_ssh_keys(const json& answer);

/// The charges of one row that overlaps [from, to] and belongs to an instance, one per item; empty otherwise.
std::vector<Charge> read_charges(const json& row, TimePoint from, TimePoint to);

}  // namespace vastgpu
