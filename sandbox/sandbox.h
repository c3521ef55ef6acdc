#pragma once
// The embedded marketplace: the real API's routes, shapes, states, delays, limits and dirty data on loopback,
// with machines that are real OpenSSH servers. It shares no code with market/: they meet only on the wire.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"

namespace vastgpu {

struct SandboxOptions {
  std::uint16_t port = 0;  ///< 0: any free port; the ready line tells which
  double speed = 1;        ///< simulated seconds per real second
  std::uint64_t seed = 1;  ///< of the offers
  int offers = 400;
  std::vector<std::string> faults;  ///< "NAME" or "NAME=VALUE", see docs/sandbox.md
  std::string api_key = "sandbox-key";
  double credit = 25.0;                ///< dollars
  bool machines = true;                ///< false: API only
  std::filesystem::path state_folder;  ///< empty: a fresh one under the temporary folder, removed at exit
  bool print_ready = true;             ///< one JSON line on stdout when listening
};

/// Runs until SIGTERM, SIGINT, or the end of stdin when `stdin_is_leash`. Leaves nothing running and nothing
/// on disk. The ready line:
/// {"url":"http://127.0.0.1:PORT","api_key":"...","clock":"SPEED@ORIGIN","pid":N,"machines":true}
int run_sandbox(const SandboxOptions& options, bool stdin_is_leash);

}  // namespace vastgpu
