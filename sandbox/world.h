#pragma once
// The sandbox's world: boxes, contracts, credit, and the events that move them. Time comes in through
// advance() only, so that everything happens at its own moment, however late somebody looks. Not thread-safe:
// the marketplace's mutex guards it. Times are unix seconds on the sandbox's clock.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/catalogue.h"
#include "sandbox/contract.h"
#include "sandbox/faults.h"
#include "sandbox/room.h"

namespace vastgpu::sandbox {

/// Simulated seconds.
struct Timing {
  double listed = 3;                  ///< from create until the lists show it
  double load = 5;                    ///< from create until `loading`
  double boot = 200;                  ///< from create until `running`, on a host with usual bandwidth
  double ports = 20;                  ///< from `running` until the direct ports appear
  double ssh = 30;                    ///< from `running` until sshd answers
  double stop = 4;                    ///< from the request until `exited`
  double restart = 15;                ///< `loading` of a start, `rebooting` of a reboot
  double destroy = 5;                 ///< from the request until the row is gone
  double retry_start = 30;            ///< how often a queued start looks for its GPUs
  double kept_after_end = 48 * 3600;  ///< from the end of a contract until it is deleted
};

struct WorldOptions {
  std::uint64_t seed = 1;
  int offers = 400;
  double credit = 25;
  int net = 8000;          ///< instances listen on 127.(net/256).(net%256).x
  double clock_speed = 1;  ///< handed to the machines
  Timing timing = {};
};

/// What create asks for, checked already.
struct Order {
  Ask ask;
  std::int64_t ask_id = 0;
  std::optional<std::string> label, template_hash;
  std::string image, runtype, onstart;
  json args = json::array();
  json env = json::object();
  double disk_gb = 10;
  std::optional<double> bid;
  bool parked_at_once = false;  ///< a bid that lost: exists, stopped, bills its disk
};

enum class StartAnswer { started, queued, no_credit };

class World {
 public:
  World(const WorldOptions& options, double now, Room& room, Faults& faults);

  /// Lets everything happen that was due until `now`, each at its own moment.
  void advance(double now);
  double now() const { return now_; }
  double origin() const { return origin_; }

  // Offers
  const std::vector<Box>& boxes() const { return boxes_; }
  std::vector<json> offer_rows(double storage_gb, bool bids) const;
  /// nullopt: no such ask now, or its GPUs are taken.
  std::optional<Ask> rentable(std::int64_t ask_id) const;
  json offer_row_of(const Ask& ask, double storage_gb, bool bid) const;
  /// Somebody else rents it, for good.
  void take_away(const Ask& ask) { foreign_.emplace_back(ask.box_index, ask.chunk); }

  // Contracts
  Contract& create(const Order& order, const std::vector<SshKey>& account_keys);
  /// nullptr when it never existed or is gone.
  Contract* find(std::int64_t id);
  Contract* find_by_key(const std::string& api_key);
  std::map<std::int64_t, Contract>& contracts() { return contracts_; }
  StartAnswer start(Contract& c);
  void stop(Contract& c);
  void destroy(Contract& c);
  void reboot(Contract& c);
  void recycle(Contract& c);
  void change_bid(Contract& c, double price);
  void set_keys(Contract& c);
  void apply_fault_now(Contract& c, const std::string& name, const std::string& value);
  void lose_bid(Contract& c, double back_after, double to_beat = 0);
  void charge_traffic_of(Contract& c, double down_gb, double up_gb);
  /// Growth of a machine's disk counts as download.
  void count_traffic();
  /// A machine that could not be made or started shows as a bad host.
  void notice_trouble();

  double credit() const { return credit_; }
  void set_credit(double dollars);
  double burn_per_second() const;

 private:
  enum class Happens {
    load,
    loaded,
    ports,
    ssh,
    exited,
    gone,
    back_from_grave,
    host_ends,
    forgotten,
    forgotten_unpaid,
    intended_flips,
    outbid,
    outbid_over,
    offline,
    offline_over,
    keys_lost,
    start_again,
    rebooted
  };
  struct Event {
    std::int64_t contract;
    std::uint64_t generation;  ///< 0: whatever became of the contract's life
    Happens what;
  };

  void at(const Contract& c, double when, Happens what);
  void always_at(const Contract& c, double when, Happens what);
  void charge_until(double when);
  void happen(const Event& event);
  void happen_to(Contract& c, Happens what);
  void run_out_of_credit();

  void load(Contract& c);
  void loaded(Contract& c);
  void run(Contract& c);
  void come_down(Contract& c);
  void end_by_host(Contract& c);
  void vanish(Contract& c);
  void rise_again(Contract& c);
  void go_offline(Contract& c);
  void come_online(Contract& c);
  void begin_restart(Contract& c);
  void try_queued(Contract& c);
  void prepare_machine(Contract& c);
  void take_faults(Contract& c);
  std::vector<Chunk> rented_chunks(std::size_t box) const;
  bool gpus_free(const Contract& c) const;

  WorldOptions options_;
  Room& room_;
  Faults& faults_;
  double origin_;
  double now_;
  double credit_;
  bool broke_ = false;
  std::vector<Box> boxes_;
  std::vector<std::pair<std::size_t, Chunk>> foreign_;
  std::map<std::int64_t, Contract> contracts_;
  std::multimap<double, Event> events_;
  std::int64_t next_contract_ = 38'210'455;
  int machines_made_ = 0;
};

}  // namespace vastgpu::sandbox
