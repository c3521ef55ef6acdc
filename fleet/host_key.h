#pragma once
// Whose SSH host key it is. The on-start script prints the machine's fingerprints into the container's log,
// and the log comes over the marketplace's HTTPS: a second channel, which nobody between us and the machine
// can write. What this proves: the SSH server that we talk to is the container that was rented. It says
// nothing about the host, who can read and change both.

#include <mutex>
#include <thread>

#include "fleet/deps.h"

namespace vastgpu {

/// The fingerprint ("SHA256:...") that the log's lines with `mark` name: of the kind that our SSH asks for
/// first, ed25519, then ecdsa, then rsa; the last line of that kind. nullopt: none, or `mark` is empty. Pure.
std::optional<std::string> logged_host_key(std::string_view log, std::string_view mark);

/// Reads the log of one machine in a thread of its own, again and again until it names the key; so that a
/// boot goes on meanwhile. Any thread may ask.
class HostKeyLog {
 public:
  HostKeyLog(const Deps& d, const Rental& rental);

  std::optional<std::string> named() const;
  /// A later look at the log found that it names this one now.
  void names(std::string fingerprint);
  /// How long SSH has shown another key than the log names, counted from the first call of this.
  Duration contradicted_for(TimePoint now) {
    return now - (contradicted_ ? *contradicted_ : contradicted_.emplace(now));
  }

 private:
  void read(const std::stop_token& stop);
  const Deps& d_;
  const InstanceId instance_;
  const std::string mark_;
  mutable std::mutex mutex_;
  std::optional<std::string> named_;
  std::optional<TimePoint> contradicted_;  // of the thread that boots
  std::jthread thread_;                    // last: it uses the others
};

/// Whether SSH to a machine that boots has to wait for its log, which is a minute at most from the first call
/// on, over all processes. Notes that first call.
/// @error as Ledger
Result<bool> log_is_due(const Deps& d, const Rental& rental);

/// Reads the log once for a rental that was trusted on first use, at most every five minutes, and writes down
/// what it says: `container_log`, or `contradicted`, with an event. A log that says nothing changes nothing.
/// @error as Ledger
Result<void> verify_host_key(const Deps& d, Rental& rental, std::stop_token stop);

/// Pins the key that a machine without a pin shows: it is in the ledger before anything is sent there, so
/// that every later connection is held to it. Where there is a pin, nothing changes.
/// @error corrupt  another call pinned another key meanwhile; else as Ledger
Result<void> pin_first_use(const Deps& d, Rental& rental, Shell& shell, std::stop_token stop);

/// Refuses a machine whose log names another key than SSH showed.
/// @error corrupt  with both fingerprints
Result<void> check_host_key(const Rental& rental);

/// {"fingerprint","verified_by"}; null while none is known.
json host_key_facts(const Rental& rental);
/// What people should know about it; empty once it is verified, or while there is none.
std::string host_key_words(const Rental& rental);

}  // namespace vastgpu
