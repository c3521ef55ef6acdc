#pragma once
// From a contract to a machine that can be worked on: poll, log in, compare the GPU with what was sold, arm
// the lease.

#include "fleet/deps.h"

namespace vastgpu {

struct BootOutcome {
  enum class State {
    ready,      ///< rental.status is `ready`
    booting,    ///< the caller's time ran out; call again
    overtaken,  ///< another call ended it or made it ready meanwhile; rental.status says which
    failed,     ///< it will not get there; `reason` says why. Nothing was destroyed here
  };
  State state = State::booting;
  std::string reason;           ///< of a failure, or what it is doing now
  bool machine_is_bad = false;  ///< remember it and do not try it again
  bool try_another = true;      ///< false: our own mistake (image name), other machines would fail too
  std::string warning;          ///< e.g. the instance file could not be written
};

/// What the marketplace's row says about a machine that should boot. Pure.
enum class BootVerdict { wait, up, stopped, bad_host, bad_image };
BootVerdict judge(const Instance& row);

/// Whether `reported` (nvidia-smi) can be the card that was `sold`. Pure.
bool same_gpu(std::string_view sold, std::string_view reported);

/// @error only what makes going on pointless for the caller (cancelled, unauthenticated, ledger trouble); a
/// machine
///        that misbehaves is BootOutcome::failed
Result<BootOutcome> wait_ready(const Deps& d, Rental& rental, const Caller& caller);

}  // namespace vastgpu
