#pragma once
// What tools are given at start: a way to open the outside world when a call first needs it, and nothing
// before. Thread-safe.

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "fleet/deps.h"
#include "fleet/tunnels.h"

namespace vastgpu {

class Workplace {
 public:
  virtual ~Workplace() = default;

  virtual Clock& clock() = 0;

  /// Key, marketplace, account and its ledger; made at the first call that needs them, then kept.
  /// @error unauthenticated  no key anywhere, with where to put one
  virtual Result<Deps> open(std::stop_token stop) = 0;

  /// As open, but only where an earlier call left a ledger for the key at hand: asks no network, makes
  /// nothing.
  virtual std::optional<Deps> open_known() = 0;

  /// The ledger that open_known would give, without the rest; nullptr: there is none. Lives as long as this.
  virtual Ledger* known_ledger() = 0;

  /// Where our records lie; may not exist yet.
  virtual std::filesystem::path state_folder() const = 0;

  /// The tunnels of this process.
  virtual Tunnels& tunnels() = 0;

  /// The project folder: the argument, else what client or user configured, else the working directory.
  /// @error invalid_argument  not an absolute path of an existing folder
  virtual Result<std::filesystem::path> project(const std::optional<std::string>& argument) = 0;
};

}  // namespace vastgpu
