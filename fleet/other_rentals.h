#pragma once
// Which files at home are those of another rental of the same project, so that none takes the other's name.
// One thread at a time.

#include <map>
#include <set>
#include <string>
#include <utility>

#include "fleet/deps.h"

namespace vastgpu {

/// A rental that goes on with the work of this one, or whose work this one goes on with, is no other: they
/// write the same files one after the other.
class OtherRentals {
 public:
  OtherRentals(const Deps& d, const Rental& rental);

  /// One is open, or was since this object was made: what it brings now is in no receipt yet.
  bool any_open();

  /// The last receipt of one names this path at home, from that folder on the machine, with this hash. Also
  /// when the ledger cannot say.
  bool hold(const std::string& remote_folder, const std::string& home, const std::string& sha256);

 private:
  Result<void> read();
  const Deps& d_;
  const Rental& rental_;
  std::set<std::string> kin_;  // labels, its own among them
  bool open_ = false, read_ = false, unknown_ = false;
  std::map<std::pair<std::string, std::string>, std::set<std::string>> held_;
};

}  // namespace vastgpu
