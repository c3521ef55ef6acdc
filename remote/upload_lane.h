#pragma once
// One lane of send_large: a session and the loop on the machine that stores what comes over it. One thread
// per lane; what lanes share locks itself.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/text.h"
#include "remote/ssh_command.h"
#include "remote/upload_lanes.h"

namespace vastgpu {

/// What all lanes of one upload share.
struct UploadLanes {
  using Clock = std::chrono::steady_clock;

  UploadLanes(const SshLink& to, const LocalTree& of, UploadPlan& what, UploadMeter& told, Packing by,
              std::function<std::string(const std::string&)> runs)
      : link(to), tree(of), plan(what), meter(told), packing(by), script(std::move(runs)) {}

  const SshLink& link;
  const LocalTree& tree;
  UploadPlan& plan;
  UploadMeter& meter;
  Packing packing;
  std::function<std::string(const std::string& lane)> script;  ///< lane_script
  std::stop_source stop = {};

  std::atomic<std::uint64_t> arrived = 0;     ///< bytes of files, acknowledged
  std::atomic<std::uint64_t> sent_again = 0;  ///< bytes on the wire
  std::atomic<std::size_t> reconnects = 0;
  std::atomic<std::size_t> open = 0;  ///< lanes with a session
  std::atomic<Clock::rep> last_arrival = Clock::now().time_since_epoch().count();

  /// The first failure that ends the upload; stops everybody.
  void give_up(Error why);
  std::optional<Error> failure() const;
  bool idle_for(std::chrono::seconds limit) const;

  void lane_starts();
  void lane_ended();
  /// True once no lane runs.
  bool wait_for_end(std::chrono::milliseconds at_most);

 private:
  mutable std::mutex lock_;
  std::condition_variable ended_;
  std::size_t running_ = 0;
  std::optional<Error> failure_;
};

/// Stores pieces into files beside the project, under their key; notes each in a journal once it is whole;
/// gives a file its name when told so. Answers one line for each order.
std::string lane_script(const std::string& lane, const std::string& folder,
                        const std::set<std::string>& obsolete, Packing packing);

/// Shell: ends the lane $L, if it still runs. In the folder of unfinished copies.
extern const char* const kEndLane;

class UploadLane {
 public:
  explicit UploadLane(UploadLanes& all) : all_(all), id_(random_hex(8)), buffer_(256 * 1024) {}
  /// Until everything is done, or nothing can be. `first` is used before any session of its own.
  void run(SshSession* first);

 private:
  struct Sent {
    UploadPiece piece;
    std::uint64_t on_wire = 0;
    UploadLanes::Clock::time_point when;  // all of it was handed to the kernel
  };
  Result<void> work(SshSession& session);
  Result<void> send_piece(const UploadPiece& piece, Sent& sent);
  Result<void> send_name(const UploadPiece& piece, Sent& sent);
  Result<void> put(std::string_view data, Sent& sent);
  Result<void> take_answers(bool wait);
  void note_arrival(const Sent& sent);
  void give_all_back();
  std::uint64_t window() const;
  std::uint64_t piece_size() const;

  UploadLanes& all_;
  const std::string id_;
  std::vector<char> buffer_;
  SshCommand* machine_ = nullptr;
  Patience* patience_ = nullptr;
  std::deque<Sent> in_flight_;
  std::uint64_t in_flight_bytes_ = 0;
  double rate_ = 0;            // bytes a second that arrive
  double round_trip_ = 10;     // seconds from the last byte to the answer, the shortest seen
  std::uint64_t counted_ = 0;  // arrived since...
  UploadLanes::Clock::time_point counted_from_ = UploadLanes::Clock::now();
};

}  // namespace vastgpu
