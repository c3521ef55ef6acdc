#pragma once
// The machines that the sandbox has for rent, made from a seed: the same seed gives the same boxes, prices
// and dates. Constant after construction; any thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu::sandbox {

/// One GPU model as the marketplace sells it.
struct Card {
  std::string_view name;         ///< as the marketplace spells it: "RTX 4090"
  std::string_view driver_name;  ///< as nvidia-smi spells it: "NVIDIA GeForce RTX 4090"
  int ram_mib;                   ///< as the driver reports it
  double low, high;              ///< $/h of one GPU
  int watts;
  int most;    ///< GPUs in the largest machine
  int weight;  ///< how common
};
std::span<const Card> cards();

/// What rows say about a card beyond its price; from core/gpu_table.h, or from here for AMD cards.
struct CardFacts {
  int compute_cap = 0;
  double tflops = 0;
  double mem_gb_per_s = 0;
  double speed = 0;
  double min_cuda = 0;
  bool amd = false;
};
CardFacts card_facts(const Card& card);

/// One physical machine of a host.
struct Box {
  std::int64_t machine_id = 0;
  std::int64_t host_id = 0;
  std::int64_t bundle_id = 0;
  const Card* card = nullptr;
  int gpus = 1;
  double gpu_price = 0;                         ///< $/h of one GPU
  double bid_share = 0.5;                       ///< the floor of bids, as a part of the price
  double storage_cost = 0;                      ///< $/GB/month
  double inet_up = 0, inet_down = 0;            ///< Mbps
  double inet_up_cost = 0, inet_down_cost = 0;  ///< $/GB
  double reliability = 0;
  std::string verification;
  bool datacenter = false;
  bool static_ip = false;
  bool taken = false;  ///< rented by somebody else for good
  int direct_ports = 0;
  double cuda = 0;
  std::string driver;
  int cpu_cores = 0;
  int cpu_ram_mb = 0;
  double disk_gb = 0, disk_bw = 0;
  std::string geolocation;  ///< "Oregon, US"
  std::string public_ip;
  double noise = 1;           ///< of measured speeds
  double listed_since = 0;    ///< unix seconds
  double first_end = 0;       ///< unix seconds of the first end date
  double listing_length = 0;  ///< the host lists the machine again for so many seconds
  double id_phase = 0;        ///< when its ask ids change
  bool null_cores = false;    ///< dirty rows that are always there
  bool spaced_ip = false;

  /// The end date in force at `now`; nullopt in the hour before the host lists the machine again.
  std::optional<double> end_date(double now) const;
  /// Seconds from create until the container runs, first time and with a cold image cache.
  double boot_seconds(double usual) const;
};

/// Enough boxes for about `offers` offers, at least one box of each card while they last.
std::vector<Box> make_boxes(std::uint64_t seed, int offers, double origin);

/// GPUs `first`..`first + count - 1` of a box, rented together.
struct Chunk {
  int first = 0;
  int count = 1;
  bool overlaps(const Chunk& other) const {
    return first < other.first + other.count && other.first < first + count;
  }
};

/// The chunks a box lists while the chunks of `rented` are taken: of each size (1, 2, 4, 8, all) the first
/// free one.
std::vector<Chunk> free_chunks(const Box& box, std::span<const Chunk> rented);

/// How many offers an empty box lists.
int offers_of(int gpus);

/// Ask ids name box, chunk and epoch; they change every six hours, at another moment for each box, and the
/// old id still rents for one more hour.
std::int64_t ask_id(const Box& box, std::size_t box_index, const Chunk& chunk, double since_origin);
struct Ask {
  std::size_t box_index = 0;
  Chunk chunk;
};
/// nullopt when no box ever had this id, or when it has expired.
std::optional<Ask> find_ask(std::span<const Box> boxes, std::int64_t id, double since_origin);

}  // namespace vastgpu::sandbox
