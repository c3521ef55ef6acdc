#pragma once
// What the marketplace says about machines we rent. Plain values; any thread.

#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/endpoint.h"
#include "core/ids.h"
#include "core/secret.h"
#include "core/units.h"
#include "market/offer.h"

namespace vastgpu {

struct RentRequest {
  OfferId offer;
  std::string image;
  Gigabytes disk{50};             ///< billed even while stopped; cannot change later; at least 8
  std::string label;              ///< unique per rental: finds the contract again if the answer is lost
  std::string onstart;            ///< shell, as root, at every start; with args at most 4048 bytes
  std::optional<UsdPerHour> bid;  ///< set = interruptible
  std::vector<std::pair<std::string, std::string>> env;  ///< also ports: {"-p 8080:8080", "1"}
};

/// The answer to a create. `contract` exists and bills storage even when `running` is false.
struct RentAnswer {
  InstanceId contract;
  bool running = true;  ///< false: success:false came with a contract (a bid that is too low)
  Secret instance_key;  ///< the machine's own restricted key
};

/// One row of the live list.
/// @source vast-api.md 4.2, 4.3
struct Instance {
  InstanceId id;
  MachineId machine;
  std::string label;  ///< empty when none
  std::string
      actual_status;  ///< "" being provisioned, "loading", "running", "exited", "offline"... any string
  std::string intended_status;  ///< "running", "stopped", "frozen"
  std::string cur_state;
  std::string status_msg;  ///< cleaned; free text, may be stale
  std::string image;
  std::string gpu_name;
  int num_gpus = 1;
  Megabytes gpu_ram;
  std::optional<double> gpu_util;  ///< percent
  bool is_bid = false;
  UsdPerHour price;          ///< running price, with disk
  UsdPerHour storage_price;  ///< what it costs while stopped
  Gigabytes disk_space;
  std::optional<Gigabytes> disk_used;
  std::optional<Endpoint> direct;     ///< public address and the mapped port of 22/tcp
  std::optional<Endpoint> relay;      ///< sshN.vast.ai
  std::optional<TimePoint> started;   ///< contract start
  std::optional<TimePoint> end_date;  ///< the host's
  UsdPerGb inet_up_cost, inet_down_cost;
  /// What the create sent along as `env`, cleaned: at most 64 pairs, cut to 64 and 256 bytes; ports left out.
  std::vector<std::pair<std::string, std::string>> env;
};

/// The live list, whole. It is only ever returned complete: a page that fails makes the call fail, since a
/// short list read as "gone" costs money.
using InstanceList = std::vector<Instance>;

struct Account {
  AccountId id;
  Usd credit;         ///< spendable: credit + balance
  std::string email;  ///< cleaned
};

struct SshKey {
  std::int64_t id = 0;
  std::string public_key;  ///< "ssh-ed25519 AAAA... comment"
};

/// One line of the provider's charges.
struct Charge {
  InstanceId instance;
  std::string type;  ///< "gpu", "disk", "bwd", "bwu"
  Usd amount;
  std::string description;
  std::optional<Hours> hours = {};  ///< of GPU time, where the line says "24.000 hours at $0.400/hour"
};

}  // namespace vastgpu
