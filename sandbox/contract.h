#pragma once
// One contract of the sandbox with its meter. Plain data; the marketplace's mutex guards it. Times are unix
// seconds on the sandbox's clock.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "sandbox/catalogue.h"

namespace vastgpu::sandbox {

/// What one UTC day of a contract cost.
struct DayUsage {
  double gpu_seconds = 0, gpu = 0;
  double disk_seconds = 0, disk = 0;
  double down_gb = 0, down = 0;
  double up_gb = 0, up = 0;
  double total() const { return gpu + disk + down + up; }
};

struct SshKey {
  std::int64_t id = 0;
  std::string text;
  double created = 0;
};

struct Contract {
  std::int64_t id = 0;
  std::int64_t ask = 0;
  std::size_t box = 0;
  Chunk chunk;
  bool holds_gpus = true;
  json offer;  ///< the row as it was when rented

  std::optional<std::string> label;
  std::string image, runtype, onstart;
  json args = json::array();
  json env = json::object();  ///< as sent, ports and docker flags included
  std::optional<std::string> template_hash;
  double disk_gb = 10;
  std::optional<double> bid;  ///< $/h; empty: on demand
  std::string api_key;        ///< of the container
  std::string jupyter_token;
  std::vector<SshKey> keys;
  bool keys_accepted = true;  ///< false: sshd accepts none (faults)

  double created = 0;
  double visible_at = 0;
  double end_date = 0;
  double running_since = 0;  ///< 0 while it does not run
  double loading_from = 0, loading_until = 0;
  bool alive = true;  ///< false: gone from every list, bills nothing
  double gone_at = 0;
  bool destroying = false;

  std::optional<std::string> actual;  ///< actual_status; empty is null on the wire
  std::string intended = "running";
  std::string cur = "running";
  std::string status_msg;
  std::string before_offline;  ///< actual_status to come back to
  bool direct = true;          ///< asked for a direct port, and the box has some
  bool ssh_wanted = true;
  bool ports_open = false;
  bool queued = false;  ///< a start waits for GPUs
  bool outbid = false;
  double bid_to_beat = 0;
  bool pulled = false;  ///< the image has been paid for
  std::string listen_address;
  int ssh_port = 0;

  double gpu_rate = 0;                    ///< $/h while running
  double storage_rate = 0;                ///< $/h until destroyed
  double pending_gpu_rate = 0;            ///< a price increase that waits for an answer; 0: none
  std::map<std::int64_t, DayUsage> days;  ///< by day number since 1970
  std::uint64_t counted_bytes = 0;        ///< of the disk, already charged as traffic

  std::map<std::string, std::string> faults;  ///< what it took along at creation, with values
  std::uint64_t generation = 0;               ///< grows when pending events of its life no longer count

  bool gpu_billed() const;
  bool storage_billed() const { return alive && actual != "offline"; }
  double dollars_per_second() const;
  DayUsage total() const;
  const std::string* fault(const std::string& name) const;
  std::vector<std::string> key_texts() const;
};

/// Adds `from`..`to` to the meter, split at midnight UTC. Returns the dollars.
double charge_time(Contract& c, double from, double to);
/// Adds traffic at the moment `at`. Returns the dollars.
double charge_traffic(Contract& c, double at, double down_gb, double up_gb);

/// What pulling this image is counted as: the same for the same name, 4 to 8 GB.
double image_gigabytes(const std::string& image);

/// One row per UTC day, as the charges route reports them.
std::vector<json> charge_rows(const Contract& c);

}  // namespace vastgpu::sandbox
