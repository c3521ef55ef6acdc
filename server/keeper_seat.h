#pragma once
// The one place of a keeper for one account at one marketplace: a lock file that names its holder. Whoever
// holds it is the keeper. Plain values; any thread.

#include <filesystem>
#include <optional>
#include <string>

#include "core/ids.h"
#include "state/lock.h"

namespace vastgpu {

/// Who holds a seat.
struct KeeperHolder {
  int pid = 0;
  std::string since;    ///< ISO 8601, real time
  std::string version;  ///< of the program

  /// False while the seat of a killed keeper is still held by what it was doing, or not signed yet.
  bool lives() const;
};

class KeeperSeat {
 public:
  /// `ledger`: the file that the keeper watches over.
  KeeperSeat(const std::filesystem::path& state_folder, const std::filesystem::path& ledger);

  /// Nullopt: nobody keeps. A holder that has not signed yet has pid 0.
  std::optional<KeeperHolder> holder() const;

  /// Takes the seat; waits up to two seconds of real time for one that is just being left.
  /// @error unavailable  another keeper holds it
  Result<FileLock> take() const;

  /// Writes this process into a seat that was taken.
  static Result<void> sign(FileLock& seat);

 private:
  std::filesystem::path folder_;
  std::string name_;
};

/// "pid 4711, since 2026-10-02T08:15:00Z, version 0.1.0"
std::string to_words(const KeeperHolder& holder);

}  // namespace vastgpu
