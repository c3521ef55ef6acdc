#pragma once
// What the server is given for questions whose answers come back in another request, maybe to another
// process: a key, marks that count once, and real time. The protocol does not know where they are kept.

#include <chrono>
#include <filesystem>
#include <functional>

#include "core/clock.h"
#include "core/error.h"
#include "core/secret.h"

namespace vastgpu {

/// Its functions are called from any thread.
struct AskMemory {
  /// The key of all servers of this user.
  std::function<Result<Secret>()> key;
  /// True the first time for this mark, in all processes; on disk when it returns.
  std::function<Result<bool>(const std::string& mark, TimePoint until, TimePoint now)> take;
  /// The time that people live in, also where the marketplace is a sandbox in a hurry.
  std::function<TimePoint()> now;

  /// How long a legacy call waits for a person.
  std::chrono::milliseconds wait = std::chrono::minutes(5);
  /// A no that comes sooner was said by a program: nobody reads that fast.
  std::chrono::milliseconds too_fast = std::chrono::milliseconds(1500);
};

/// Forgets everything with the process: for servers whose tools spend nothing.
AskMemory process_memory();

/// Kept in the user's state folder; makes nothing there before it is needed.
AskMemory lasting_memory(const std::filesystem::path& state_folder);

}  // namespace vastgpu
