#pragma once
// One session that fetches pieces, on a thread of its own, and one that asks for hashes. When its link breaks
// it opens another, as long as anything moves.

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "remote/pieces.h"
#include "remote/stamina.h"

namespace vastgpu {

/// What lanes share with whoever started them. Thread-safe.
struct LaneWork {
  LaneWork(SshLink& l, const CollectOptions& o, Stamina& s, std::vector<BigFile>& f)
      : link(l),
        options(o),
        stamina(s),
        files(f),
        pieces(f.size(), o.piece),
        hashes(f.size()),
        why(f.size()) {}

  SshLink& link;  ///< session() is the first lane's alone
  const CollectOptions& options;
  Stamina& stamina;
  std::vector<BigFile>& files;
  Pieces pieces;
  std::stop_source halt;
  std::atomic<std::uint64_t> arrived = 0;  ///< bytes
  std::atomic<std::size_t> lanes = 0;

  /// Ends all of it; the first error counts.
  void fail_all(Error e) {
    {
      const std::scoped_lock hold(mutex);
      if (!error) error = std::move(e);
    }
    halt.request_stop();
  }
  /// One file does not come home in this call.
  void drop(std::size_t file, const std::string& reason) {
    {
      const std::scoped_lock hold(mutex);
      if (why[file].empty()) why[file] = reason;
    }
    pieces.drop(file);
  }
  std::optional<Error> trouble() {
    const std::scoped_lock hold(mutex);
    return error;
  }
  std::optional<std::string> hash_of(std::size_t file) {
    const std::scoped_lock hold(mutex);
    return hashes[file];
  }
  std::string reason(std::size_t file) {
    const std::scoped_lock hold(mutex);
    return why[file];
  }

  std::mutex mutex;
  std::optional<Error> error;                      // under mutex
  std::vector<std::optional<std::string>> hashes;  // under mutex; of the machine
  std::vector<std::string> why;                    // under mutex; why a file was dropped
};

/// Fetches until all pieces are there or the work is halted. `first`: on the session at hand.
void fetch_pieces(LaneWork& work, bool first);

/// Has the machine hash all files, in their order. A file that it cannot read is dropped.
void ask_hashes(LaneWork& work);

}  // namespace vastgpu
