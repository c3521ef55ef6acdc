#pragma once
// What the marketplace lists for rent, and how to ask for it. Plain values; any thread.

#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/units.h"

namespace vastgpu {

/// A machine for rent. Only the fields we use; the marketplace sends many more, and any may be null.
/// @source vast-api.md 2.3, 2.4: units and dirty data
struct Offer {
  OfferId id;
  MachineId machine;
  HostId host;
  std::string gpu_name;  ///< as the marketplace spells it: "RTX 4090"
  std::string gpu_arch;  ///< "nvidia" or "amd"
  int num_gpus = 1;
  double gpu_fraction = 1;        ///< of the box's GPUs; below 0.99 there are neighbours
  Megabytes gpu_ram;              ///< of one GPU, as the driver reports it: 24564 for a 24 GB card
  int compute_cap = 0;            ///< 890 = 8.9; 0 unknown
  double cuda_max = 0;            ///< highest CUDA of the driver: 12.8; 0 unknown
  UsdPerHour price;               ///< whole machine while running, with `allocated_storage` of the search
  UsdPerHour price_without_disk;  ///< dph_base
  double storage_usd_per_gb_month = 0;
  std::optional<UsdPerHour> min_bid;  ///< whole offer
  bool is_bid = false;                ///< the price is that of an interruptible rental
  Gigabytes disk_space;
  std::optional<Gigabytes>
      host_ram;  ///< this offer's share of the machine's memory, as far as a container gets it
  Mbps inet_up, inet_down;
  UsdPerGb inet_up_cost, inet_down_cost;
  double reliability = 0;  ///< 0..1; 0 unknown
  bool verified = false;
  bool datacenter = false;
  bool static_ip = false;
  int direct_ports = 0;               ///< 0: only the relay, no direct SSH
  double dlperf = 0;                  ///< unitless score of the whole offer; 0 unknown
  std::optional<Hours> max_duration;  ///< until the host's end date
  std::string location;               ///< "Oregon, US"; cleaned
};

enum class RentalKind { on_demand, interruptible };

/// A search. Unset fields do not filter. Always limited: an unfiltered answer is 70 MB.
struct OfferQuery {
  RentalKind kind = RentalKind::on_demand;
  Gigabytes disk{50};  ///< what will be rented: it is part of the price
  std::optional<Megabytes> min_gpu_ram;
  std::optional<Megabytes> min_host_ram;  ///< of the whole machine: a share is not a column
  int min_compute_cap = 0;                ///< 0: any
  int max_compute_cap = 0;                ///< 0: any
  std::optional<int> num_gpus;            ///< exactly
  std::vector<std::string> countries;     ///< two upper-case letters; empty means anywhere
  std::vector<std::string> gpu_names;     ///< the server's spelling; empty means any
  double min_reliability = 0.95;
  Mbps min_inet_down{100};
  std::optional<double> min_cuda;
  std::optional<UsdPerHour> max_price;
  std::optional<MachineId> machine;
  std::optional<OfferId> ask;  ///< by ask_contract_id; filtering on id finds nothing
  bool direct_ssh = true;
  bool verified_only = true;
  std::string order_by = "dph_total";
  bool descending = false;
  int limit = 64;
};

}  // namespace vastgpu
