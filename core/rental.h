#pragma once
// The words of a rental that ledger, lifecycle and tools share. Plain values.

#include <optional>
#include <string>

#include "core/clock.h"
#include "core/endpoint.h"
#include "core/ids.h"
#include "core/secret.h"
#include "core/units.h"

namespace vastgpu {

/// Where a rental stands. The table of allowed steps is fleet/lifecycle.h.
enum class Status {
  renting,     ///< intent on disk; a create may be under way or its answer lost
  booting,     ///< contract known, SSH not proven yet
  ready,       ///< SSH and GPU checked, lease armed
  stopped,     ///< not running; the disk is kept and billed
  destroying,  ///< destroy asked for; still on the marketplace's list
  destroyed,   ///< read back as gone
  refused,     ///< nothing was rented
};
const char* to_string(Status s);
std::optional<Status> parse_status(std::string_view word);

/// What the guard does when the lease is over.
enum class LeaseEnd {
  stop,     ///< the GPU bill ends, the disk waits for rescue and bills on
  destroy,  ///< everything ends, and what is not home by then is lost
};
const char* to_string(LeaseEnd e);
std::optional<LeaseEnd> parse_lease_end(std::string_view word);

/// How far the machine's SSH host key is known to be its own.
enum class HostKeyProof {
  first_use,      ///< it was the first one that we saw there
  container_log,  ///< the container printed the same one into its log, which came over HTTPS
  contradicted,   ///< the log names another one: nothing more is sent there
};
const char* to_string(HostKeyProof p);
std::optional<HostKeyProof> parse_host_key_proof(std::string_view word);

/// An offer, a task profile and a lease, priced. Expires; can be used once.
struct Quote {
  std::string id;       ///< "q-3f9a1c"
  std::string project;  ///< absolute folder
  std::string title;    ///< "cheapest", "best value", "fastest", or "chosen by offer id"
  OfferId offer;
  MachineId machine;
  std::string gpu_name;  ///< marketplace spelling
  int num_gpus = 1;
  Megabytes gpu_ram;
  UsdPerHour price;  ///< bound: a drift over 1 % asks again
  bool interruptible = false;
  std::string image;
  Gigabytes disk{50};
  std::optional<Hours> work;  ///< estimated hours on this card; unknown stays unknown
  Hours lease{};              ///< what the worst case is counted over, from create
  Usd estimate;               ///< GPU + disk + traffic + boot for `work` (for the lease when work is unknown)
  Usd worst_case;             ///< the same over the whole lease: the most this rental can cost
  Usd disk_per_day;           ///< what a stopped machine goes on costing
  std::string facts = "{}";   ///< the whole priced option as shown, JSON
  TimePoint created{};
  TimePoint expires{};
};

/// One contract of ours, from intent to confirmed gone.
struct Rental {
  std::string label;  ///< "vg-<project>-<random>": the key
  std::string quote_id;
  std::string project;
  OfferId offer;
  MachineId machine;
  std::optional<InstanceId> instance;
  Status status = Status::renting;
  std::string gpu_name;
  int num_gpus = 1;
  UsdPerHour price;
  bool interruptible = false;
  std::string image;
  Gigabytes disk{50};
  std::optional<Hours> work;
  Usd estimate;
  Usd worst_case;
  std::optional<Endpoint> ssh;
  std::optional<std::string> host_key;  ///< pinned "SHA256:..."
  TimePoint created{};                  ///< of the intent
  std::optional<TimePoint> ready;       ///< SSH and GPU checked
  TimePoint lease_end{};
  std::optional<TimePoint> ended;  ///< read back as gone, or refused
  std::optional<TimePoint> setup_done;
  std::optional<TimePoint> collected;  ///< last complete receipt
  std::string note;                    ///< last trouble, for people
  LeaseEnd at_end = LeaseEnd::stop;    ///< what its guard was told when it was rented
  Usd renew_to;                        ///< the keeper may let the worst case grow to this; less: never
  std::string envelope;                ///< id of the envelope it draws from; empty: none
  std::string replaces;                ///< label of the rental whose work it goes on with; empty: none
  Secret instance_key;                 ///< the machine's own restricted key, as create returned it
  bool adopted = false;  ///< found by its label, of an unknown lease: named and kept, never ended by itself
  std::optional<UsdPerHour> seen_price;  ///< the marketplace's price when last read
  std::optional<TimePoint> idle_since;   ///< nothing ran and nothing moved since then
  std::optional<UsdPerHour> bid;         ///< interruptible: what is bid for the GPUs; `price` adds the disk
  std::string log_mark;  ///< random; marks the lines about host keys in its container's log. Empty: none
  HostKeyProof host_key_proof = HostKeyProof::first_use;  ///< what `host_key` rests on
  std::string host_key_line;  ///< the pinned key itself: "ssh-ed25519 AAAA..."; empty: not known
};

/// Approved once: rentals that start before `until` may draw from it without asking again.
struct SpendingEnvelope {
  std::string id;  ///< "e-3f9a1c"
  std::string project;
  int max_rentals = 1;
  Usd max_usd;  ///< on the sum of what its rentals can cost
  TimePoint until{};
  TimePoint created{};
};

/// What one of the layers that end a rental last said of itself.
struct LayerReport {
  std::string label;   ///< of the rental; empty: of the account
  std::string layer;   ///< "guard", "keeper", "server"
  TimePoint at{};      ///< in our time
  std::string detail;  ///< one line, cleaned
};

/// One line of the provider's charges as read after the end.
struct ChargeRecord {
  std::string label;
  std::string type;  ///< "gpu", "disk", "bwd", "bwu"
  Usd amount;
  TimePoint read{};
};

/// How long a machine took from create to ready.
struct MachineBoot {
  MachineId machine;
  TimePoint at{};
  Hours took{};
};

enum class JobState {
  queued,    ///< waits on its machine for free GPUs
  starting,  ///< asked for; the answer may be lost
  running,
  finished,  ///< exit code 0
  failed,    ///< another exit code
  lost,      ///< it left neither an exit code nor a screen session
  stopped,   ///< somebody asked for it
};
const char* to_string(JobState s);
std::optional<JobState> parse_job_state(std::string_view word);

/// Work that is left on its machine: it runs, or will.
constexpr bool is_open(JobState s) {
  return s == JobState::queued || s == JobState::starting || s == JobState::running;
}
/// It ended, and nothing starts it again by itself.
constexpr bool has_ended(JobState s) {
  return s == JobState::finished || s == JobState::failed || s == JobState::stopped;
}

/// One experiment on an instance, in its own screen session.
struct Job {
  std::string label;       ///< of the rental
  std::string experiment;  ///< plain name: screen session, log file, field of the instance file
  std::string command;
  bool auto_destroy = true;
  JobState state = JobState::starting;
  std::optional<int> exit_code;
  TimePoint started{};
  std::optional<TimePoint> ended;
  std::string gpus = {};       ///< CUDA_VISIBLE_DEVICES; empty: all, or those that the queue gives it
  int gpus_needed = 0;         ///< it waits in the queue until so many are free; 0: started at once
  std::string env_names = {};  ///< "HF_TOKEN SEED": what its environment file sets; values are never kept
  std::string env_file = {};   ///< the file at home that they came from; empty: from the call alone
  std::string note = {};       ///< why it stands as it does, for people
  bool canary = false;         ///< a trial: the work is still to come, and its end is no end of work
  bool answered = false;       ///< whether some caller was told that it was started
};

}  // namespace vastgpu
